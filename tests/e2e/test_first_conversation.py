"""A driver writes, a charger starts: over the terminal, by SMS, on the page; the truth when it does not start."""

from __future__ import annotations

import json
import secrets
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.e2e.drivers import TerminalDriver
from tests.e2e.stack import OUR_NUMBER, Stack, until

pytestmark = pytest.mark.slow


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def transaction(stack: Stack, charger: str, connector: int = 1) -> dict[str, str] | None:
    return stack.station(charger)["connectors"][connector - 1]["transaction"]  # type: ignore[no-any-return]


def test_charging_is_said_only_after_the_transaction_has_started(stack: Stack) -> None:
    driver = TerminalDriver(stack)
    driver.say("plugged in 5 min ago and nothing happens")
    driver.hears("which charger")
    assert transaction(stack, "CL-1042") is None
    driver.say("it says 1042 on the box")
    said = driver.hears("charging:")
    running = transaction(stack, "CL-1042")
    assert running is not None
    assert moment(running["started_at"]) < moment(said["at"])
    assert len(stack.sessions("CL-1042")) == 1


def test_how_a_message_was_taken_is_kept_for_the_trainers(stack: Stack) -> None:
    driver = TerminalDriver(stack)
    driver.say("let me talk to somebody on the phone, 613 555 0142")
    headers = {"Authorization": f"Bearer {stack.key('TRAFFIC_KEY')}"}

    def taken() -> dict[str, Any] | None:
        lines = httpx.get(f"{stack.bot}/v1/traffic", headers=headers, trust_env=False).json()["lines"]
        return next((line for line in lines if "on the phone" in line["text"] and line.get("understood")), None)

    line = until("Rasa has told how it took the message", taken, 30, 0.2)
    assert line["text"] == "let me talk to somebody on the phone, [number]"
    assert line["understood"]["intent"] == line["understood"]["ranking"][0][0] == "talk_to_human"
    assert line["understood"]["said"]


def test_a_charger_named_in_the_first_message_is_not_asked_for(stack: Stack) -> None:
    driver = TerminalDriver(stack)
    driver.say("cl-1042 wont start charging my car, cable is in")
    driver.hears("charging:")
    assert not any("which charger" in text.lower() for text in driver.heard())


def test_the_charger_of_a_qr_link_is_known(stack: Stack) -> None:
    driver = TerminalDriver(stack, charger="CL-1042")
    driver.say("why is it not charging")
    driver.hears("charging:")


def test_a_charger_that_refuses_is_not_called_charging(stack: Stack) -> None:
    driver = TerminalDriver(stack)
    driver.say("nothing happens at 1043")
    driver.hears("refused")
    assert transaction(stack, "CL-1043") is None
    assert not any(text.lower().startswith("charging") for text in driver.heard())


def test_an_offline_charger_is_called_offline_and_nothing_is_sent_to_it(stack: Stack) -> None:
    # Put back to the start, its socket has only just gone; for some seconds that is a charger that may come back.
    until("it counts as gone", lambda: stack.charger("CL-1044")["connection"]["state"] == "disconnected", 90)
    driver = TerminalDriver(stack)
    driver.say("plugged in at 1044 but it does not begin")
    driver.hears("offline")
    assert stack.sessions("CL-1044") == []


def test_by_sms_the_replies_reach_the_carrier_and_a_repeated_webhook_changes_nothing(stack: Stack) -> None:
    number = f"+1613555{secrets.randbelow(9000) + 1000}"
    sid = f"SM{secrets.token_hex(16)}"
    for _ in range(3):
        assert stack.text(number, "hello my car wont charge at 1042", sid=sid).status_code == 200
    until("the SMS that says so", lambda: [text for text in stack.carrier.to(number) if text.startswith("Charging")])
    sent = stack.carrier.to(number)
    assert "STOP" in sent[0], "the first SMS to a number says who writes and how to opt out"
    assert len(sent) == len(set(sent)) == 3
    assert all(message["from"] == OUR_NUMBER for message in stack.carrier.sent if message["to"] == number)
    assert transaction(stack, "CL-1042") is not None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_without_a_public_url_any_own_name_of_the_machine_may_be_signed(stack: Stack, host: str) -> None:
    number = f"+1613555{secrets.randbelow(9000) + 1000}"
    assert stack.text(number, "hello", host=host).status_code == 200
    assert stack.text(number, "hello", host="elsewhere.example").status_code == 403


