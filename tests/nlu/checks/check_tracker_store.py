"""The tracker store: what was stored comes back, a turn stays as cheap as the first, and failures are failures."""

# ruff: noqa: PT009, PT027 - unittest's own assertions: there is no pytest in the Rasa environment

import os
import random
import sqlite3
import tempfile
import time
import unittest
import uuid
from pathlib import Path

from pymongo.errors import PyMongoError
from rasa.core.tracker_store import FailSafeTrackerStore, TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActiveLoop,
    AllSlotsReset,
    BotUttered,
    ConversationPaused,
    ConversationResumed,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from rasa.utils.endpoints import EndpointConfig

from bot.nlu.tracker_mongo import MongoTrackerStore
from bot.nlu.tracker_store import RECENT_EVENTS, SqliteTrackerStore, TrackerStoreError, TurnOverlap, state_of

DOMAIN = Domain.from_yaml(
    """
version: "3.1"
intents: [greet]
slots:
  charger_id: {type: text, influence_conversation: false, mappings: [{type: custom}]}
  tries: {type: any, mappings: [{type: custom}]}
  offer: {type: text, influence_conversation: false, mappings: [{type: custom}]}
forms:
  charger_form: {required_slots: [charger_id]}
"""
)


def turn(number, *more):
    return [
        UserUttered(
            f"message {number}",
            {"name": "greet", "confidence": 1.0},
            parse_data={"intent": {"name": "greet", "confidence": 1.0}, "entities": [], "text": f"message {number}"},
            metadata={"message_id": f"in_{number}"},
        ),
        ActionExecuted("utter_greet"),
        BotUttered("hello"),
        *more,
        ActionExecuted("action_listen"),
    ]


MONGODB = os.environ.get("MONGODB_TEST_URL")


class Conversations:
    """What every store keeps. `open` makes the store anew over the same data."""

    seeds = 12
    many_turns = 400

    async def asyncSetUp(self):
        self.store = self.open()

    async def asyncTearDown(self):
        await self.store.close()

    async def add(self, *events, sender="sms_a"):
        tracker = await self.store.get_or_create_tracker(sender, append_action_listen=False)
        tracker.update_with_events(list(events), DOMAIN)
        await self.store.save(tracker)
        return tracker

    async def begin(self):
        await self.add(ActionExecuted("action_session_start"), SessionStarted(), ActionExecuted("action_listen"))

    async def test_an_unknown_conversation_is_new(self):
        self.assertIsNone(await self.store.retrieve("sms_nobody"))

    async def test_a_short_conversation_comes_back_event_by_event_also_after_a_restart(self):
        await self.begin()
        stored = await self.add(*turn(1, SlotSet("charger_id", "CL-1042")))
        again = self.open()
        found = await again.retrieve("sms_a")
        await again.close()
        self.assertEqual([event.as_dict() for event in found.events], [event.as_dict() for event in stored.events])
        self.assertEqual(found.get_slot("charger_id"), "CL-1042")

    async def test_saving_twice_stores_nothing_twice(self):
        await self.begin()
        tracker = await self.add(*turn(1))
        await self.store.save(tracker)
        full = await self.store.retrieve_full_tracker("sms_a")
        self.assertEqual(len(full.events), 3 + len(turn(1)))

    async def test_a_long_conversation_brings_back_a_bounded_part_and_keeps_all(self):
        await self.begin()
        for number in range(60):
            await self.add(*turn(number, SlotSet("charger_id", "CL-1") if number == 0 else SlotSet("tries", number)))
        found = await self.store.retrieve("sms_a")
        self.assertLessEqual(len(found.events), RECENT_EVENTS + 4)
        self.assertEqual(found.get_slot("charger_id"), "CL-1")
        self.assertEqual(found.get_slot("tries"), 59)
        full = await self.store.retrieve_full_tracker("sms_a")
        messages = [event.metadata["message_id"] for event in full.events if isinstance(event, UserUttered)]
        self.assertEqual(messages, [f"in_{number}" for number in range(60)])

    async def test_an_open_form_survives_any_number_of_turns(self):
        await self.begin()
        await self.add(*turn(0, ActiveLoop("charger_form")))
        for number in range(40):
            await self.add(*turn(number))
        self.assertEqual((await self.store.retrieve("sms_a")).active_loop_name, "charger_form")

    async def test_a_new_session_forgets_what_came_before(self):
        await self.begin()
        await self.add(*turn(1, SlotSet("charger_id", "CL-1")))
        await self.begin()
        found = await self.store.retrieve("sms_a")
        self.assertIsNone(found.get_slot("charger_id"))
        self.assertEqual(len(found.events), 3)

    async def test_the_state_that_comes_back_is_the_state_that_was_stored(self):
        for seed in range(self.seeds):
            generator = random.Random(seed)
            sender = f"sms_{seed}"
            await self.add(
                ActionExecuted("action_session_start"), SessionStarted(), ActionExecuted("action_listen"), sender=sender
            )
            for number in range(40):
                extra = generator.choice(
                    [
                        [],
                        [SlotSet("charger_id", f"CL-{number}")],
                        [SlotSet("charger_id", None), SlotSet("tries", number)],
                        [ActiveLoop("charger_form")],
                        [ActiveLoop(None)],
                        [SlotSet("offer", "retry"), UserUtteranceReverted()],
                        [AllSlotsReset()],
                        [ConversationPaused()],
                        [ConversationResumed()],
                        [Restarted()],
                        [SessionStarted(), SlotSet("tries", 0)],
                    ]
                )
                stored = await self.add(*turn(number, *extra), sender=sender)
                found = await self.store.retrieve(sender)
                self.assertEqual(state_of(found), state_of(stored), f"seed {seed}, turn {number}: {extra}")

    async def test_a_turn_costs_the_same_late_as_early(self):
        await self.begin()

        async def cost(first, count):
            began = time.process_time()
            for number in range(first, first + count):
                await self.add(*turn(number, SlotSet("tries", number)))
            return time.process_time() - began

        await cost(0, 30)
        early = await cost(30, 40)
        await cost(70, self.many_turns)
        late = await cost(70 + self.many_turns, 40)
        self.assertLess(late, early * 1.5 + 0.05)

    async def test_two_turns_at_once_are_not_mixed(self):
        await self.begin()
        one, two = await self.store.retrieve("sms_a"), await self.store.retrieve("sms_a")
        one.update_with_events(turn(1), DOMAIN)
        two.update_with_events(turn(2), DOMAIN)
        await self.store.save(one)
        with self.assertRaises(TurnOverlap):
            await self.store.save(two)

    async def test_a_tracker_made_elsewhere_adds_only_what_is_new(self):
        await self.begin()
        await self.add(*turn(1))
        found = await self.store.retrieve("sms_a")
        copy = found.copy()
        if hasattr(copy, "chargeline_mark"):
            del copy.chargeline_mark
        copy.update_with_events(turn(2), DOMAIN)
        await self.store.save(copy)
        full = await self.store.retrieve_full_tracker("sms_a")
        self.assertEqual(len(full.events), 3 + len(turn(1)) + len(turn(2)))


