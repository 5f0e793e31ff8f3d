"""The mends of Rasa: patience with the action server, the truth after it, event types by table, a turn that always ends."""

# ruff: noqa: PT009, PT027 - unittest's own assertions: there is no pytest in the Rasa environment

import asyncio
import json
import unittest

import aiohttp
from aiohttp import web
from rasa.core.actions.action import ActionExecutionRejection, RemoteAction
from rasa.core.channels.channel import CollectingOutputChannel
from rasa.core.nlg.response import TemplatedNaturalLanguageGenerator
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, SessionStarted, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig
from sanic import Sanic

from bot.nlu import service
from bot.nlu.channel import TurnInput
from bot.nlu.service import TECHNICAL_PROBLEM, ActionServerUnreachable, install, keep_trying
from bot.nlu.versions import UnsupportedRasa, require_supported_rasa

install()
NLG = TemplatedNaturalLanguageGenerator({TECHNICAL_PROBLEM: [{"text": "our side failed"}]})
DOMAIN = Domain.empty()


class Time:
    """Time that passes only in `sleep`."""

    def __init__(self):
        self.at = 0.0

    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.at += seconds


def failing(error, times, result="done"):
    left = [times]

    async def call():
        if left[0] > 0:
            left[0] -= 1
            raise error
        return result

    return call


class KeepTrying(unittest.IsolatedAsyncioTestCase):
    async def test_a_restart_of_the_action_server_is_waited_out(self):
        clock = Time()
        result = await keep_trying(
            failing(aiohttp.ServerDisconnectedError(), 8), now=clock.now, sleep=clock.sleep, jitter=lambda: 1.0
        )
        self.assertEqual(result, "done")
        self.assertGreater(clock.at, 5)

    async def test_after_a_minute_it_is_given_up(self):
        clock = Time()
        with self.assertRaises(ActionServerUnreachable):
            await keep_trying(failing(ConnectionResetError(), 10**6), now=clock.now, sleep=clock.sleep)
        self.assertLessEqual(clock.at, service.KEEP_TRYING_S)
        self.assertGreater(clock.at, service.KEEP_TRYING_S - 2 * service.LONGEST_WAIT_S)

    async def test_an_answer_that_is_an_error_is_not_repeated(self):
        calls = []

        async def call():
            calls.append(1)
            raise ValueError("not a matter of connection")

        with self.assertRaises(ValueError):
            await keep_trying(call)
        self.assertEqual(len(calls), 1)


