"""Cases, people and danger over the action server's own HTTP API; a webhook that fails before it takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from actions.cases import ABANDONED_AFTER
from actions.charging import BridgeClient
from actions.desk.deliveries import Deliveries, letter, signature
from actions.desk.desk import Desk, Reach
from actions.dialogue.runs import Runs
from actions.dialogue.speech import read_titles
from actions.hazards import Hazards, report_from
from actions.playbooks.book import HAZARD
from actions.playbooks.contact import NoPayments, Ports
from actions.playbooks.steps import End, Outcome, Saw, Say, Tried, Waiting
from actions.store.base import Filter
from actions.store.sqlite import SqliteStore
from chargeline.clock import ManualClock
from tests.actions.fake_bridge import FakeBridge, charger, connector, session
from tests.actions.playing import ADA, NOW
from tests.actions.test_server import TEXTS

REACH = Reach("http://127.0.0.1:9/cases", "people@example.com", "+1 613 555 0100")


class People:
    """A desk over a real store, at a time of the test's."""

    def __init__(self, store: SqliteStore, chargers: BridgeClient, clock: ManualClock, reach: Reach) -> None:
        self.store, self.clock = store, clock
        self.desk = Desk(store, chargers, clock, reach)
        runs = Runs(Ports(chargers, NoPayments(), clock), self.desk)
        self.hazards = Hazards(chargers, runs, self.desk, read_titles(TEXTS), clock)


@pytest.fixture
async def people(chargers: BridgeClient, tmp_path: Path) -> AsyncIterator[People]:
    store = SqliteStore(tmp_path / "actions.sqlite3")
    await store.open()
    yield People(store, chargers, ManualClock(NOW), REACH)
    await store.close()


def danger(message_id: str = "in_h1", **more: Any) -> dict[str, Any]:
    return {
        "conversation": "sms_a",
        "message_id": message_id,
        "driver": "guest:sms_a",
        "tier": 0,
        "channel": "sms",
        "language": "en",
        "charger_hint": None,
        "connector_hint": None,
        "text": "smoke at 1042",
        **more,
    }


async def test_a_case_holds_what_was_seen_tried_said_and_how_it_ended(people: People) -> None:
    case = await people.desk.contact(ADA, "connector_stuck", "CL-1042", 1)
    await people.desk.note(
        case.id,
        [
            Saw("Finishing", None, ("cable_not_unplugged",)),
            Tried("unlock", "cmd_1", None),
            Waiting("cmd_1", "unlock", "CL-1042", 1),
            Say("say_unlock_pull"),
        ],
    )
    await people.clock.advance(30)
    await people.desk.note(case.id, [Tried("unlock", "cmd_1", "verified", "Unlocked", "Available"), End(Outcome.FIXED)])
    kept = await people.store.case(case.id)
    assert kept is not None
    assert [(act.action, act.outcome, act.answer) for act in kept.tried] == [("unlock", "verified", "Unlocked")]
    assert (kept.outcome, kept.seconds, kept.said) == (Outcome.FIXED, 30.0, ("say_unlock_pull",))
    wait = await people.store.wait("cmd_1")
    assert wait is not None
    assert wait.over, "a case that is fixed waits for nothing"


async def test_the_same_turn_again_is_the_same_case(people: People) -> None:
    first = await people.desk.contact(ADA, "rfid_failed", "CL-1042", 1)
    await people.desk.note(first.id, [End(Outcome.FIXED)])
    again = await people.desk.contact(ADA, "rfid_failed", "CL-1042", 1)
    assert again.id == first.id
    assert len(await people.store.cases(Filter())) == 1


async def test_a_later_message_goes_on_with_the_case_or_opens_one(people: People) -> None:
    first = await people.desk.contact(ADA, "rfid_failed", None, None)
    later = await people.desk.contact(replace(ADA, message_id="in_2"), "rfid_failed", "CL-1042", 1)
    other = await people.desk.contact(replace(ADA, message_id="in_3"), "charger_offline", "CL-1042", 1)
    assert (later.id, later.charger) == (first.id, "CL-1042")
    assert other.id != first.id


async def test_a_contact_again_within_a_day_shows_that_it_was_not_fixed(people: People) -> None:
    first = await people.desk.contact(ADA, "session_not_starting", "CL-1042", 1)
    await people.desk.note(first.id, [End(Outcome.FIXED)])
    await people.clock.advance(3 * 3600)
    second = await people.desk.contact(replace(ADA, message_id="in_2"), "session_not_starting", "CL-1042", 1)
    earlier = await people.store.case(first.id)
    assert earlier is not None
    assert (earlier.outcome, second.recontact_of) == (Outcome.NOT_FIXED, first.id)


async def test_who_never_came_back_has_abandoned(people: People) -> None:
    case = await people.desk.contact(ADA, "rfid_failed", None, None)
    await people.clock.advance(ABANDONED_AFTER.total_seconds() + 1)
    assert await people.desk.close_abandoned() == 1
    kept = await people.store.case(case.id)
    assert kept is not None
    assert kept.outcome is Outcome.ABANDONED