class Sqlite(Conversations, unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = str(Path(self.folder.name) / "rasa" / "tracker.sqlite3")
        await super().asyncSetUp()

    async def asyncTearDown(self):
        await super().asyncTearDown()
        self.folder.cleanup()

    def open(self):
        return SqliteTrackerStore(DOMAIN, db=self.path)

    async def test_rasa_makes_it_from_the_endpoints_file(self):
        config = EndpointConfig.from_dict({"type": "bot.nlu.tracker_store.SqliteTrackerStore", "db": self.path})
        made = TrackerStore.create(config, DOMAIN)
        self.assertIsInstance(made, SqliteTrackerStore)
        await made.close()

    async def test_a_store_that_cannot_be_read_is_no_blank_conversation(self):
        await self.begin()
        safe = FailSafeTrackerStore(self.store)
        await self.store._run(lambda: self.store._connection.execute("DROP TABLE events"))
        with self.assertRaises(sqlite3.OperationalError):
            await safe.retrieve("sms_a")

    async def test_a_store_that_cannot_be_written_keeps_nothing_in_memory_instead(self):
        await self.begin()
        safe = FailSafeTrackerStore(self.store)
        tracker = await safe.retrieve("sms_a")
        await self.store._run(lambda: self.store._connection.execute("DROP TABLE conversations"))
        tracker.update_with_events(turn(1), DOMAIN)
        with self.assertRaises(sqlite3.OperationalError):
            await safe.save(tracker)

    async def test_a_file_of_a_later_release_is_left_alone(self):
        path = str(Path(self.folder.name) / "later.sqlite3")
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version=99")
        connection.close()
        with self.assertRaises(TrackerStoreError):
            SqliteTrackerStore(DOMAIN, db=path)


@unittest.skipUnless(MONGODB, "no MongoDB")
class Mongo(Conversations, unittest.IsolatedAsyncioTestCase):
    seeds = 2  # each write waits for a journal
    many_turns = 60

    async def asyncSetUp(self):
        self.name = f"check_{uuid.uuid4().hex}"
        await super().asyncSetUp()

    async def asyncTearDown(self):
        await self.store._run(lambda: self.store._client.drop_database(self.name))
        await super().asyncTearDown()

    def open(self):
        return MongoTrackerStore(DOMAIN, host=MONGODB, db=self.name)

    async def test_rasa_makes_it_from_the_endpoints_file(self):
        config = EndpointConfig.from_dict(
            {"type": "bot.nlu.tracker_mongo.MongoTrackerStore", "url": MONGODB, "db": self.name}
        )
        made = TrackerStore.create(config, DOMAIN)
        self.assertIsInstance(made, MongoTrackerStore)
        await made.close()


class MongoAway(unittest.IsolatedAsyncioTestCase):
    async def test_a_server_that_cannot_be_reached_is_no_blank_conversation(self):
        store = MongoTrackerStore(DOMAIN, host="mongodb://127.0.0.1:9", answer_within_s=0.2)
        with self.assertRaises(PyMongoError):
            await FailSafeTrackerStore(store).retrieve("sms_a")
        await store.close()


if __name__ == "__main__":
    unittest.main()
