"""The only module that imports motor. Motor is near its end of life; moving to PyMongo's own async client changes this file.

Owners' stores get a `Database` from `connect` and use motor's collection methods on it; `aggregate` and `watch` go
through the helpers here, because their calling convention differs between the two clients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import ASCENDING, DESCENDING, GEOSPHERE, ReturnDocument, WriteConcern
from pymongo.errors import DuplicateKeyError, PyMongoError

Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "GEOSPHERE",
    "Collection",
    "Database",
    "Document",
    "DuplicateKeyError",
    "PyMongoError",
    "ReturnDocument",
    "aggregate",
    "connect",
]


class Database:
    """One database, every write acknowledged by a majority and journaled: money and sessions depend on it."""

    def __init__(self, client: AsyncIOMotorClient[Document], name: str) -> None:
        self._client = client
        self._database: AsyncIOMotorDatabase[Document] = client.get_database(
            name, write_concern=WriteConcern(w="majority", j=True)
        )

    def __getitem__(self, collection: str) -> Collection:
        return self._database[collection]

    async def drop(self) -> None:
        await self._client.drop_database(self._database.name)

    async def ping(self) -> None:
        """Raises PyMongoError where the server cannot be reached."""
        await self._database.command("ping")

    async def close(self) -> None:
        self._client.close()


def connect(url: str, name: str, *, server_selection_timeout_s: float = 5.0) -> Database:
    """Does not connect yet; the first call does. `tz_aware`: datetimes come back aware and UTC."""
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        url, tz_aware=True, serverSelectionTimeoutMS=int(server_selection_timeout_s * 1000)
    )
    return Database(client, name)


async def aggregate(collection: Collection, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
    return [document async for document in collection.aggregate(list(pipeline))]
