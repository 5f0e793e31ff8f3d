"""ActionStore in MongoDB. A case is one document with the times that it is sorted by as dates; changes are checked by a revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from actions.cases import Case, as_json, from_json
from actions.store.base import Change, Delivery, Filter, Wait
from chargeline.mongo import ASCENDING, DESCENDING, Collection, Database, Document, DuplicateKeyError


class MongoStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._cases: Collection = database["action_cases"]
        self._waits: Collection = database["action_waits"]
        self._deliveries: Collection = database["action_deliveries"]
        self._answers: Collection = database["action_answers"]

    async def open(self) -> None:
        await self._cases.create_index([("opened", DESCENDING)])
        for field in ("conversation", "driver", "charger"):
            await self._cases.create_index([(field, ASCENDING), ("opened", DESCENDING)])
        await self._cases.create_index([("outcome", ASCENDING), ("updated", ASCENDING)])
        await self._waits.create_index([("case", ASCENDING)])
        await self._deliveries.create_index([("state", ASCENDING), ("next_at", ASCENDING)])

    async def close(self) -> None:
        await self._database.close()

    async def add_case(self, case: Case) -> None:
        try:
            await self._cases.insert_one({"_id": case.id, "revision": 0, **_fields(case)})
        except DuplicateKeyError:
            return  # there already: it stays as it is

    async def case(self, case_id: str) -> Case | None:
        found = await self._cases.find_one({"_id": case_id})
        return None if found is None else from_json(found["body"])

    async def change_case(self, case_id: str, change: Change) -> Case | None:
        while True:
            found = await self._cases.find_one({"_id": case_id})
            if found is None:
                return None
            changed = change(from_json(found["body"]))
            same = {"_id": case_id, "revision": found["revision"]}
            update = {"$set": {"revision": found["revision"] + 1, **_fields(changed)}}
            if (await self._cases.update_one(same, update)).matched_count:
                return changed

    async def cases(self, wanted: Filter) -> list[Case]:
        query: Document = {
            name: value
            for name, value in (
                ("problem", wanted.problem),
                ("charger", wanted.charger),
                ("driver", wanted.driver),
                ("conversation", wanted.conversation),
            )
            if value is not None
        }
        if wanted.outcome is not None:
            query["outcome"] = None if wanted.outcome == "open" else wanted.outcome
        if wanted.since is not None:
            query["opened"] = {"$gte": wanted.since}
        found = self._cases.find(query).sort([("opened", DESCENDING), ("_id", DESCENDING)]).limit(wanted.limit)
        return [from_json(row["body"]) async for row in found]

    async def idle_cases(self, before: datetime) -> list[Case]:
        query = {"outcome": None, "handed_over": False, "updated": {"$lt": before}}
        return [from_json(row["body"]) async for row in self._cases.find(query).limit(200)]

    async def add_wait(self, wait: Wait) -> None:
        row = {name: value for name, value in asdict(wait).items() if name != "event"}
        await self._waits.update_one({"_id": wait.event}, {"$setOnInsert": row}, upsert=True)

    async def wait(self, event: str) -> Wait | None:
        row = await self._waits.find_one({"_id": event})
        return None if row is None else Wait(event=row.pop("_id"), **row)

    async def end_wait(self, event: str) -> None:
        await self._waits.update_one({"_id": event}, {"$set": {"over": True}})

    async def end_waits(self, case_id: str, but: Sequence[str] = ()) -> None:
        query = {"case": case_id, "over": False, "_id": {"$nin": list(but)}}
        await self._waits.update_many(query, {"$set": {"over": True}})

    async def add_delivery(self, delivery: Delivery) -> None:
        await self._deliveries.update_one({"_id": delivery.id}, {"$setOnInsert": _delivery(delivery)}, upsert=True)

    async def due_deliveries(self, now: datetime) -> list[Delivery]:
        query = {"state": "waiting", "next_at": {"$lte": now}}
        rows = self._deliveries.find(query).sort("next_at", ASCENDING).limit(20)
        return [Delivery(id=row.pop("_id"), **row) async for row in rows]

    async def save_delivery(self, delivery: Delivery) -> None:
        await self._deliveries.update_one({"_id": delivery.id}, {"$set": _delivery(delivery)}, upsert=True)

    async def remember(self, key: str, answer: Mapping[str, Any], now: datetime) -> None:
        row = {"body": dict(answer), "at": now}
        await self._answers.update_one({"_id": key}, {"$setOnInsert": row}, upsert=True)

    async def recall(self, key: str) -> dict[str, Any] | None:
        found = await self._answers.find_one({"_id": key})
        return None if found is None else dict(found["body"])


def _fields(case: Case) -> Document:
    return {
        "conversation": case.conversation,
        "driver": case.driver,
        "problem": case.problem,
        "charger": case.charger,
        "outcome": case.outcome.value if case.outcome else None,
        "handed_over": case.handed_over_at is not None,
        "opened": case.opened_at,
        "updated": case.updated_at,
        "body": as_json(case),
    }


def _delivery(delivery: Delivery) -> Document:
    return {name: value for name, value in asdict(delivery).items() if name != "id"}
