"""The store in MongoDB: a collection for each kind of record, `_id` is the record's key, every write acknowledged and journaled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from chargeline.geo import distance_m
from chargeline.mongo import GEOSPHERE, Database, Document, DuplicateKeyError, ReturnDocument, aggregate
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
from ocpp_bridge.store.codec import document, record

R = TypeVar("R")
_SITES_AT_ONCE = 64
KEEP_ATTEMPTS_S = 30 * 24 * 3600


def _doc(item: Any, key: Any) -> Document:
    return {"_id": key, **document(item)}


class MongoStore:
    def __init__(self, database: Database) -> None:
        self._db = database

    async def open(self) -> None:
        await self._db["bridge_sites"].create_index([("place", GEOSPHERE)])
        await self._db["bridge_chargers"].create_index("site")
        await self._place_old_sites()
        await self._db["bridge_tokens"].create_index("driver")
        await self._db["bridge_attempts"].create_index([("charger", 1), ("at", -1)])
        await self._db["bridge_attempts"].create_index("at", expireAfterSeconds=KEEP_ATTEMPTS_S)
        await self._db["bridge_attempts"].create_index([("folded", 1), ("at", -1)])
        await self._db["bridge_tokens"].create_index("folded")
        await self._fold_old_tokens()
        await self._db["bridge_events"].create_index([("charger", 1), ("_id", 1)])
        await self._db["bridge_deviations"].create_index("charger")
        sessions = self._db["bridge_sessions"]
        await sessions.create_index("start_key", unique=True)
        await sessions.create_index([("charger", 1), ("transaction", 1)])
        await sessions.create_index([("charger", 1), ("connector", 1)])
        await sessions.create_index([("driver", 1), ("state", 1)])
        await sessions.create_index("state")
        commands = self._db["bridge_commands"]
        await commands.create_index("idempotency_key", unique=True)
        await commands.create_index([("charger", 1), ("created_at", 1)])
        await commands.create_index([("actor.driver", 1), ("created_at", 1)])
        await commands.create_index("created_at")
        await commands.create_index("finished")
        watches = self._db["bridge_watches"]
        await watches.create_index(
            "idempotency_key", unique=True, partialFilterExpression={"idempotency_key": {"$type": "string"}}
        )
        await watches.create_index("state")

    async def _place_old_sites(self) -> None:
        """Sites that an earlier release wrote have no `place` yet."""
        sites = self._db["bridge_sites"]
        async for found in sites.find(
            {"place": {"$exists": False}, "latitude": {"$ne": None}, "longitude": {"$ne": None}}
        ):
            point = {"type": "Point", "coordinates": [found["longitude"], found["latitude"]]}
            await sites.update_one({"_id": found["_id"]}, {"$set": {"place": point}})

    async def _fold_old_tokens(self) -> None:
        """Tokens that an earlier release wrote have no `folded` yet."""
        async for found in self._db["bridge_tokens"].find({"folded": {"$exists": False}}):
            change = {"$set": {"folded": str(found["_id"]).lower()}}
            await self._db["bridge_tokens"].update_one({"_id": found["_id"]}, change)

    async def close(self) -> None:
        await self._db.close()

    async def ping(self) -> None:
        await self._db.ping()

    # ---- in general

    async def _put(self, collection: str, item: Any, key: Any) -> None:
        await self._db[collection].replace_one({"_id": key}, _doc(item, key), upsert=True)

    async def _add(self, collection: str, kind: type[R], item: R, key: str, unique: str, value: Any) -> R:
        """Inserts, or returns the one that has this value in its unique field."""
        try:
            await self._db[collection].insert_one(_doc(item, key))
        except DuplicateKeyError:
            found = await self._one(collection, kind, {unique: value})
            if found is None:
                raise
            return found
        return item

    async def _one(self, collection: str, kind: type[R], where: Document) -> R | None:
        found = await self._db[collection].find_one(where)
        return None if found is None else record(kind, found)

    async def _many(
        self, collection: str, kind: type[R], where: Document, sort: list[tuple[str, int]], limit: int = 0
    ) -> list[R]:
        cursor = self._db[collection].find(where).sort(sort).limit(limit)
        return [record(kind, found) async for found in cursor]

    # ---- what the operator provides

    async def put_sites(self, sites: Sequence[Site]) -> None:
        for site in sites:
            values = _doc(site, site.id)
            if site.latitude is not None and site.longitude is not None:
                values["place"] = {"type": "Point", "coordinates": [site.longitude, site.latitude]}
            await self._db["bridge_sites"].replace_one({"_id": site.id}, values, upsert=True)

    async def put_chargers(self, chargers: Sequence[Charger]) -> None:
        for charger in chargers:
            values = document(charger)
            if charger.password_hash is None:
                del values["password_hash"]  # it keeps the one it has
            await self._db["bridge_chargers"].update_one({"_id": charger.id}, {"$set": values}, upsert=True)

    async def put_tokens(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            values = {**_doc(token, token.id), "folded": token.id.lower()}
            await self._db["bridge_tokens"].replace_one({"_id": token.id}, values, upsert=True)

    async def put_tariffs(self, tariffs: Sequence[Tariff]) -> None:
        for tariff in tariffs:
            await self._put("bridge_tariffs", tariff, tariff.id)

    async def tariffs(self) -> list[Tariff]:
        return await self._many("bridge_tariffs", Tariff, {}, [("_id", 1)])

    async def sites(self) -> list[Site]:
        return await self._many("bridge_sites", Site, {}, [("_id", 1)])

    async def chargers(self) -> list[Charger]:
        return await self._many("bridge_chargers", Charger, {}, [("_id", 1)])

    async def chargers_near(
        self, latitude: float, longitude: float, radius_m: float, limit: int
    ) -> list[tuple[float, str]]:
        """`$geoNear` gives sites by distance; their chargers are counted on until there are enough."""
        here = {"type": "Point", "coordinates": [longitude, latitude]}
        near = {"near": here, "distanceField": "away", "key": "place", "spherical": True, "maxDistance": radius_m}
        found: list[tuple[float, str]] = []
        sites = await aggregate(self._db["bridge_sites"], [{"$geoNear": near}, {"$project": {"place": 1}}])
        away = {
            str(site["_id"]): distance_m(latitude, longitude, *reversed(site["place"]["coordinates"])) for site in sites
        }
        order = sorted(away, key=lambda site: away[site])
        for start in range(0, len(order), _SITES_AT_ONCE):
            some = order[start : start + _SITES_AT_ONCE]
            if len(found) >= limit and away[some[0]] > sorted(found)[limit - 1][0]:
                break
            rows = self._db["bridge_chargers"].find({"site": {"$in": some}}, {"site": 1})
            found.extend([(away[str(row["site"])], str(row["_id"])) async for row in rows])
        return sorted(found)[:limit]

    async def token(self, token_id: str) -> Token | None:
        exact = await self._one("bridge_tokens", Token, {"_id": token_id})
        return exact or await self._one("bridge_tokens", Token, {"folded": token_id.lower()})

    async def tokens_of(self, driver: str) -> list[Token]:
        return await self._many("bridge_tokens", Token, {"driver": driver}, [("_id", 1)])

    # ---- the live picture

    async def save_telemetry(self, batch: Telemetry) -> None:
        for boot in batch.boots.values():
            await self._put("bridge_boots", boot, boot.charger)
        for status in batch.statuses.values():
            await self._put("bridge_statuses", status, f"{status.charger}/{status.connector}")
        for report in batch.reports.values():
            await self._put("bridge_reports", report, report.charger)
        for presence in batch.presences.values():
            await self._put("bridge_presences", presence, presence.charger)
        for session in batch.meters.values():  # an ended session's document is final
            where = {"_id": session.id, "state": "active"}
            await self._db["bridge_sessions"].replace_one(where, _doc(session, session.id))
        if batch.attempts:
            rows = [{**document(attempt), "folded": attempt.token.lower()} for attempt in batch.attempts]
            await self._db["bridge_attempts"].insert_many(rows)
        for key, deviation in batch.deviations.items():
            values = document(deviation)
            count = values.pop("count")
            change = {"$set": values, "$inc": {"count": count}}
            await self._db["bridge_deviations"].update_one({"_id": "/".join(key)}, change, upsert=True)

    async def boots(self) -> list[Boot]:
        return await self._many("bridge_boots", Boot, {}, [("_id", 1)])

    async def statuses(self) -> list[Status]:
        return await self._many("bridge_statuses", Status, {}, [("_id", 1)])

    async def report(self, charger: str) -> VariableReport | None:
        return await self._one("bridge_reports", VariableReport, {"_id": charger})

    async def presences(self) -> list[Presence]:
        return await self._many("bridge_presences", Presence, {}, [("_id", 1)])

    async def attempts(self, charger: str, limit: int = 20) -> list[Attempt]:
        newest = [("at", -1), ("_id", -1)]
        return await self._many("bridge_attempts", Attempt, {"charger": charger}, newest, limit)

    async def attempts_of(self, tokens: Sequence[str], limit: int = 50) -> list[Attempt]:
        where: Document = {"folded": {"$in": [token.lower() for token in tokens]}}
        return await self._many("bridge_attempts", Attempt, where, [("at", -1), ("_id", -1)], limit)

    async def deviations(self, charger: str) -> list[Deviation]:
        order = [("kind", 1), ("action", 1), ("detail", 1)]
        return await self._many("bridge_deviations", Deviation, {"charger": charger}, order)

    # ---- sessions

    async def next_transaction(self) -> int:
        while True:  # of several first upserts at once, only one makes the row; the others come again
            try:
                row = await self._db["bridge_counters"].find_one_and_update(
                    {"_id": "transaction"}, {"$inc": {"value": 1}}, upsert=True, return_document=ReturnDocument.AFTER
                )
            except DuplicateKeyError:
                continue
            if row is not None:
                return int(row["value"])

    async def add_session(self, session: Session) -> Session:
        return await self._add("bridge_sessions", Session, session, session.id, "start_key", session.start_key)

    async def save_session(self, session: Session) -> None:
        await self._put("bridge_sessions", session, session.id)

    async def session(self, session_id: str) -> Session | None:
        return await self._one("bridge_sessions", Session, {"_id": session_id})

    async def session_of(self, charger: str, transaction: str) -> Session | None:
        where = {"charger": charger, "transaction": transaction}
        found = await self._many("bridge_sessions", Session, where, [("_id", -1)], 1)
        return found[0] if found else None

    async def session_started_by(self, start_key: str) -> Session | None:
        return await self._one("bridge_sessions", Session, {"start_key": start_key})

    async def sessions(
        self, *, driver: str | None = None, charger: str | None = None, state: str | None = None, limit: int = 100
    ) -> list[Session]:
        asked = {"driver": driver, "charger": charger, "state": state}
        where = {name: value for name, value in asked.items() if value is not None}
        return await self._many("bridge_sessions", Session, where, [("_id", -1)], limit)

    async def last_session(self, charger: str, connector: int) -> Session | None:
        where = {"charger": charger, "connector": connector}
        found = await self._many("bridge_sessions", Session, where, [("_id", -1)], 1)
        return found[0] if found else None

    async def latest_sessions(self, chargers: Sequence[str], each: int) -> list[Session]:
        found = await asyncio.gather(*(self.sessions(charger=charger, limit=each) for charger in chargers))
        return [session for some in found for session in some]

    # ---- out of service on purpose

    async def put_hold(self, hold: Hold) -> None:
        await self._put("bridge_holds", hold, f"{hold.charger}/{hold.connector}")

    async def drop_holds(self, charger: str, connector: int) -> None:
        where: Document = {"charger": charger}
        if connector:
            where["connector"] = connector
        await self._db["bridge_holds"].delete_many(where)

    async def holds(self) -> list[Hold]:
        return await self._many("bridge_holds", Hold, {}, [("charger", 1), ("connector", 1)])

    # ---- commands and watches

    async def add_command(self, command: Command) -> Command:
        try:
            await self._db["bridge_commands"].insert_one(_command(command))
        except DuplicateKeyError:
            found = await self._one("bridge_commands", Command, {"idempotency_key": command.idempotency_key})
            if found is None:
                raise
            if found.body_hash != command.body_hash:
                raise KeyReused(command.idempotency_key) from None
            return found
        return command

    async def save_command(self, command: Command) -> None:
        await self._db["bridge_commands"].replace_one({"_id": command.id}, _command(command), upsert=True)

    async def command(self, command_id: str) -> Command | None:
        return await self._one("bridge_commands", Command, {"_id": command_id})

    async def command_of(self, idempotency_key: str) -> Command | None:
        return await self._one("bridge_commands", Command, {"idempotency_key": idempotency_key})

    async def commands_since(self, since: datetime) -> list[Command]:
        where: Document = {"created_at": {"$gte": since}}
        return await self._many("bridge_commands", Command, where, [("created_at", 1), ("_id", 1)])

    async def unfinished_commands(self) -> list[Command]:
        return await self._many("bridge_commands", Command, {"finished": False}, [("_id", 1)])

    async def recent_commands(self, chargers: Sequence[str], since: datetime) -> list[Command]:
        where: Document = {"charger": {"$in": list(chargers)}, "created_at": {"$gte": since}}
        return await self._many("bridge_commands", Command, where, [("created_at", 1), ("_id", 1)])

    async def add_watch(self, watch: Watch) -> Watch:
        return await self._add("bridge_watches", Watch, watch, watch.id, "idempotency_key", watch.idempotency_key)

    async def save_watch(self, watch: Watch) -> None:
        await self._put("bridge_watches", watch, watch.id)

    async def watch(self, watch_id: str) -> Watch | None:
        return await self._one("bridge_watches", Watch, {"_id": watch_id})

    async def waiting_watches(self) -> list[Watch]:
        return await self._many("bridge_watches", Watch, {"state": "waiting"}, [("_id", 1)])

    # ---- what happened, and who knocked

    async def add_events(self, events: Sequence[Event], keep: int) -> None:
        await self._db["bridge_events"].insert_many([_doc(event, event.seq) for event in events])
        await self._db["bridge_events"].delete_many({"_id": {"$lte": events[-1].seq - keep}})

    async def last_event(self) -> int:
        newest = await self._many("bridge_events", Event, {}, [("_id", -1)], 1)
        return newest[0].seq if newest else 0

    async def events(self, after: int, *, charger: str | None = None, limit: int = 500) -> list[Event]:
        where: Document = {"_id": {"$gt": after}}
        if charger is not None:
            where["charger"] = charger
        return await self._many("bridge_events", Event, where, [("_id", 1)], limit)

    async def oldest_event(self) -> int:
        oldest = await self._many("bridge_events", Event, {}, [("_id", 1)], 1)
        return oldest[0].seq if oldest else 0

    async def put_knocks(self, knocks: Sequence[Knock]) -> None:
        for knock in knocks:
            await self._put("bridge_knocks", knock, knock.charger)

    async def drop_knocks(self, chargers: Sequence[str]) -> None:
        await self._db["bridge_knocks"].delete_many({"_id": {"$in": list(chargers)}})

    async def knocks(self) -> list[Knock]:
        return await self._many("bridge_knocks", Knock, {}, [("last_at", -1), ("_id", 1)])


def _command(command: Command) -> Document:
    return {**_doc(command, command.id), "finished": command.finished}
