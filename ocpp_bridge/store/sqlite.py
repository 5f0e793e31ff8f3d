"""The default store: one SQLite file. A row is the record as JSON beside the columns that are searched."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import orjson

from chargeline.sqlite import Sqlite
from ocpp_bridge.model import (
    Attempt,
    Boot,
    Charger,
    Command,
    Deviation,
    Event,
    Hold,
    Knock,
    Presence,
    Session,
    Site,
    Status,
    Tariff,
    Token,
    VariableReport,
    Watch,
)
from ocpp_bridge.store.base import KeyReused, Telemetry
from ocpp_bridge.store.codec import record
from ocpp_bridge.store.near import TABLES as _NEAR
from ocpp_bridge.store.near import nearest, place
from ocpp_bridge.store.seen import Seen

R = TypeVar("R")

_V1 = """
CREATE TABLE sites (id TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE chargers (id TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tokens (id TEXT PRIMARY KEY, driver TEXT NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX tokens_driver ON tokens (driver);
CREATE TABLE boots (charger TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE statuses (charger TEXT, connector INTEGER, doc TEXT NOT NULL, PRIMARY KEY (charger, connector)) WITHOUT ROWID;
CREATE TABLE attempts (n INTEGER PRIMARY KEY, charger TEXT NOT NULL, doc TEXT NOT NULL);
CREATE INDEX attempts_charger ON attempts (charger, n);
CREATE TABLE deviations (charger TEXT, kind TEXT, action TEXT, detail TEXT, count INTEGER NOT NULL, doc TEXT NOT NULL,
    PRIMARY KEY (charger, kind, action, detail)) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (id TEXT PRIMARY KEY, charger TEXT NOT NULL, trans TEXT NOT NULL, start_key TEXT NOT NULL UNIQUE,
    driver TEXT, state TEXT NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX sessions_charger ON sessions (charger, trans);
CREATE INDEX sessions_driver ON sessions (driver, state);
CREATE INDEX sessions_state ON sessions (state);
CREATE TABLE commands (id TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, charger TEXT NOT NULL, driver TEXT, created_at TEXT NOT NULL,
    finished INTEGER NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX commands_charger ON commands (charger, created_at);
CREATE INDEX commands_driver ON commands (driver, created_at);
CREATE INDEX commands_open ON commands (finished) WHERE finished = 0;
CREATE TABLE watches (id TEXT PRIMARY KEY, key TEXT UNIQUE, state TEXT NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX watches_state ON watches (state) WHERE state = 'waiting';
"""
_V2 = """
ALTER TABLE attempts ADD COLUMN token TEXT NOT NULL DEFAULT '';
UPDATE attempts SET token = lower(doc ->> 'token');
CREATE INDEX attempts_token ON attempts (token, n);
CREATE INDEX tokens_folded ON tokens (id COLLATE NOCASE);
CREATE TABLE tariffs (id TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY, charger TEXT, doc TEXT NOT NULL);
CREATE INDEX events_charger ON events (charger, seq);
CREATE TABLE knocks (id TEXT PRIMARY KEY, last_at TEXT NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID;
"""
_V3 = """
CREATE TABLE presences (charger TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE holds (charger TEXT, connector INTEGER, doc TEXT NOT NULL, PRIMARY KEY (charger, connector)) WITHOUT ROWID;
"""
_V4 = """
DROP INDEX commands_driver;
CREATE INDEX commands_created ON commands (created_at);
CREATE INDEX sessions_newest ON sessions (charger);
"""
_V6 = """
CREATE TABLE reports (charger TEXT PRIMARY KEY, doc TEXT NOT NULL) WITHOUT ROWID;
"""
_V7 = """
CREATE INDEX sessions_connector ON sessions (charger, doc ->> 'connector');
"""
MIGRATIONS = (_V1, _V2, _V3, _V4, _NEAR, _V6, _V7)
ATTEMPTS_KEPT = 200  # a charger; older ones go
ENDED_KEPT = 20_000  # last sessions in memory; the oldest go
_LAST_SESSION = "SELECT doc FROM sessions WHERE charger = ? AND doc ->> 'connector' = ? ORDER BY id DESC LIMIT 1"
FEW = 20  # rows that are read at once, without the way to the reading thread

Connection = sqlite3.Connection


def _json(item: Any) -> str:
    return orjson.dumps(item).decode()  # it writes dataclasses by itself, at a tenth of the cost


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _all(kind: type[R], rows: Iterable[sqlite3.Row]) -> list[R]:
    return [record(kind, orjson.loads(row["doc"])) for row in rows]


def _one(kind: type[R], row: sqlite3.Row | None) -> R | None:
    return None if row is None else record(kind, orjson.loads(row["doc"]))


class SqliteStore:
    def __init__(self, path: Path | str) -> None:
        self._engine = Sqlite(path, MIGRATIONS)
        # Two things that a command asks, kept here: a look into the file, short as it is, lets the writing thread in between.
        self._keys = Seen()
        self._ended: dict[tuple[str, int], Session] = {}  # by connector, the last session where that has ended

    async def open(self) -> None:
        await self._engine.open()
        self._keys = await self._engine.read(
            lambda c: Seen(row["key"] for row in c.execute("SELECT key FROM commands"))
        )

    async def close(self) -> None:
        await self._engine.close()

    async def ping(self) -> None:
        await self._engine.read(lambda c: c.execute("SELECT 1").fetchone())

    async def _select(self, kind: type[R], sql: str, *values: Any) -> list[R]:
        return await self._engine.read(lambda c: _all(kind, c.execute(sql, values)))

    async def _find(self, kind: type[R], sql: str, *values: Any) -> R | None:
        """One row by an index: looked up at once, since the way to a thread and back costs ten times as much."""
        return self._engine.look(lambda c: _one(kind, c.execute(sql, values).fetchone()))

    # ---- what the operator provides

    async def put_sites(self, sites: Sequence[Site]) -> None:
        rows = [(site.id, _json(site)) for site in sites]
        places = [(site.id, site.latitude, site.longitude) for site in sites]

        def work(c: Connection) -> None:
            c.executemany("INSERT OR REPLACE INTO sites VALUES (?, ?)", rows)
            place(c, places)

        await self._engine.write(work)

    async def put_chargers(self, chargers: Sequence[Charger]) -> None:
        def work(c: Connection) -> None:
            for charger in chargers:
                c.execute(
                    "INSERT INTO chargers VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET doc = CASE"
                    " WHEN excluded.doc ->> 'password_hash' IS NULL"
                    " THEN json_set(excluded.doc, '$.password_hash', doc ->> 'password_hash') ELSE excluded.doc END",
                    (charger.id, _json(charger)),
                )

        await self._engine.write(work)

    async def put_tokens(self, tokens: Sequence[Token]) -> None:
        rows = [(token.id, token.driver, _json(token)) for token in tokens]
        await self._engine.write(lambda c: c.executemany("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)", rows))

    async def put_tariffs(self, tariffs: Sequence[Tariff]) -> None:
        rows = [(tariff.id, _json(tariff)) for tariff in tariffs]
        await self._engine.write(lambda c: c.executemany("INSERT OR REPLACE INTO tariffs VALUES (?, ?)", rows))

    async def tariffs(self) -> list[Tariff]:
        return await self._select(Tariff, "SELECT doc FROM tariffs ORDER BY id")

    async def sites(self) -> list[Site]:
        return await self._select(Site, "SELECT doc FROM sites ORDER BY id")

    async def chargers(self) -> list[Charger]:
        return await self._select(Charger, "SELECT doc FROM chargers ORDER BY id")

    async def chargers_near(
        self, latitude: float, longitude: float, radius_m: float, limit: int
    ) -> list[tuple[float, str]]:
        return await self._engine.read(lambda c: nearest(c, latitude, longitude, radius_m, limit))

    async def token(self, token_id: str) -> Token | None:
        sql = "SELECT doc FROM tokens WHERE id = ?1 COLLATE NOCASE ORDER BY id = ?1 DESC LIMIT 1"
        return await self._find(Token, sql, token_id)

    async def tokens_of(self, driver: str) -> list[Token]:
        sql = "SELECT doc FROM tokens WHERE driver = ? ORDER BY id"
        return self._engine.look(lambda c: _all(Token, c.execute(sql, (driver,))))

    # ---- the live picture

    async def save_telemetry(self, batch: Telemetry) -> None:
        def work(c: Connection) -> None:
            c.executemany("INSERT OR REPLACE INTO boots VALUES (?, ?)", [(k, _json(v)) for k, v in batch.boots.items()])
            c.executemany(
                "INSERT OR REPLACE INTO statuses VALUES (?, ?, ?)", [(*k, _json(v)) for k, v in batch.statuses.items()]
            )
            c.executemany(
                "INSERT OR REPLACE INTO presences VALUES (?, ?)", [(k, _json(v)) for k, v in batch.presences.items()]
            )
            c.executemany(
                "INSERT OR REPLACE INTO reports VALUES (?, ?)", [(k, _json(v)) for k, v in batch.reports.items()]
            )
            for session in batch.meters.values():  # an ended session's row is final
                c.execute("UPDATE sessions SET doc = ? WHERE id = ? AND state = 'active'", (_json(session), session.id))
            c.executemany(
                "INSERT INTO attempts (charger, token, doc) VALUES (?, ?, ?)",
                [(a.charger, a.token.lower(), _json(a)) for a in batch.attempts],
            )
            for charger in {attempt.charger for attempt in batch.attempts}:
                c.execute(
                    "DELETE FROM attempts WHERE charger = ?1 AND n <= (SELECT n FROM attempts WHERE charger = ?1"
                    " ORDER BY n DESC LIMIT 1 OFFSET ?2)",
                    (charger, ATTEMPTS_KEPT),
                )
            c.executemany(
                "INSERT INTO deviations VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET count = count + excluded.count, doc = excluded.doc",
                [(*k, v.count, _json(v)) for k, v in batch.deviations.items()],
            )

        await self._engine.write(work)

    async def boots(self) -> list[Boot]:
        return await self._select(Boot, "SELECT doc FROM boots")

    async def statuses(self) -> list[Status]:
        return await self._select(Status, "SELECT doc FROM statuses")

    async def presences(self) -> list[Presence]:
        return await self._select(Presence, "SELECT doc FROM presences")

    async def report(self, charger: str) -> VariableReport | None:
        return await self._find(VariableReport, "SELECT doc FROM reports WHERE charger = ?", charger)

    async def attempts(self, charger: str, limit: int = 20) -> list[Attempt]:
        return await self._select(
            Attempt, "SELECT doc FROM attempts WHERE charger = ? ORDER BY n DESC LIMIT ?", charger, limit
        )

    async def attempts_of(self, tokens: Sequence[str], limit: int = 50) -> list[Attempt]:
        marks = ", ".join("?" * len(tokens))
        sql = f"SELECT doc FROM attempts WHERE token IN ({marks}) ORDER BY n DESC LIMIT ?"  # noqa: S608  # marks only
        return await self._select(Attempt, sql, *(token.lower() for token in tokens), limit)

    async def deviations(self, charger: str) -> list[Deviation]:
        return await self._select(
            Deviation,
            "SELECT json_set(doc, '$.count', count) AS doc FROM deviations WHERE charger = ? ORDER BY kind, action, detail",
            charger,
        )

    # ---- sessions

    async def next_transaction(self) -> int:
        def work(c: Connection) -> int:
            row = c.execute(
                "INSERT INTO counters VALUES ('transaction', 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value"
            ).fetchone()
            return int(row[0])

        return await self._engine.write(work)

    async def add_session(self, session: Session) -> Session:
        def work(c: Connection) -> Session:
            found = _one(
                Session, c.execute("SELECT doc FROM sessions WHERE start_key = ?", (session.start_key,)).fetchone()
            )
            if found is None:
                _put_session(c, session)
            return found or session

        kept = await self._engine.write(work)
        self._ended.pop((session.charger, session.connector), None)
        return kept

    async def save_session(self, session: Session) -> None:
        place = (session.charger, session.connector)

        def work(c: Connection) -> Session | None:
            _put_session(c, session)
            return _one(Session, c.execute(_LAST_SESSION, place).fetchone())

        last = await self._engine.write(work)
        self._ended.pop(place, None)
        if last is not None and last.state == "ended":  # a running one's row changes with its meter
            self._ended[place] = last
            if len(self._ended) > ENDED_KEPT:
                self._ended.pop(next(iter(self._ended)))

    async def session(self, session_id: str) -> Session | None:
        return await self._find(Session, "SELECT doc FROM sessions WHERE id = ?", session_id)

    async def session_of(self, charger: str, transaction: str) -> Session | None:
        return await self._find(
            Session,
            "SELECT doc FROM sessions WHERE charger = ? AND trans = ? ORDER BY id DESC LIMIT 1",
            charger,
            transaction,
        )

    async def session_started_by(self, start_key: str) -> Session | None:
        return await self._find(Session, "SELECT doc FROM sessions WHERE start_key = ?", start_key)

    async def sessions(
        self, *, driver: str | None = None, charger: str | None = None, state: str | None = None, limit: int = 100
    ) -> list[Session]:
        given = {"driver": driver, "charger": charger, "state": state}
        asked = {name: value for name, value in given.items() if value is not None}
        where = " AND ".join(f"{name} = :{name}" for name in asked) or "1"
        sql = f"SELECT doc FROM sessions WHERE {where} ORDER BY id DESC LIMIT :limit"  # noqa: S608  # names only

        def work(c: Connection) -> list[Session]:
            return _all(Session, c.execute(sql, {**asked, "limit": limit}))

        return self._engine.look(work) if charger is not None and limit <= FEW else await self._engine.read(work)

    async def last_session(self, charger: str, connector: int) -> Session | None:
        known = self._ended.get((charger, connector))
        return known or await self._find(Session, _LAST_SESSION, charger, connector)

    async def latest_sessions(self, chargers: Sequence[str], each: int) -> list[Session]:
        return await self._select(
            Session,
            "SELECT doc FROM json_each(?) AS asked JOIN sessions ON sessions.id IN"
            " (SELECT id FROM sessions WHERE charger = asked.value ORDER BY id DESC LIMIT ?)",
            _json(list(chargers)),
            each,
        )

    # ---- out of service on purpose

    async def put_hold(self, hold: Hold) -> None:
        row = (hold.charger, hold.connector, _json(hold))
        await self._engine.write(lambda c: c.execute("INSERT OR REPLACE INTO holds VALUES (?, ?, ?)", row))

    async def drop_holds(self, charger: str, connector: int) -> None:
        sql = "DELETE FROM holds WHERE charger = ?1 AND (?2 = 0 OR connector = ?2)"
        await self._engine.write(lambda c: c.execute(sql, (charger, connector)))

    async def holds(self) -> list[Hold]:
        return await self._select(Hold, "SELECT doc FROM holds ORDER BY charger, connector")

    # ---- commands and watches

    async def add_command(self, command: Command) -> Command:
        def work(c: Connection) -> Command:
            new = c.execute(f"{_INSERT_COMMAND} ON CONFLICT (key) DO NOTHING", _command_row(command)).rowcount
            if new:
                return command
            row = c.execute("SELECT doc FROM commands WHERE key = ?", (command.idempotency_key,)).fetchone()
            found = _one(Command, row)
            assert found is not None
            if found.body_hash != command.body_hash:
                raise KeyReused(command.idempotency_key)
            return found

        self._keys.put(command.idempotency_key)
        return await self._engine.write(work)

    async def save_command(self, command: Command) -> None:
        self._keys.put(command.idempotency_key)
        await self._engine.write(lambda c: _put_command(c, command))

    async def command(self, command_id: str) -> Command | None:
        return await self._find(Command, "SELECT doc FROM commands WHERE id = ?", command_id)

    async def command_of(self, idempotency_key: str) -> Command | None:
        if not self._keys.may_hold(idempotency_key):
            return None
        return await self._find(Command, "SELECT doc FROM commands WHERE key = ?", idempotency_key)

    async def commands_since(self, since: datetime) -> list[Command]:
        sql = "SELECT doc FROM commands WHERE created_at >= ? ORDER BY created_at, id"
        return await self._select(Command, sql, _moment(since))

    async def unfinished_commands(self) -> list[Command]:
        return await self._select(Command, "SELECT doc FROM commands WHERE finished = 0 ORDER BY id")

    async def recent_commands(self, chargers: Sequence[str], since: datetime) -> list[Command]:
        return await self._select(
            Command,
            "SELECT doc FROM commands WHERE charger IN (SELECT value FROM json_each(?)) AND created_at >= ?"
            " ORDER BY created_at, id",
            _json(list(chargers)),
            _moment(since),
        )

    async def add_watch(self, watch: Watch) -> Watch:
        def work(c: Connection) -> Watch:
            row = c.execute("SELECT doc FROM watches WHERE key = ?", (watch.idempotency_key,)).fetchone()
            found = _one(Watch, row)
            if found is None:
                _put_watch(c, watch)
            return found or watch

        return await self._engine.write(work)

    async def save_watch(self, watch: Watch) -> None:
        await self._engine.write(lambda c: _put_watch(c, watch))

    async def watch(self, watch_id: str) -> Watch | None:
        return await self._find(Watch, "SELECT doc FROM watches WHERE id = ?", watch_id)

    async def waiting_watches(self) -> list[Watch]:
        return await self._select(Watch, "SELECT doc FROM watches WHERE state = 'waiting' ORDER BY id")

    # ---- what happened, and who knocked

    async def add_events(self, events: Sequence[Event], keep: int) -> None:
        rows = [(event.seq, event.charger, _json(event)) for event in events]

        def work(c: Connection) -> None:
            c.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
            c.execute("DELETE FROM events WHERE seq <= ?", (rows[-1][0] - keep,))

        await self._engine.write(work)

    async def last_event(self) -> int:
        return await self._engine.read(lambda c: int(c.execute("SELECT max(seq) FROM events").fetchone()[0] or 0))

    async def events(self, after: int, *, charger: str | None = None, limit: int = 500) -> list[Event]:
        sql = "SELECT doc FROM events WHERE seq > ?1 AND (?2 IS NULL OR charger = ?2) ORDER BY seq LIMIT ?3"
        return await self._select(Event, sql, after, charger, limit)

    async def oldest_event(self) -> int:
        return await self._engine.read(lambda c: int(c.execute("SELECT min(seq) FROM events").fetchone()[0] or 0))

    async def put_knocks(self, knocks: Sequence[Knock]) -> None:
        rows = [(knock.charger, _moment(knock.last_at), _json(knock)) for knock in knocks]
        await self._engine.write(lambda c: c.executemany("INSERT OR REPLACE INTO knocks VALUES (?, ?, ?)", rows))

    async def drop_knocks(self, chargers: Sequence[str]) -> None:
        rows = [(charger,) for charger in chargers]
        await self._engine.write(lambda c: c.executemany("DELETE FROM knocks WHERE id = ?", rows))

    async def knocks(self) -> list[Knock]:
        return await self._select(Knock, "SELECT doc FROM knocks ORDER BY last_at DESC")


def _put_session(c: Connection, session: Session) -> None:
    row = (session.id, session.charger, session.transaction, session.start_key, session.driver, session.state)
    c.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, _json(session)))


_INSERT_COMMAND = "INSERT INTO commands VALUES (?, ?, ?, ?, ?, ?, ?)"


def _command_row(command: Command) -> tuple[Any, ...]:
    row = (command.id, command.idempotency_key, command.charger, command.actor.driver, _moment(command.created_at))
    return (*row, command.finished, _json(command))


def _put_command(c: Connection, command: Command) -> None:
    c.execute(
        f"{_INSERT_COMMAND} ON CONFLICT (id) DO UPDATE"
        " SET finished = excluded.finished, doc = excluded.doc",  # the rest of a command never changes
        _command_row(command),
    )


def _put_watch(c: Connection, watch: Watch) -> None:
    row = (watch.id, watch.idempotency_key, watch.state, _json(watch))
    c.execute("INSERT OR REPLACE INTO watches VALUES (?, ?, ?, ?)", row)
