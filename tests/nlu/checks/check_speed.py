"""The faster ways of bot/nlu/speed.py end as Rasa's own do."""

# ruff: noqa: PT009, PT027 - unittest's own assertions: there is no pytest in the Rasa environment

import unittest

import jsonschema
from aiohttp import web
from rasa.core.actions.action import RemoteAction
from rasa.core.channels.channel import CollectingOutputChannel
from rasa.core.nlg.response import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, ActiveLoop, SlotSet, UserUttered
from rasa.shared.core.slots import AnySlot, TextSlot
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.nlu import speed
from bot.nlu.service import install

install()
NLG = TemplatedNaturalLanguageGenerator({})


class Calls(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.connections, self.bodies = [], []
        app = web.Application()
        app.router.add_post("/webhook", self.webhook)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.endpoint = EndpointConfig(
            f"http://127.0.0.1:{self.runner.addresses[0][1]}/webhook",
            enable_selective_domain=True,
            called_while={"action_look": "next_step"},
        )
        slots = [TextSlot("next_step", mappings=[], influence_conversation=False)]
        self.tracker = DialogueStateTracker.from_events("sms_é/ø", [UserUttered("¿qué?\u2028</script>")], slots=slots)

    async def asyncTearDown(self):
        await speed.close()
        await self.runner.cleanup()

    async def webhook(self, request):
        self.connections.append(request.transport)
        self.bodies.append(await request.json())
        return web.json_response({"events": [{"event": "slot", "name": "next_step", "value": None}], "responses": []})

    async def call(self, name):
        action = RemoteAction(name, self.endpoint)
        return await action.run(CollectingOutputChannel(), NLG, self.tracker, Domain.empty())

    async def test_calls_share_a_connection(self):
        for _ in range(3):
            await self.call("action_answer")
        self.assertEqual(len(self.connections), 3)
        self.assertIs(self.connections[0], self.connections[2])

    async def test_a_call_holds_the_conversation_as_it_is(self):
        await self.call("action_answer")
        self.assertEqual(self.bodies[0]["sender_id"], "sms_é/ø")
        self.assertEqual(self.bodies[0]["next_action"], "action_answer")
        self.assertEqual(self.bodies[0]["tracker"]["latest_message"]["text"], "¿qué?\u2028</script>")
        self.assertEqual(self.bodies[0]["tracker"]["events"][0]["timestamp"], self.tracker.events[0].timestamp)

    async def test_an_action_with_nothing_to_do_is_not_called(self):
        self.assertEqual(await self.call("action_look"), [])
        self.assertEqual(self.bodies, [])
        self.tracker.update(SlotSet("next_step", "look"))
        self.assertEqual(await self.call("action_look"), [SlotSet("next_step", None)])
        self.assertEqual(len(self.bodies), 1)


class Answers(unittest.TestCase):
    def test_an_answer_in_another_shape_is_refused_as_before(self):
        action = RemoteAction("action_look", None)
        self.assertTrue(
            action._validate_action_result(
                {"events": [{"event": "slot", "name": "offer", "value": None}], "responses": []}
            )
        )
        slot = {"event": "slot", "name": "offer", "value": None}
        wrongs = [{"events": "none"}, {"events": [{"name": "no kind"}]}, {"responses": ["text"]}, []]
        wrongs += [{"events": [{**slot, "timestamp": "now"}]}, {"events": [slot, {**slot, "name": 1}]}]
        wrongs += [{"events": [slot], "responses": {}}, {"events": [{"event": "slot", "name": "offer"}]}]
        for wrong in wrongs:
            with self.assertRaises(jsonschema.ValidationError):
                action._validate_action_result(wrong)

    def test_what_passes_quickly_passes_the_schema(self):
        slot = {"event": "slot", "name": "offer", "value": {"a": [1]}, "timestamp": 1.5}
        plain = [{}, {"events": [slot, {**slot, "timestamp": None}], "responses": [{"text": "hi"}]}, {"responses": []}]
        for answer in plain:
            self.assertTrue(speed._is_plain(answer))
            RemoteAction("a", None)._validate_action_result(answer)
            jsonschema.validate(answer, RemoteAction.action_response_format_spec())
        for other in ({"events": [{"event": "followup", "name": "a"}]}, {"events": [{**slot, "metadata": {}}]}):
            self.assertFalse(speed._is_plain(other))
            self.assertTrue(RemoteAction("a", None)._validate_action_result(other))


class Copies(unittest.TestCase):
    def test_a_copy_is_equal_and_apart(self):
        slots = [TextSlot("charger_id", mappings=[]), AnySlot("left", mappings=[])]
        events = [
            UserUttered("1042 wont start", {"name": "session_not_starting"}),
            ActionExecuted("charger_form"),
            ActiveLoop("charger_form"),
            SlotSet("left", {"CL-1042": [1]}),
        ]
        tracker = DialogueStateTracker.from_events("sms_a", events, slots=slots)
        twin = tracker.copy()
        self.assertEqual(twin.current_state(), tracker.current_state())
        self.assertEqual(list(twin.events), list(tracker.events))
        for event in (SlotSet("charger_id", "CL-1"), ActiveLoop(None), ActionExecuted("action_listen")):
            twin.update(event)
        self.assertEqual(len(tracker.events), len(events))
        self.assertIsNone(tracker.get_slot("charger_id"))
        self.assertEqual(tracker.active_loop_name, "charger_form")
        self.assertEqual(tracker.latest_action_name, "charger_form")


if __name__ == "__main__":
    unittest.main()
