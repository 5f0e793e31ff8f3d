"""The trained model in Rasa's own agent, with our store, channel and mends: no intent runs in a circle, a new model is taken in
without a pause, and the log says nothing that a driver wrote. The action server and the model server are small real ones.
"""

# ruff: noqa: PT009, PT027 - unittest's own assertions: there is no pytest in the Rasa environment

import asyncio
import io
import logging
import random
import tempfile
import time
import unittest
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import dask
import structlog
from aiohttp import web
from rasa.core import agent as rasa_agent
from rasa.core.agent import Agent
from rasa.core.channels.channel import CollectingOutputChannel, UserMessage
from rasa.core.policies.policy import Policy
from rasa.core.policies.rule_policy import RulePolicy
from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER
from rasa.shared.core.events import ActionExecuted, ActiveLoop, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig
from rasa.utils.log_utils import configure_structlog

from bot.nlu import quiet, speed
from bot.nlu.service import install
from bot.nlu.tracker_store import SqliteTrackerStore

install()
ROOT = Path(__file__).parents[3]
MODELS = sorted((ROOT / "models").glob("*.tar.gz"), key=lambda file: file.stat().st_mtime)
SECRET = "zebra 4111111111111111 quagga +15551234567"


@unittest.skipUnless(MODELS, "there is no trained model; run make train")
class Serving(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.tag, self.pulls, self.status = '"one"', [], 200
        self.model = MODELS[-1].read_bytes()
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/webhook", self.webhook)
        app.router.add_get("/model", self.pull)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        address = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        self.folder = tempfile.TemporaryDirectory(prefix="chargeline-check-")
        self.store = SqliteTrackerStore(db=str(Path(self.folder.name) / "tracker.sqlite3"))
        self.server = EndpointConfig(f"{address}/model", wait_time_between_pulls=3600)
        self.agent = Agent(
            tracker_store=self.store,
            action_endpoint=EndpointConfig(f"{address}/webhook"),
            generator=EndpointConfig(type="bot.nlu.wording.Wording", folder=str(ROOT / "domain/responses")),
            model_server=self.server,
        )
        await rasa_agent._update_model_from_server(self.server, self.agent)

    async def asyncTearDown(self):
        await speed.close()
        await self.store.close()
        await self.runner.cleanup()
        self.folder.cleanup()

    async def webhook(self, request):
        await request.read()
        return web.json_response({"events": [], "responses": []}, status=self.status)

    async def pull(self, request):
        asked = request.headers.get("If-None-Match")
        self.pulls.append(asked)
        if asked == self.tag:
            return web.Response(status=304)
        return web.Response(body=self.model, headers={"ETag": self.tag, "filename": "model.tar.gz"})

    async def say(self, text, sender="sms_a"):
        message = UserMessage(text, CollectingOutputChannel(), sender, input_channel="rest")
        return await self.agent.handle_message(message)

    async def test_no_intent_runs_in_a_circle_even_if_actions_decide_nothing(self):
        with printed(logging.WARNING) as lines:
            for intent in self.agent.domain.intents:
                await self.say(f"/{intent}", f"sms_{intent}")
                await self.say("hello", f"sms_{intent}")
                tracker = await self.store.retrieve(f"sms_{intent}")
                done = [event.action_name for event in tracker.events if isinstance(event, ActionExecuted)]
                self.assertEqual(done[-1], "action_listen", intent)
                self.assertLess(len(done), 14, intent)
        self.assertNotIn("Circuit breaker", lines.getvalue())

    async def test_a_model_with_the_tag_in_service_is_not_loaded_again(self):
        processor = self.agent.processor
        await rasa_agent._update_model_from_server(self.server, self.agent)
        self.assertEqual(self.pulls[-1], '"one"')
        self.assertIs(self.agent.processor, processor)

    async def test_drivers_are_served_while_a_new_model_is_loaded(self):
        before = self.agent.processor
        self.tag = '"two"'
        longest, turns = 0.0, 0
        began = time.perf_counter()
        update = asyncio.ensure_future(rasa_agent._update_model_from_server(self.server, self.agent))
        while not update.done():
            at = time.perf_counter()
            await self.say("hello", f"sms_{turns}")
            turns += 1
            longest = max(longest, time.perf_counter() - at)
        took = time.perf_counter() - began
        self.assertIsNot(self.agent.processor, before)
        self.assertIs(self.agent.domain, self.agent.processor.domain)
        self.assertGreater(turns, 2)
        self.assertLess(longest, took / 2)  # loaded in the event loop, one turn would wait for all of it

    async def test_a_model_that_cannot_be_read_leaves_the_old_one_in_service(self):
        before = self.agent.processor
        self.tag, self.model = '"broken"', b"no archive"
        await rasa_agent._update_model_from_server(self.server, self.agent)
        self.assertIs(self.agent.processor, before)
        await self.say("hello")

    async def test_nothing_that_a_driver_wrote_is_in_the_log_when_all_goes_well_or_wrong(self):
        with printed(logging.WARNING) as lines:
            await self.say(SECRET)
            self.status = 500
            await self.say(SECRET)
            self.store.append = broken
            with self.assertRaises(RuntimeError):
                await self.say(SECRET)
        self.assertIn("action_failed", lines.getvalue())
        self.assertIn("tracker_store_failed", lines.getvalue())
        for word in SECRET.split():
            self.assertNotIn(word, lines.getvalue())

    async def test_what_is_decided_is_what_rasas_own_longer_way_decides(self):
        """Over conversations of any subjects in any order, with a form that opens, is interrupted and closes."""
        runner, domain = self.agent.processor.graph_runner, self.agent.domain
        policy = next(
            node._component for node in runner._instantiated_nodes.values() if isinstance(node._component, RulePolicy)
        )
        chance = random.Random(7)
        intents = [one for one in domain.intents if not one.startswith("EXTERNAL_")]
        compared = set()
        for _ in range(12):
            tracker = DialogueStateTracker("sms_a", domain.slots)
            for _ in range(8):
                form = tracker.active_loop_name or chance.choice(["charger_form", None])
                tracker.update(ActionExecuted("action_listen"))
                tracker.update(UserUttered("x", {"name": chance.choice(intents)}))
                for _ in range(6):
                    action, _, interrupted = chosen = policy._find_action_from_rules(tracker, domain, False)
                    with as_rasa_does():
                        self.assertEqual(policy._find_action_from_rules(tracker, domain, False)[0], action)
                        self.assertEqual(policy._find_action_from_rules(tracker, domain, False)[2], interrupted)
                        self.assertIsNone(policy._find_action_from_rules(tracker, domain, True)[0])
                        own, _ = policy._predict(tracker, domain)
                    mine, _ = policy._predict(tracker, domain)
                    self.assertEqual((mine.probabilities, mine.events), (own.probabilities, own.events))
                    compared.add(chosen[0])
                    if mine.max_confidence < 0.5:
                        break
                    name = domain.action_names_or_texts[mine.max_confidence_index]
                    if name == "action_listen":
                        break
                    tracker.update_with_events(mine.events, domain)
                    tracker.update(ActionExecuted(name))
                    if name == "charger_form" and form:
                        still = chance.random() < 0.6
                        tracker.update(ActiveLoop("charger_form" if still else None))
                        tracker.update(SlotSet("requested_slot", "charger_id" if still else None))
                    elif name == "action_deactivate_loop":
                        tracker.update(ActiveLoop(None))
        self.assertGreater(len(compared), 8)

    async def test_a_graph_in_order_gives_what_rasas_task_graph_gives(self):
        runner, targets = self.agent.processor.graph_runner, [self.agent.processor.model_metadata.nlu_target]
        inputs = {
            PLACEHOLDER_MESSAGE: [UserMessage("cant get 1042 to start")],
            PLACEHOLDER_TRACKER: DialogueStateTracker("a", []),
        }
        graph = runner._build_dask_graph(runner._graph_schema.minimal_graph_schema(targets))
        runner._add_inputs_to_graph(inputs, graph)
        theirs = dict(dask.get(graph, targets))[targets[0]][0]
        ours = runner.run(inputs, targets)[targets[0]][0]
        self.assertEqual(ours.get("intent"), theirs.get("intent"))
        self.assertEqual(ours.get("entities"), theirs.get("entities"))


@contextmanager
def as_rasa_does():
    """RulePolicy with Rasa's own states."""
    with (
        mock.patch.object(RulePolicy, "_prediction_states", Policy._prediction_states),
        mock.patch.object(RulePolicy, "_find_action_from_rules", speed.rasas_find_action_from_rules),
        mock.patch.object(RulePolicy, "_get_possible_keys", speed.rasas_possible_keys),
    ):
        yield


class Log(unittest.TestCase):
    def test_what_rasa_hands_to_its_logger_stays_out_at_any_level(self):
        with printed(logging.DEBUG) as lines:
            structlog.get_logger("any").warning("processor.message.parse", parse_data_text=SECRET, text=SECRET)
        self.assertIn("processor.message.parse", lines.getvalue())
        self.assertNotIn("zebra", lines.getvalue())

    def test_an_error_is_shown_without_the_variables_of_its_frames(self):
        text = SECRET
        with printed(logging.WARNING) as lines:
            try:
                raise LookupError(len(text))
            except LookupError:
                structlog.get_logger("any").exception("rest.message.received.failure", text=text)
        self.assertIn("LookupError", lines.getvalue())
        self.assertNotIn("zebra", lines.getvalue())


def broken(*_):
    raise RuntimeError("the disk is full")


@contextmanager
def printed(level):
    """What the log prints meanwhile, configured as Rasa does it when it is started."""
    before = structlog.get_config()
    configure_structlog(level)
    quiet.install()
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        structlog.configure(**before)


if __name__ == "__main__":
    unittest.main()
