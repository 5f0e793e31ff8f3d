"""Whole conversations through the trained model and the real action server, over a scripted bridge."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from chargeline.ports import free_port
from tests.actions.fake_bridge import FakeBridge, authorization, charger, connector, session, watch_id

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


class Line:
    """The front door's side of Rasa: one driver's messages in, replies out."""

    def __init__(self, url: str, bridge: FakeBridge, restart_actions: Any) -> None:
        self.http = httpx.AsyncClient(base_url=url, timeout=90)
        self.bridge = bridge
        self.actions = restart_actions
        self.count = 0

    async def say(self, conversation: str, text: str, message_id: str | None = None, **metadata: Any) -> list[Any]:
        self.count += 1
        body = {
            "sender": conversation,
            "message": text,
            "metadata": {
                "message_id": message_id or f"in_{self.count}",
                "channel": "sms",
                "language": "en",
                "driver": "drv-ada",
                "tier": 1,
                **metadata,
            },
        }
        answer = await self.http.post("/webhooks/rest/webhook?stream=true", json=body)
        said = [orjson.loads(line) for line in answer.text.splitlines() if line.strip()]
        return [one for one in said if "understood" not in one]  # how it was taken is for the inbox, not for the driver

    async def texts(self, conversation: str, text: str, **metadata: Any) -> str:
        replies = await self.say(conversation, text, **metadata)
        return " | ".join(reply["text"] for reply in replies if reply.get("text"))  # what only cards show has no words


class Actions:
    """The action server as a process that can be killed."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(ROOT / ".venv/bin/python"), "-m", "actions"], cwd=ROOT, env=self.environment
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def train() -> None:
    subprocess.run(["tools/train"], cwd=ROOT, check=True)


def start_rasa(environment: dict[str, str], port: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [
            *(str(ROOT / ".venv-rasa/bin/python"), "-m", "rasa", "run", "--enable-api", "--auth-token", "token"),
            *("-i", "127.0.0.1", "-p", str(port), "--model", "models"),
            *("--credentials", "credentials.yml", "--endpoints", "endpoints.yml"),
        ],
        cwd=ROOT,
        env=environment,
    )


