"""Where Rasa keeps conversations: every event kept, but only the recent ones brought back for a turn. Here in a SQLite file;
tracker_mongo.py keeps them in MongoDB.

A turn costs the same at message 300 as at message 10: the last events from a turn's beginning on, and before them what older ones
left behind (slot values, an open form). A read or write that fails raises; there is no blank conversation in its place.
"""

from __future__ import annotations

import abc
import asyncio
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Text, Tuple, TypeVar

from rasa.core.tracker_store import TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker

from bot.nlu.service import install

install()
T = TypeVar("T")
Row = Dict[Text, Any]

RECENT_EVENTS = 60
_LISTEN = "action_listen"
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE conversations (sender_id TEXT PRIMARY KEY, events INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    sender_id TEXT NOT NULL, seq INTEGER NOT NULL, type TEXT NOT NULL, timestamp REAL, data TEXT NOT NULL,
    PRIMARY KEY (sender_id, seq)
) WITHOUT ROWID;
"""


class TrackerStoreError(RuntimeError):
    """The file cannot be used: wrong schema, or not a database."""


class TurnOverlap(RuntimeError):
    """Another turn of the same conversation was stored since this one read it; storing this one would mix them."""


def recent(events: List[Row], state: Row, limit: int = RECENT_EVENTS) -> List[Row]:
    """The events that a turn needs: at most `limit` of the newest, from the beginning of a session or turn on, with `state` before them.

    `state` is what all events together have led to. A slot that none of the recent events sets has that value since before them,
    so putting it first gives back exactly the tracker that was stored.
    """
    whole = len(events) <= limit and state.get("stored_before", 0) == 0
    start = _beginning(events, 0 if whole else max(0, len(events) - limit), seek_turn=not whole)
    window = events[start:]
    # A session's start, and a restart, clear everything before them: nothing older is of use.
    if whole or any(_clears(event) for event in window[:2]):
        return window
    at = window[0].get("timestamp") if window else None
    # Where something was taken back, what its slots were before is only known from the state.
    reverted = any(event["event"] in ("rewind", "undo") for event in window)
    touched = set() if reverted else {event["name"] for event in window if event["event"] == "slot"}
    prefix: List[Row] = [
        {"event": "slot", "timestamp": at, "name": name, "value": value}
        for name, value in sorted(state["slots"].items())
        if name not in touched
    ]
    if state.get("loop") and not any(event["event"] == "active_loop" for event in window):
        prefix.append({"event": "active_loop", "timestamp": at, "name": state["loop"]})
    if state.get("paused") and not any(event["event"] in ("pause", "resume") for event in window):
        prefix.append({"event": "pause", "timestamp": at})
    return prefix + window


def _beginning(events: List[Row], at_least: int, *, seek_turn: bool) -> int:
    """First index from `at_least` on where the latest session or, with `seek_turn`, a turn begins (the bot starts to listen)."""
    for index in range(len(events) - 1, at_least - 1, -1):
        if events[index]["event"] == "session_started":
            return max(at_least, index - 1)  # with the action that started it
    if seek_turn:
        for index in range(at_least, len(events)):
            if events[index]["event"] == "action" and events[index].get("name") == _LISTEN:
                return index
    return at_least


def _clears(event: Row) -> bool:
    return event["event"] in ("session_started", "restart")


def state_of(tracker: DialogueStateTracker) -> Row:
    """What older events have left behind: slots that differ from their first value, the open form, whether the bot is silenced."""
    slots = {
        name: slot.value
        for name, slot in tracker.slots.items()
        if slot.value != slot.initial_value and name != "session_started_metadata"
    }
    return {"slots": slots, "loop": tracker.active_loop_name, "paused": tracker.is_paused()}


class BoundedTrackerStore(TrackerStore, abc.ABC):
    """What is common to all stores. What touches the store runs on a thread of its own, so Rasa's event loop never waits for it."""

    def __init__(self, domain: Optional[Domain] = None, event_broker: Any = None, **kwargs: Any) -> None:
        super().__init__(domain, event_broker, **kwargs)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="tracker-store")

    @abc.abstractmethod
    def read(self, sender_id: Text, limit: Optional[int]) -> Optional[Tuple[List[Row], Row, int]]:
        """(newest events in order, at least `limit` of them where there are as many; state; number of all), or None."""

    @abc.abstractmethod
    def append(self, sender_id: Text, fresh: List[Row], state: Row, stored: int) -> None:
        """Stores `fresh` after the `stored` events that were there, all or nothing. Raises TurnOverlap."""

    @abc.abstractmethod
    def sender_ids(self) -> List[Text]:
        """Every conversation."""

    @abc.abstractmethod
    def end(self) -> None:
        """Lets go of the store."""

    async def close(self) -> None:
        await self._run(self.end)
        self._worker.shutdown(wait=True)

    async def keys(self) -> Iterable[Text]:
        return await self._run(self.sender_ids)

    async def retrieve(self, sender_id: Text) -> Optional[DialogueStateTracker]:
        """The tracker with its recent events; None where the conversation is new. Raises what the store raises."""
        found = await self._run(lambda: self.read(sender_id, RECENT_EVENTS))
        if found is None:
            return None
        events, state, count = found
        return self._tracker(sender_id, recent(events, {**state, "stored_before": count - len(events)}), count)

    async def retrieve_full_tracker(self, conversation_id: Text) -> Optional[DialogueStateTracker]:
        """The tracker with every event ever stored: for people and reports, not for turns."""
        found = await self._run(lambda: self.read(conversation_id, None))
        return None if found is None else self._tracker(conversation_id, found[0], found[2])

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Stores what is new in `tracker` since it was read. Raises TurnOverlap, and what the store raises."""
        await self.stream_events(tracker)
        loaded, stored = await self._mark(tracker)
        fresh = [event.as_dict() for event in list(tracker.events)[loaded:]]
        state = state_of(tracker)
        await self._run(lambda: self.append(tracker.sender_id, fresh, state, stored))
        tracker.chargeline_mark = (len(tracker.events), stored + len(fresh))

    async def stream_events(self, tracker: DialogueStateTracker) -> None:
        """Hands what is new to the event broker, counted as `save` counts it."""
        if self.event_broker is None:
            return
        loaded, _ = await self._mark(tracker)
        await self._stream_new_events(self.event_broker, list(tracker.events)[loaded:], tracker.sender_id)

    async def _mark(self, tracker: DialogueStateTracker) -> Tuple[int, int]:
        """(events of `tracker` that are stored already, events stored in all). Read from the tracker where this store made it."""
        mark: Optional[Tuple[int, int]] = getattr(tracker, "chargeline_mark", None)
        if mark is not None:
            return mark
        stored = await self.retrieve(tracker.sender_id)
        return stored.chargeline_mark if stored is not None else (0, 0)

    def _tracker(self, sender_id: Text, events: List[Row], count: int) -> DialogueStateTracker:
        tracker = DialogueStateTracker.from_dict(sender_id, events, self.domain.slots)
        tracker.chargeline_mark = (len(tracker.events), count)
        return tracker

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


class SqliteTrackerStore(BoundedTrackerStore):
    """`db` is the file's path."""

    def __init__(
        self,
        domain: Optional[Domain] = None,
        event_broker: Any = None,
        db: Text = "var/rasa.sqlite3",
        host: Optional[Text] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(domain, event_broker, **kwargs)
        Path(db).parent.mkdir(parents=True, exist_ok=True)
        self._connection = self._worker.submit(_opened, db).result()

    def read(self, sender_id: Text, limit: Optional[int]) -> Optional[Tuple[List[Row], Row, int]]:
        return _read(self._connection, sender_id, limit)

    def append(self, sender_id: Text, fresh: List[Row], state: Row, stored: int) -> None:
        _append(self._connection, sender_id, fresh, state, stored)

    def sender_ids(self) -> List[Text]:
        return [row[0] for row in self._connection.execute("SELECT sender_id FROM conversations")]

    def end(self) -> None:
        self._connection.close()


def _opened(path: Text) -> sqlite3.Connection:
    # Transactions are opened by hand, to take the write lock at once.
    connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("BEGIN IMMEDIATE")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        for statement in filter(str.strip, _SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
    connection.execute("COMMIT")
    if version > _SCHEMA_VERSION:
        raise TrackerStoreError(f"{path} has schema {version}; this release knows {_SCHEMA_VERSION}")
    return connection


def _read(
    connection: sqlite3.Connection, sender_id: Text, limit: Optional[int]
) -> Optional[Tuple[List[Row], Row, int]]:
    """(newest `limit` events in order, state, number of all events); both reads see the same moment."""
    connection.execute("BEGIN")
    try:
        head = connection.execute(
            "SELECT events, state FROM conversations WHERE sender_id = ?", (sender_id,)
        ).fetchone()
        rows = connection.execute(
            "SELECT data FROM events WHERE sender_id = ? ORDER BY seq DESC LIMIT ?",
            (sender_id, -1 if limit is None else limit),
        ).fetchall()
    finally:
        connection.execute("COMMIT")
    if head is None:
        return None
    return [json.loads(data) for (data,) in reversed(rows)], json.loads(head[1]), head[0]


def _append(connection: sqlite3.Connection, sender_id: Text, fresh: List[Row], state: Row, stored: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        head = connection.execute("SELECT events FROM conversations WHERE sender_id = ?", (sender_id,)).fetchone()
        if (head[0] if head else 0) != stored:
            raise TurnOverlap(f"{head[0] if head else 0} events are stored, {stored} were when the turn began")
        connection.executemany(
            "INSERT INTO events (sender_id, seq, type, timestamp, data) VALUES (?, ?, ?, ?, ?)",
            [
                (sender_id, seq, event["event"], event.get("timestamp"), json.dumps(event))
                for seq, event in enumerate(fresh, stored)
            ],
        )
        connection.execute(
            "INSERT INTO conversations (sender_id, events, state) VALUES (?, ?, ?) "
            "ON CONFLICT (sender_id) DO UPDATE SET events = excluded.events, state = excluded.state",
            (sender_id, stored + len(fresh), json.dumps(state)),
        )
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