class RunningActions(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.answers = []
        self.calls = 0
        app = web.Application()
        app.router.add_post("/webhook", self.webhook)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/webhook"
        service._gave_up.set(False)
        self.tracker = DialogueStateTracker.from_events("sms_a", [UserUttered("hi"), ActionExecuted("charger_form")])

    async def asyncTearDown(self):
        await self.runner.cleanup()

    async def webhook(self, request):
        self.calls += 1
        status, body = self.answers.pop(0) if self.answers else (200, {"events": [], "responses": []})
        if status == 0:  # breaks the connection
            request.transport.close()
        return web.json_response(body, status=status or 200)

    async def run_action(self, name="action_look"):
        action = RemoteAction(name, EndpointConfig(self.url))
        return await action.run(CollectingOutputChannel(), NLG, self.tracker, DOMAIN)

    async def test_a_connection_that_breaks_is_tried_again_with_the_same_call(self):
        self.answers = [
            (0, {}),
            (0, {}),
            (200, {"events": [{"event": "slot", "name": "a", "value": 1}], "responses": []}),
        ]
        self.assertEqual(await self.run_action(), [SlotSet("a", 1)])
        self.assertEqual(self.calls, 3)

    async def test_a_failed_action_is_told_once_a_turn(self):
        self.answers = [(500, {"error": "x"}), (500, {"error": "x"})]
        first = await self.run_action()
        self.assertEqual([event.text for event in first], ["our side failed"])
        self.tracker.update_with_events(first, DOMAIN)
        self.assertEqual(await self.run_action(), [])
        self.assertEqual(self.calls, 2)

    async def test_an_answer_that_is_no_answer_is_told_too(self):
        self.answers = [(200, {"events": "none"})]
        [event] = await self.run_action()
        self.assertIsInstance(event, BotUttered)

    async def test_a_rejection_stays_a_rejection(self):
        self.answers = [(400, {"error": "no", "action_name": "action_look"})]
        with self.assertRaises(ActionExecutionRejection):
            await self.run_action()

    async def test_an_unreachable_server_is_waited_for_once_a_turn(self):
        await self.runner.cleanup()
        kept, service.KEEP_TRYING_S = service.KEEP_TRYING_S, 0.3
        try:
            first = await self.run_action()
            began = asyncio.get_running_loop().time()
            await self.run_action("action_go_on")
            self.assertLess(asyncio.get_running_loop().time() - began, 0.1)
        finally:
            service.KEEP_TRYING_S = kept
        self.assertEqual([event.text for event in first], ["our side failed"])

    async def test_a_session_begins_without_the_action_server_too(self):
        self.answers = [(500, {})]
        events = await self.run_action("action_session_start")
        self.assertEqual(events, [SessionStarted(), ActionExecuted("action_listen")])


class EventTypes(unittest.TestCase):
    def test_known_types_are_found_and_unknown_ones_refused_as_before(self):
        self.assertIs(Event.resolve_by_type("slot"), SlotSet)
        self.assertIs(Event.resolve_by_type("slot"), SlotSet)
        self.assertIsNone(Event.resolve_by_type("topic"))
        self.assertIs(Event.resolve_by_type("nothing", UserUttered), UserUttered)
        with self.assertRaises(ValueError):
            Event.resolve_by_type("nothing")

    def test_another_release_of_rasa_is_refused(self):
        with self.assertRaises(UnsupportedRasa):
            require_supported_rasa("3.6.22")


class Turns(unittest.IsolatedAsyncioTestCase):
    """The channel behind a real server, with a turn that the test writes."""

    async def ask(self, turn):
        Sanic.test_mode = True  # several apps in one process: Sanic rewrites its methods at each start
        app = Sanic(f"turns{id(turn)}", configure_logging=False)
        app.blueprint(TurnInput().blueprint(turn), url_prefix="/webhooks/rest")
        server = await app.create_server(host="127.0.0.1", port=0, return_asyncio_server=True)
        await server.startup()
        port = server.server.sockets[0].getsockname()[1]
        body = {"sender": "sms_a", "message": "hi", "metadata": {"message_id": "in_1"}}
        try:
            async with aiohttp.ClientSession() as session:
                address = f"http://127.0.0.1:{port}/webhooks/rest/webhook?stream=true"
                async with session.post(address, json=body, timeout=aiohttp.ClientTimeout(total=10)) as response:
                    lines = []
                    async for line in response.content:
                        lines.append(json.loads(line))
                    return lines
        finally:
            server.close()

    async def test_replies_come_as_they_are_said_and_the_stream_ends(self):
        async def turn(message):
            await message.output_channel.send_text_message(message.sender_id, "one")
            await message.output_channel.send_text_message(message.sender_id, "two")

        self.assertEqual([line["text"] for line in await self.ask(turn)], ["one", "two"])

    async def test_a_failed_turn_breaks_the_connection_instead_of_hanging(self):
        async def turn(message):
            await message.output_channel.send_text_message(message.sender_id, "one")
            raise RuntimeError("the policy failed")

        with self.assertRaises(aiohttp.ClientError):
            await self.ask(turn)

    async def test_a_turn_that_fails_before_its_first_word_is_no_empty_success(self):
        async def turn(message):
            raise RuntimeError("the store failed")

        with self.assertRaises(aiohttp.ClientError):
            await self.ask(turn)


if __name__ == "__main__":
    unittest.main()
