"""Likely causes over facts alone: which names come, which comes first, and from what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ocpp_bridge.diagnosis.causes import CAUSES, likely_causes
from ocpp_bridge.diagnosis.facts import Connectivity, Facts, SitePicture, site_picture
from ocpp_bridge.model import Actor, Attempt, Boot, Charger, Command, Connector, Hold, Session, Status, Token
from ocpp_bridge.picture import Picture

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
CHARGER = Charger("CL-1", "1", "s", (Connector(1, 1),))
UP = Connectivity("connected", NOW - timedelta(hours=1), NOW - timedelta(seconds=5), NOW - timedelta(seconds=20), 0.05)
DOWN = Connectivity("disconnected", NOW - timedelta(minutes=20), NOW - timedelta(minutes=20), None, None)
ADA = Token("TAGADA", "drv-ada")
SITE = SitePicture(None, 3, (), (), (), ())


def facts(**changes: Any) -> Facts:
    base = Facts(
        charger=CHARGER,
        now=NOW,
        connectivity=UP,
        boot=Boot("CL-1", "Accepted", NOW - timedelta(hours=1)),
        connectors=CHARGER.connectors,
        statuses={},
        sessions=(),
        connector=1,
        driver="drv-ada",
        own_tokens=(ADA,),
        attempts=(),
        own_attempts=(),
        commands=(),
        site=SITE,
    )
    return replace(base, **changes)


def status(name: Any, error: str | None = None, connector: int = 1, age_s: float = 10) -> dict[int, Status]:
    return {connector: Status("CL-1", connector, name, NOW - timedelta(seconds=age_s), "pushed", error)}


def tapped(answer: str, age_s: float = 30, tag: str = "TAGADA") -> dict[str, Any]:
    row = Attempt("CL-1", tag, answer, NOW - timedelta(seconds=age_s), "Authorize")
    return {"attempts": (row,), "own_attempts": (row,) if tag == "TAGADA" else ()}


def session(**changes: Any) -> Session:
    base = Session(
        id="ses_1",
        charger="CL-1",
        connector=1,
        token="TAGADA",
        driver="drv-ada",
        transaction="1",
        start_key="k",
        authorization="Accepted",
        opened_at=NOW - timedelta(minutes=10),
        started_at=NOW - timedelta(minutes=10),
        meter_start_wh=0,
    )
    return replace(base, **changes)


def started(outcome: str) -> Command:
    return Command(
        "cmd_1",
        "start",
        "CL-1",
        1,
        "TAGADA",
        None,
        "r",
        Actor("drv-ada", 1),
        "k",
        "h",
        NOW,
        state="not_verified",
        outcome=outcome,
        finished_at=NOW,
    )


CASES: list[tuple[dict[str, Any], str]] = [
    ({"connectivity": DOWN}, "charger_offline"),
    ({"connectivity": DOWN, "site": replace(SITE, gone=("CL-1", "CL-2", "CL-3"))}, "site_offline"),
    ({"connectivity": DOWN, "site": replace(SITE, chargers=9, gone=("CL-1", "CL-2"))}, "charger_offline"),
    ({"connectivity": replace(DOWN, since=None), "site": replace(SITE, never=("CL-1",))}, "charger_never_connected"),
    ({"connectivity": replace(DOWN, state="returning")}, "charger_returning"),
    (
        {"connectivity": replace(UP, last_frame_at=NOW - timedelta(minutes=9), last_pong_at=None)},
        "charger_silent",
    ),
    ({"boot": Boot("CL-1", "Pending", NOW)}, "boot_not_accepted"),
    ({"statuses": status("Faulted")}, "connector_faulted"),
    ({"statuses": status("Faulted", "ConnectorLockFailure")}, "connector_faulted"),
    ({"statuses": status("Unavailable")}, "connector_unavailable"),
    (
        {"statuses": status("Unavailable"), "hold": Hold("CL-1", 1, "hazard", NOW, "cmd_1")},
        "taken_out_of_service",
    ),
    ({"statuses": {**status("Unavailable", connector=0), **status("Available")}}, "charger_unavailable"),
    ({"statuses": status("Reserved")}, "connector_reserved"),
    ({"statuses": status("Finishing")}, "cable_not_unplugged"),
    ({"statuses": status("Available")}, "car_not_detected"),
    ({"statuses": status("Preparing")}, "awaiting_authorization"),
    ({"statuses": status("Preparing"), **tapped("Blocked")}, "token_blocked"),
    ({"statuses": status("Preparing"), **tapped("Expired")}, "token_expired"),
    ({"statuses": status("Preparing"), **tapped("Invalid")}, "token_unknown"),
    ({"statuses": status("Preparing"), **tapped("ConcurrentTx")}, "token_in_use"),
    ({"statuses": status("Preparing"), **tapped("NoCredit")}, "payment_no_credit"),
    ({"statuses": status("Preparing"), **tapped("Accepted")}, "refused_by_charger"),
    ({"statuses": status("Preparing"), **tapped("Accepted", age_s=3)}, "card_not_seen_not"),
    ({"statuses": status("Preparing", "ReaderFailure")}, "reader_failure"),
    ({"statuses": status("Preparing"), "own_tokens": (replace(ADA, status="Blocked"),)}, "awaiting_authorization"),
    ({"statuses": status("Charging"), "sessions": (session(driver="drv-ben", token="B"),)}, "connector_in_use"),
    (
        {"statuses": status("Charging"), "sessions": (session(last_meter_at=NOW, meter_wh=0.0),)},
        "no_energy",
    ),
    ({"statuses": status("Charging"), "sessions": (session(meter_wh=900.0),)}, "own_session_running"),
    ({"statuses": status("SuspendedEV"), "sessions": (session(),)}, "car_not_drawing"),
    ({"statuses": status("SuspendedEVSE"), "sessions": (session(),)}, "charger_limits_power"),
    ({"commands": (started("accepted_no_effect"),)}, "command_without_effect"),
    ({"own_sessions_elsewhere": (session(charger="CL-9"),)}, "token_in_use"),
]


@pytest.mark.parametrize(("changes", "first"), CASES)
def test_the_surest_cause_comes_first(changes: dict[str, Any], first: str) -> None:
    causes = likely_causes(facts(**changes))
    if first.endswith("_not"):  # an accepted card may still be on its way to a transaction: nothing is said yet
        assert causes == []
        return
    assert causes[0].cause == first, [cause.cause for cause in causes]
    assert causes[0].evidence
    assert all(0 < cause.confidence <= 1 for cause in causes)


def test_a_charger_that_is_well_has_no_cause() -> None:
    assert likely_causes(facts()) == []


def test_an_old_refusal_is_not_the_cause_of_todays_trouble() -> None:
    causes = likely_causes(facts(statuses=status("Preparing"), **tapped("Blocked", age_s=3600)))
    assert "token_blocked" not in {cause.cause for cause in causes}


def test_another_drivers_refused_card_is_not_ours() -> None:
    causes = likely_causes(facts(statuses=status("Preparing"), **tapped("Blocked", tag="TAGBEN")))
    assert causes[0].cause == "awaiting_authorization"
    anonymous = facts(statuses=status("Preparing"), own_tokens=(), driver=None, **tapped("Blocked", tag="TAGBEN"))
    assert likely_causes(anonymous)[0].cause == "token_blocked"


def test_a_status_from_before_the_socket_was_lost_weighs_less() -> None:
    causes = {row.cause: row.confidence for row in likely_causes(facts(connectivity=DOWN, statuses=status("Faulted")))}
    assert causes["connector_faulted"] < causes["charger_offline"]


def test_names_are_given_once() -> None:
    assert len({name for name, _ in CAUSES}) == len(CAUSES)


@pytest.mark.parametrize(("own_returns", "gone"), [(False, ("CL-1", "CL-2")), (True, ())])
def test_once_a_charger_is_given_up_those_of_its_site_that_dropped_after_it_count_as_gone(
    own_returns: bool, gone: tuple[str, ...]
) -> None:
    picture = Picture()
    for name, returns in (("CL-1", own_returns), ("CL-2", True)):
        picture.provision(replace(CHARGER, id=name))
        live = picture.live(name)
        live.connection_since = NOW - timedelta(seconds=14)
        live.returns_until = NOW + timedelta(seconds=1) if returns else NOW - timedelta(seconds=1)
    assert site_picture(CHARGER, picture, NOW).gone == gone