async def test_a_person_gets_everything_once(people: People) -> None:
    case = await people.desk.contact(ADA, "connector_stuck", "CL-1042", 1)
    for _ in range(2):
        assert await people.desk.hand_over(case.id, "two failed attempts", [{"by": "driver", "text": "help", "at": 1}])
    webhook, mail = sorted(await people.store.due_deliveries(NOW), key=lambda one: one.kind, reverse=True)
    assert (webhook.kind, mail.kind) == ("webhook", "email")
    assert "connector is stuck at charger CL-1042" in webhook.body["summary"]
    assert webhook.body["situation"]["status"] == "Preparing"
    assert webhook.body["case"]["transcript"] == [{"by": "driver", "text": "help", "at": 1}]
    assert "driver: help" in letter(mail, "people@example.com").get_content()


async def test_nobody_configured_is_told_and_the_case_is_listed(chargers: BridgeClient, people: People) -> None:
    alone = Desk(people.store, chargers, people.clock, Reach())
    case = await alone.contact(ADA, "connector_stuck", "CL-1042", 1)
    assert not await alone.hand_over(case.id, "asked for", [])
    assert [one.outcome for one in await people.store.cases(Filter())] == [Outcome.HANDED_OVER]


async def test_a_drivers_words_reach_the_case_once(people: People) -> None:
    case = await people.desk.contact(ADA, "connector_stuck", "CL-1042", 1)
    for _ in range(2):
        assert await people.desk.message(case.id, "in_7", "still here", NOW)
    kept = await people.store.case(case.id)
    assert kept is not None
    assert [line["text"] for line in kept.transcript] == ["still here"]
    assert not await people.desk.message("case_none", "in_7", "still here", NOW)


async def test_a_webhook_is_signed_and_tried_until_it_is_taken(people: People) -> None:
    posts: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        posts.append(request)
        return httpx.Response(500 if len(posts) == 1 else 202)

    sending = Deliveries(
        people.store, people.clock, webhook_url="http://desk/cases", webhook_secret="s", email_to="", smtp_url=""
    )
    sending._http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    people.desk.reach = Reach("http://desk/cases")
    case = await people.desk.contact(ADA, "connector_stuck", "CL-1042", 1)
    await people.desk.hand_over(case.id, "asked for", [])
    assert await sending.send_due() == 0
    assert await sending.send_due() == 0, "not before its time"
    await people.clock.advance(2)
    assert await sending.send_due() == 1
    signed = posts[1].headers["chargeline-signature"]
    assert signed == signature("s", posts[1].content, NOW + timedelta(seconds=2))
    await sending.close()


# --- danger without Rasa


async def test_danger_is_handled_once_a_message(people: People, bridge: FakeBridge) -> None:
    bridge.chargers["CL-1042"] = charger("1042", connector(1, "Charging", session=session("drv-bob", 900)))
    report = report_from(danger())
    answers = await asyncio.gather(*(people.hazards.handle(report) for _ in range(3)))
    assert answers[0] == answers[1] == answers[2] == await people.hazards.handle(report)
    assert "switched out of use" in answers[0]["replies"][0]["text"]
    assert [body["action"] for body in bridge.bodies.values()] == ["stop", "inoperative"]
    [case] = await people.store.cases(Filter(problem=HAZARD))
    assert (case.charger, case.handoff, case.transcript[0]["text"]) == (
        "CL-1042",
        "danger was reported",
        "smoke at 1042",
    )


async def test_danger_without_a_charger_asks_for_it_and_the_answer_takes_it_out(
    people: People, bridge: FakeBridge
) -> None:
    asked = await people.hazards.handle(report_from(danger(text="sparks!")))
    assert asked["replies"][0]["custom"] == {"hazard": {"awaiting": "charger"}}
    assert await people.desk.hazard_without_charger("sms_a") is not None
    told = await people.hazards.handle(report_from(danger("in_h2", text="1042", followup=True)))
    assert "1042" in told["replies"][0]["text"]
    assert [body["action"] for body in bridge.bodies.values()] == ["inoperative"]
    assert await people.desk.hazard_without_charger("sms_a") is None


async def test_an_answer_that_names_no_charger_is_not_asked_again(people: People) -> None:
    await people.hazards.handle(report_from(danger(text="sparks!")))
    told = await people.hazards.handle(report_from(danger("in_h2", text="no idea, im off", followup=True)))
    assert [set(reply) for reply in told["replies"]] == [{"text"}]


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.pop("text"),
        lambda body: body.update(text=""),
        lambda body: body.update(tier="1"),
        lambda body: body.update(tier=9),
        lambda body: body.update(message_id=5),
        lambda body: body.update(connector_hint=True),
        lambda body: body.update(followup="yes"),
    ],
)
def test_a_report_that_is_none_is_refused_by_its_field(change: Callable[[dict[str, Any]], object]) -> None:
    body = danger()
    change(body)
    with pytest.raises(ValueError, match="expected"):
        report_from(body)
