"""Which playbook answers which problem, and which of them goes on when something that was waited for has come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from actions.playbooks import (
    charger_offline,
    connector_stuck,
    hazard,
    money_asked,
    nearby,
    own_session,
    payment_failed,
    price_asked,
    reports,
    restart_order,
    rfid_failed,
    session_wont_start,
    start_and_pay,
)
from actions.playbooks.contact import Contact, Ports, Wake
from actions.playbooks.steps import Steps


class Needs(StrEnum):
    """What is asked for where it cannot be found out."""

    CONNECTOR = "connector"  # charger and connector
    CHARGER = "charger"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Playbook:
    """`session_first`: it is about the charger where the driver's session is, before the one where a card was shown."""

    run: Callable[[Ports, Contact], Steps]
    needs: Needs = Needs.CONNECTOR
    session_first: bool = False


DEFAULT = "session_not_starting"
HAZARD = "safety_hazard"
MONEY = "billing_dispute_refund"
RESTART = "restart_request"  # an order that words show, whatever the model takes the message for
PLAYBOOKS: Mapping[str, Playbook] = {
    "session_not_starting": Playbook(session_wont_start.run),
    "payment_failed": Playbook(payment_failed.run),
    "charger_offline": Playbook(charger_offline.run),
    "connector_stuck": Playbook(connector_stuck.run, session_first=True),
    "unlock_request": Playbook(connector_stuck.run, session_first=True),
    "rfid_failed": Playbook(rfid_failed.run),
    "stop_charging": Playbook(own_session.finish, Needs.NOTHING, session_first=True),
    "session_status": Playbook(own_session.status, Needs.NOTHING, session_first=True),
    "charging_slow": Playbook(own_session.slow, Needs.NOTHING, session_first=True),
    "session_stopped_early": Playbook(own_session.stopped_early, Needs.NOTHING, session_first=True),
    "status_question_about_charger": Playbook(reports.charger_status, Needs.CHARGER),
    "report_damage": Playbook(reports.damage, Needs.CHARGER),
    RESTART: Playbook(restart_order.run, Needs.CHARGER),
    "find_charger": Playbook(nearby.run, Needs.NOTHING),
    HAZARD: Playbook(hazard.run, Needs.NOTHING, session_first=True),
}
# Answers that are looked up, beside whatever goes on: they take up nothing and leave what is open where it is.
BESIDE: Mapping[str, Playbook] = {
    MONEY: Playbook(money_asked.run, Needs.NOTHING),
    "price_question": Playbook(price_asked.run, Needs.NOTHING),
}
# Contacts of these kinds that come again within a day show that the earlier one was not fixed.
PROBLEMS = frozenset({"session_not_starting", "payment_failed", "charger_offline", "connector_stuck", "rfid_failed"})

# By the purpose of a watch.
WAKES: Mapping[str, Callable[[Ports, Contact, Wake], Steps]] = {
    "start": session_wont_start.woken,
    "plug_seen": session_wont_start.woken,
    "reset": charger_offline.woken,
    "returned": charger_offline.woken,
    "unlock": connector_stuck.woken,
    "unlock_again": connector_stuck.woken,
    "pulled": connector_stuck.woken,
    "stop": own_session.finish_woken,
    "freed": nearby.woken,
    "taken": nearby.woken,
    start_and_pay.START: start_and_pay.woken,
    start_and_pay.PLUG: start_and_pay.woken,
}
