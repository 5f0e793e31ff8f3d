"""The stand-in keeps what the stores rely on: unique indexes, datetimes with their zone, atomic claims."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chargeline.mongo import Database, DuplicateKeyError, ReturnDocument
from tests.stores.fixtures import mongo_database, mongo_stand_in, mongo_url

__all__ = ["mongo_database", "mongo_stand_in", "mongo_url"]


async def test_a_unique_index_refuses_the_second_row(mongo_database: Database) -> None:
    things = mongo_database["things"]
    await things.create_index("key", unique=True)
    await things.insert_one({"key": "a"})
    with pytest.raises(DuplicateKeyError):
        await things.insert_one({"key": "a"})


async def test_datetimes_come_back_aware_and_utc(mongo_database: Database) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    await mongo_database["things"].insert_one({"_id": 1, "at": moment})
    found = await mongo_database["things"].find_one({"_id": 1})
    assert found is not None
    assert found["at"] == moment


async def test_find_one_and_update_counts_atomically(mongo_database: Database) -> None:
    for expected in (1, 2, 3):
        row = await mongo_database["counters"].find_one_and_update(
            {"_id": "n"}, {"$inc": {"value": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        assert row is not None
        assert row["value"] == expected