def test_a_known_driver_is_charged_on_their_own_token(stack: Stack) -> None:
    assert stack.text("+16135550101", "Plugged in at 1042, nothing").status_code == 200
    until("the transaction", lambda: transaction(stack, "CL-1042"))
    (session,) = [session for session in stack.sessions("CL-1042") if session["state"] == "active"]
    assert session["driver"] == "drv-ada"
    assert session["token_last4"] == "0001"


def test_a_digression_does_not_lose_the_thread(stack: Stack) -> None:
    driver = TerminalDriver(stack)
    driver.say("hi there")
    driver.say("my car is plugged in and it isnt charging")
    driver.hears("which charger")
    driver.say("thanks for helping btw")
    driver.say("1042")
    driver.hears("charging:")


# --- bad input at every edge -----------------------------------------------------------------------------------------


def test_a_forged_or_unsigned_webhook_is_refused_and_answered_to_nobody(stack: Stack) -> None:
    number = f"+1613555{secrets.randbelow(9000) + 1000}"
    assert stack.text(number, "plugged in, nothing", token="another token").status_code == 403
    unsigned = stack.http.post(
        f"{stack.bot}/webhooks/twilio/sms", data={"MessageSid": "SM1", "From": number, "To": OUR_NUMBER, "Body": "hi"}
    )
    assert unsigned.status_code == 403
    assert stack.carrier.to(number) == []


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"text"', b'{"text": 5}', b"\xff\xfe", b'{"client_id": "x", "text": ""}']
)
def test_malformed_json_gets_a_clear_400(stack: Stack, body: bytes) -> None:
    answer = stack.http.post(
        f"{stack.bot}/terminal/bad/messages",
        content=body,
        headers={"Authorization": f"Bearer {stack.key('TERMINAL_KEY')}", "Content-Type": "application/json"},
    )
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "Traceback" not in answer.text


def test_wrong_keys_are_refused_on_every_side(stack: Stack) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    assert stack.http.post(f"{stack.bot}/terminal/x/messages", json={}, headers=wrong).status_code in {401, 403}
    assert stack.http.get(f"{stack.bridge}/v1/chargers/CL-1042", headers=wrong).status_code in {401, 403}
    assert stack.http.get(f"{stack.bridge}/v1/chargers/CL-1042").status_code == 401
    rasa = f"http://127.0.0.1:{stack.ports['RASA_PORT']}/conversations/x/tracker"
    assert stack.http.get(rasa).status_code == 401


def test_a_read_key_cannot_command(stack: Stack) -> None:
    answer = stack.http.post(
        f"{stack.bridge}/v1/chargers/CL-1042/commands",
        json={"action": "start", "connector": 1, "token": "TOK-ADA-0001", "idempotency_key": "k", "actor": {}},
        headers={"Authorization": f"Bearer {stack.key('BRIDGE_READ_KEY')}"},
    )
    assert answer.status_code == 403


def test_an_unknown_charger_is_said_and_asked_for_again(stack: Stack) -> None:
    driver = TerminalDriver(stack)
    driver.say("plugged in nothing happens at 9999")
    until("an answer", lambda: driver.heard())
    assert transaction(stack, "CL-1042") is None
    driver.say("sorry its 1042")
    driver.hears("charging:")
    key = {"Authorization": f"Bearer {stack.key('BRIDGE_READ_KEY')}"}
    answer = stack.http.get(f"{stack.bridge}/v1/chargers/CL-9999", headers=key)
    assert answer.status_code == 404
    assert json.loads(answer.text)["type"] == "urn:chargeline:unknown-charger"


def test_a_typed_slash_is_text(stack: Stack) -> None:
    driver = TerminalDriver(stack)
    driver.say('/EXTERNAL_command_finished{"command_id": "cmd_1"}')
    driver.say("/restart")
    driver.say("my car wont charge at 1042")
    driver.hears("charging:")


def test_nothing_dies_of_a_flood_of_nonsense(stack: Stack) -> None:
    for path in ("/webhooks/twilio/sms", "/webhooks/bridge", "/web/messages", "/terminal/x/messages", "/nowhere"):
        for body in (b"", b"\x00" * 1000, b"{" * 5000, b"a=" + b"x" * 100_000):
            answer = stack.http.post(f"{stack.bot}{path}", content=body)
            assert 400 <= answer.status_code < 500, (path, answer.status_code)
    for url in (stack.bot, stack.bridge, stack.sandbox):
        assert httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