async def ready(url: str) -> None:
    async with httpx.AsyncClient() as http:
        for _ in range(240):
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.5)
    raise TimeoutError(url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    var = tmp_path_factory.mktemp("var")
    train()
    bridge = FakeBridge()
    ports = {"actions": free_port(), "rasa": free_port()}
    async with bridge.serve() as bridge_url:
        environment = {
            **os.environ,
            "VAR_DIR": str(var),
            "PRIVATE_HOST": "127.0.0.1",
            "BRIDGE_URL": bridge_url,
            "BRIDGE_DRIVER_KEY": "key",
            "ACTIONS_PORT": str(ports["actions"]),
            "OPERATOR_PHONE": "+1 613 555 0100",
            "ACTIONS_URL": f"http://127.0.0.1:{ports['actions']}/webhook",
            "TRACKER_DB": str(var / "tracker.sqlite3"),
            "MODEL_SERVER_URL": "",  # no desk: the model is the one of the folder
            "MODEL_SERVER_KEY": "",
            "RASA_TELEMETRY_ENABLED": "false",
        }
        actions = Actions(environment)
        actions.start()
        rasa = start_rasa(environment, ports["rasa"])
        try:
            await ready(f"http://127.0.0.1:{ports['actions']}/readyz")
            await ready(f"http://127.0.0.1:{ports['rasa']}/status?token=token")
            yield Line(f"http://127.0.0.1:{ports['rasa']}", bridge, actions)
        finally:
            rasa.terminate()
            rasa.wait()
            actions.kill()


@pytest.fixture(autouse=True)
def network(line: Line) -> FakeBridge:
    """Fresh chargers for each conversation."""
    line.bridge.__init__(  # type: ignore[misc]  # the served object stays, its state starts anew
        charger("1042", connector(1, "Preparing")),
        charger("1043", connector(1, "Preparing")),
        charger("1044", connector(1, None), state="disconnected"),
        charger("1045", connector(1, "Preparing"), connector(2, "Preparing")),
        charger("1046", connector(1, "Available")),
    )
    return line.bridge


async def test_one_message_with_the_number_is_enough(line: Line) -> None:
    replies = await line.texts("a1", "hey 1042 wont start charging my car")
    assert replies.startswith("Charger 1042 is online and sees your plug. Starting it now. | Charging: 1042")


async def test_the_qr_link_saves_the_question(line: Line) -> None:
    assert "Charging: 1042" in await line.texts("a2", "its not charging", charger_hint="CL-1042")


async def test_a_digression_is_answered_and_the_question_comes_again(line: Line) -> None:
    assert "Which charger" in await line.texts("a3", "plugged in but nothing happens")
    reply = await line.texts("a3", "thanks")
    assert "welcome" in reply
    assert "Which charger" in reply
    assert "charging at our stations" in await line.texts("a3", "whats the weather tomorrow")
    assert "Charging: 1042" in await line.texts("a3", "ten forty two")


async def test_a_corrected_number_is_taken_at_any_point(line: Line, network: FakeBridge) -> None:
    await line.texts("a4", "plugged in and it wont start")
    assert "offline" in await line.texts("a4", "1044")
    assert "Charging: 1043" in await line.texts("a4", "no, 1043")
    assert [row["charger"] for row in network.commands.values()] == ["CL-1043"]


async def test_two_numbers_that_fit_nothing_lead_to_a_person(line: Line, network: FakeBridge) -> None:
    await line.texts("a5", "my car wont charge")
    assert "can't find a charger 9999" in await line.texts("a5", "9999")
    assert "can't find a charger 8888" in await line.texts("a5", "8888")
    assert "couldn't find your charger" in await line.texts("a5", "7777")
    assert "+1 613 555 0100" in await line.texts("a5", "yes please")
    assert network.commands == {}


async def test_two_cables_are_a_choice(line: Line, network: FakeBridge) -> None:
    [question] = await line.say("a6", "charger 1045 does nothing")
    assert [button["title"] for button in question["buttons"]] == ["Connector 1, J1772", "Connector 2, J1772"]
    assert "Charging: 1045" in await line.texts("a6", question["buttons"][1]["payload"])
    assert next(iter(network.commands.values()))["connector"] == 2


async def test_done_after_plugging_in_tries_again(line: Line, network: FakeBridge) -> None:
    assert "doesn't see your plug" in await line.texts("a7", "1046 wont start")
    network.chargers["CL-1046"]["connectors"][0]["status"] = "Preparing"
    assert "Charging: 1046" in await line.texts("a7", "DONE")


async def test_a_long_start_is_told_when_it_ends_and_only_once(line: Line, network: FakeBridge) -> None:
    network.ends = [{"state": "answered", "finished": False}]
    assert "will text you" in await line.texts("a8", "start charger 1042")
    [watch] = network.watches
    assert watch["data"]["conversation"] == "a8"
    network.finish("cmd_1", state="verified")
    event = '/EXTERNAL_command_finished{"command_id": "cmd_1"}'
    assert "Charging: 1042" in await line.texts("a8", event)
    assert (await line.say("a8", event))[0]["custom"] == {"silent": True}


async def test_a_rejected_start_is_no_success(line: Line, network: FakeBridge) -> None:
    network.ends = [{"state": "rejected", "outcome": "rejected"}]
    reply = await line.texts("a9", "please start 1042")
    assert "refused to begin" in reply
    assert "Charging" not in reply


async def test_the_same_turn_again_starts_nothing_again(line: Line, network: FakeBridge) -> None:
    for _ in range(2):
        assert "1042" in await line.texts("a10", "start charger 1042", message_id="in_same")
        network.chargers["CL-1042"]["connectors"][0]["session"] = None
    assert len(network.commands) == 1


async def test_a_killed_action_server_is_waited_for(line: Line, network: FakeBridge) -> None:
    line.actions.kill()
    asking = asyncio.create_task(line.texts("a11", "charger 1042 wont start"))
    await asyncio.sleep(1)  # the turn is under way against nothing
    line.actions.start()
    assert "Charging: 1042" in await asking
    assert len(network.commands) == 1


async def test_a_neighbours_session_is_named_as_such(line: Line, network: FakeBridge) -> None:
    network.chargers["CL-1042"]["connectors"][0] |= {"status": "Charging", "session": session("drv-bob", 900)}
    assert "another car" in await line.texts("a12", "1042 isnt starting")
    assert network.commands == {}


async def test_not_understood_three_times_leads_to_a_person(line: Line) -> None:
    [first] = await line.say("a13", "/nlu_fallback")
    assert first["buttons"][-1]["payload"] == "/talk_to_human"
    [second] = await line.say("a13", "/nlu_fallback")
    assert len(second["buttons"]) == 6
    assert "+1 613 555 0100" in await line.texts("a13", "/nlu_fallback")


async def test_a_no_with_another_number_goes_on_there(line: Line, network: FakeBridge) -> None:
    assert "offline" in await line.texts("a13b", "1044 isnt starting")
    assert "Charging: 1043" in await line.texts("a13b", "no, 43")
    assert [row["charger"] for row in network.commands.values()] == ["CL-1043"]


async def test_a_price_in_between_and_the_question_comes_again(line: Line) -> None:
    await line.texts("a13c", "wont start")
    reply = await line.texts("a13c", "/price_question")
    assert "no prices" in reply
    assert "Which charger" in reply
    assert "Charging: 1042" in await line.texts("a13c", "42")


async def test_a_correction_while_the_cable_is_asked_for(line: Line) -> None:
    [question] = await line.say("a13d", "charger 1045 does nothing")
    assert len(question["buttons"]) == 2
    assert "Charging: 1043" in await line.texts("a13d", "no, 1043")


async def test_spanish_in_the_middle_is_answered_in_spanish(line: Line) -> None:
    await line.texts("a13e", "it wont start")
    assert "Cargando: 1042" in await line.texts("a13e", "es el 1042", language="es")


async def test_the_front_door_can_see_whether_a_turn_is_stored(line: Line) -> None:
    await line.texts("a14", "hello there", message_id="in_seen")
    answer = await line.http.post(
        "/conversations/a14/tracker/events?token=token&include_events=ALL",
        json={"event": "slot", "name": "turn_checked", "value": "in_seen", "timestamp": None},
    )
    users = [event for event in answer.json()["events"] if event["event"] == "user"]
    assert [event["metadata"]["message_id"] for event in users] == ["in_seen"]
    assert any(event["event"] == "bot" for event in answer.json()["events"])


# --- the other playbooks, through the model's rules. Intents are given: which words mean which is the language's own test.


def watch_met(watch: dict[str, Any]) -> str:
    values = {"watch_id": watch_id(watch), "met": True, "purpose": watch["data"]["purpose"]}
    return f"/EXTERNAL_watch_ended{orjson.dumps(values).decode()}"


async def test_a_stuck_plug_ends_the_own_session_first(line: Line, network: FakeBridge) -> None:
    row = {"status": "Charging", "session": session("drv-ada", 900), "tethered": False}
    network.chargers["CL-1042"]["connectors"][0] |= row
    network.ends = [{"state": "verified"}, {"state": "rejected", "outcome": "rejected", "answer": "UnlockFailed"}]
    reply = await line.texts("b1", "/connector_stuck")
    assert "ending it first" in reply
    assert "once more, in half a minute" in reply
    assert [body["action"] for body in network.bodies.values()] == ["stop", "unlock"]
    network.chargers["CL-1042"]["connectors"][0]["status"] = "Available"
    freed = watch_met(network.watches[-1])
    assert "plug is out" in await line.texts("b1", freed)
    assert (await line.say("b1", freed))[0]["custom"] == {"silent": True}


async def test_a_card_is_read_where_it_was_shown_without_asking(line: Line, network: FakeBridge) -> None:
    network.authorizations = [authorization("Accepted", charger="CL-1043")]
    assert "Charging: 1043" in await line.texts("b2", "/rfid_failed")


async def test_a_session_ends_on_the_drivers_word(line: Line, network: FakeBridge) -> None:
    network.chargers["CL-1042"]["connectors"][0] |= {"status": "Charging", "session": session("drv-ada", 4200)}
    assert "has ended: 4.2 kWh" in await line.texts("b3", "/stop_charging")
    assert "no session of yours" in await line.texts("b3b", "/stop_charging", driver="drv-bob")


async def test_an_offer_is_taken_by_a_bare_yes(line: Line, network: FakeBridge) -> None:
    assert "text me GO" in await line.texts("b4", "/payment_failed", charger_hint="CL-1042")
    assert network.commands == {}
    assert "Charging: 1042" in await line.texts("b4", "/affirm", charger_hint="CL-1042")


async def test_danger_comes_with_its_advice_and_switches_off(line: Line, network: FakeBridge) -> None:
    reply = await line.texts("b5", "/safety_hazard", charger_hint="CL-1042")
    assert reply.startswith("Step away")
    assert "switched out of use" in reply
    assert [body["action"] for body in network.bodies.values()] == ["inoperative"]


async def test_a_plug_that_comes_is_started_without_a_word(line: Line, network: FakeBridge) -> None:
    assert "as soon as it's seen" in await line.texts("b6", "/session_not_starting", charger_hint="CL-1046")
    network.chargers["CL-1046"]["connectors"][0]["status"] = "Preparing"
    assert "Charging: 1046" in await line.texts("b6", watch_met(network.watches[-1]))
