"""BotStore in MongoDB, one document an item and one a transcript line with its delivery, so that no write needs two documents.

Numbers and sequence numbers are the highest plus one under a unique index: a reader never sees one before the one
below it, so resuming by sequence number misses nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection as Values
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from bot.store.base import Backlog
from bot.store.model import (
    Channel,
    Consent,
    Conversation,
    Delivery,
    Entry,
    Item,
    Kind,
    Lane,
    Media,
    NewEntry,
    NewItem,
    Option,
    Place,
    Seen,
    Sending,
    driver_entry,
    is_news,
)
from chargeline.mongo import (
    ASCENDING,
    DESCENDING,
    Collection,
    Database,
    Document,
    DuplicateKeyError,
    ReturnDocument,
    aggregate,
)

_OPEN = [Sending.QUEUED.value, Sending.SENDING.value]


def _conversation(found: Document) -> Conversation:
    return Conversation(
        id=found["_id"],
        channel=Channel(found["channel"]),
        address=found["address"],
        created_at=found["created_at"],
        charger_hint=found.get("charger_hint"),
        connector_hint=found.get("connector_hint"),
        language=found.get("language"),
        case=found.get("case"),
        hazard_until=found.get("hazard_until"),
        user=found.get("user"),
        phone=found.get("phone"),
    )


def _item(found: Document) -> Item:
    fields = {key: value for key, value in found.items() if key not in {"_id", "understood"}}
    kind, lane = Kind(found["kind"]), Lane(found.get("lane", Lane.TALK))  # items of the first release have no lane
    place = found.get("place")
    fields["media"] = tuple(Media(**one) for one in found.get("media", ()))
    fields["place"] = None if place is None else Place(**place)
    fields["joined"] = tuple(found.get("joined", ()))
    return Item(id=found["_id"], **{**fields, "kind": kind, "lane": lane})


def _entry(found: Document) -> Entry:
    delivery = found.get("delivery")
    fields = {key: value for key, value in found.items() if key != "_id"}
    fields["turn_kind"] = Kind(found["turn_kind"])
    fields["options"] = tuple(Option(**option) for option in found["options"])
    fields["delivery"] = None if delivery is None else Delivery(**{**delivery, "state": Sending(delivery["state"])})
    return Entry(id=found["_id"], **fields)


def _delivery(delivery: Delivery) -> Document:
    return {
        "body": delivery.body,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "next_at": delivery.next_at,
        "claimed_at": delivery.claimed_at,
        "sid": delivery.sid,
        "error": delivery.error,
        "exempt": delivery.exempt,
        "language": delivery.language,
        "status": delivery.status,
        "again": delivery.again,
    }


class MongoStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._conversations: Collection = database["bot_conversations"]
        self._inbox: Collection = database["bot_inbox"]
        self._entries: Collection = database["bot_entries"]
        self._consent: Collection = database["bot_consent"]

    async def open(self) -> None:
        await self._conversations.create_index([("channel", ASCENDING), ("address", ASCENDING)], unique=True)
        for name in ("user", "phone"):
            await self._conversations.create_index([("channel", ASCENDING), (name, ASCENDING)])
        await self._inbox.create_index([("source", ASCENDING)], unique=True)
        await self._inbox.create_index([("conversation", ASCENDING), ("number", ASCENDING)], unique=True)
        await self._inbox.create_index([("done", ASCENDING), ("conversation", ASCENDING)])
        await self._entries.create_index([("conversation", ASCENDING), ("seq", ASCENDING)], unique=True)
        await self._entries.create_index([("delivery.state", ASCENDING), ("conversation", ASCENDING)])
        await self._entries.create_index([("delivery.sid", ASCENDING)])
        await self._entries.create_index([("created_at", ASCENDING), ("_id", ASCENDING)])
        await self._consent.create_index([("source", ASCENDING)], unique=True)
        await self._consent.create_index(
            [("channel", ASCENDING), ("address", ASCENDING), ("number", ASCENDING)], unique=True
        )

    async def close(self) -> None:
        await self._database.close()

    async def check(self) -> None:
        await self._database.ping()

    async def conversation_for(self, channel: Channel, address: str, new_id: str, now: datetime) -> Conversation:
        where = {"channel": channel.value, "address": address}
        found = await self._conversations.find_one(where)
        if found is None:
            # Where another request of the same address was first, its row is the one to use.
            with contextlib.suppress(DuplicateKeyError):
                await self._conversations.insert_one({"_id": new_id, **where, "created_at": now})
            found = await self._conversations.find_one(where)
        assert found is not None
        return _conversation(found)

    async def person(
        self, channel: Channel, user: str | None, phone: str | None, new_id: str, now: datetime
    ) -> Conversation:
        here = {"channel": channel.value}
        found = await self._conversations.find_one({**here, "user": user}) if user else None
        if found is None and phone:
            found = await self._conversations.find_one({**here, "phone": phone})
            if found is not None and user and found.get("user") is not None:
                found = None  # the number has gone to somebody else
        if phone and (found is None or found.get("phone") != phone):
            await self._conversations.update_one({**here, "phone": phone}, {"$set": {"phone": None}})
        if found is None:
            # The address is unique: of two requests at once the second finds the first one's conversation.
            address = user or phone
            assert address is not None
            document = {"_id": new_id, **here, "address": address, "user": user, "phone": phone, "created_at": now}
            try:
                await self._conversations.insert_one(document)
            except DuplicateKeyError:
                held = await self._conversations.find_one({**here, "address": address})
                if held is not None and (held.get("user") == user or held.get("phone") == phone):
                    return _conversation(held)
                document["address"] = new_id  # the address is the number of somebody who had it before
                await self._conversations.insert_one(document)
            return _conversation(document)
        change = {
            name: value for name, value in (("user", user), ("phone", phone)) if value and found.get(name) != value
        }
        if change:
            await self._conversations.update_one({"_id": found["_id"]}, {"$set": change})
        return _conversation({**found, **change})

    async def conversation(self, conversation_id: str) -> Conversation | None:
        found = await self._conversations.find_one({"_id": conversation_id})
        return None if found is None else _conversation(found)

    async def set_hints(self, conversation_id: str, charger: str | None, connector: int | None) -> None:
        await self._conversations.update_one(
            {"_id": conversation_id}, {"$set": {"charger_hint": charger, "connector_hint": connector}}
        )

    async def set_language(self, conversation_id: str, language: str) -> None:
        await self._set(conversation_id, "language", language)

    async def set_case(self, conversation_id: str, case: str | None) -> None:
        await self._set(conversation_id, "case", case)

    async def set_hazard_until(self, conversation_id: str, until: datetime | None) -> None:
        await self._set(conversation_id, "hazard_until", until)

    async def _set(self, conversation_id: str, field: str, value: str | datetime | None) -> None:
        await self._conversations.update_one({"_id": conversation_id}, {"$set": {field: value}})

    async def accept(self, item: NewItem) -> tuple[Item, bool]:
        document: Document = {
            "_id": item.id,
            "conversation": item.conversation,
            "source": item.source,
            "kind": item.kind.value,
            "text": item.text,
            "received_at": item.received_at,
            "shown": item.shown,
            "client_id": item.client_id,
            "lane": item.lane.value,
            "media": [asdict(one) for one in item.media],
            "place": None if item.place is None else asdict(item.place),
            "done": False,
            "outcome": None,
            "asked_at": None,
            "asked_text": None,
            "failures": 0,
        }
        known = await self._inbox.find_one({"source": item.source})
        while known is None:
            document["number"] = await _highest(self._inbox, {"conversation": item.conversation}, "number") + 1
            try:
                await self._inbox.insert_one(document)
            except DuplicateKeyError:
                known = await self._inbox.find_one({"source": item.source})  # None: only the number was taken
            else:
                stored = _item(document)
                await self._ensure_shown(stored)
                return stored, True
        return _item(known), False

    async def _ensure_shown(self, item: Item) -> None:
        shown = driver_entry(item)
        if shown is not None:
            await self.add_entry(shown)

    async def waiting(self, limit: int, exclude: Values[str], lane: Lane = Lane.TALK) -> list[str]:
        rows = await aggregate(
            self._inbox,
            [
                {"$match": {"done": False, "lane": _in_lane(lane), "conversation": {"$nin": list(exclude)}}},
                {"$group": {"_id": "$conversation", "since": {"$min": "$received_at"}}},
                {"$sort": {"since": 1}},
                {"$limit": limit},
            ],
        )
        return [row["_id"] for row in rows]

    async def next_item(self, conversation_id: str, lane: Lane = Lane.TALK) -> Item | None:
        found = await self._inbox.find_one(
            {"conversation": conversation_id, "done": False, "lane": _in_lane(lane)}, sort=[("number", ASCENDING)]
        )
        if found is None:
            return None
        item = _item(found)
        await self._ensure_shown(item)  # a crash may have come between the item and its transcript line
        return item

    async def open_items(self, conversation_id: str, limit: int) -> list[Item]:
        where = {"conversation": conversation_id, "done": False, "lane": _in_lane(Lane.TALK)}
        return [_item(found) async for found in self._inbox.find(where).sort("number", ASCENDING).limit(limit)]

    async def join(self, item_id: str, followers: Values[str], text: str) -> None:
        # The first write decides; a process killed before the others leaves followers that end when this item does.
        await self._inbox.update_one({"_id": item_id}, {"$set": {"asked_text": text, "joined": list(followers)}})
        for follower in followers:
            await self.finish(follower, "joined")

    async def last_heard(self, conversation_id: str) -> datetime | None:
        found = await self._inbox.find_one(
            {"conversation": conversation_id, "kind": {"$ne": Kind.EVENT.value}}, sort=[("number", DESCENDING)]
        )
        return None if found is None else found["received_at"]

    async def waiting_in(self, conversation_id: str) -> int:
        return await self._inbox.count_documents(
            {"conversation": conversation_id, "done": False, "lane": {"$ne": Lane.DESK.value}}
        )

    async def move(self, item_id: str, lane: Lane) -> None:
        await self._inbox.update_one({"_id": item_id}, {"$set": {"lane": lane.value}})

    async def rewrite(self, texts: Mapping[str, str]) -> None:
        for item, text in texts.items():
            await self._inbox.update_one({"_id": item}, {"$set": {"text": text}})
            for field in ("shown", "asked_text"):
                await self._inbox.update_one({"_id": item, field: {"$ne": None}}, {"$set": {field: text}})
            await self._entries.update_one({"_id": item}, {"$set": {"text": text}})

    async def mark_asked(self, item_id: str, text: str, at: datetime) -> None:
        await self._inbox.update_one({"_id": item_id}, {"$set": {"asked_at": at, "asked_text": text}})

    async def add_failure(self, item_id: str) -> int:
        found = await self._inbox.find_one_and_update(
            {"_id": item_id}, {"$inc": {"failures": 1}}, return_document=ReturnDocument.AFTER
        )
        return 0 if found is None else int(found["failures"])

    async def finish(self, item_id: str, outcome: str) -> None:
        await self._inbox.update_one({"_id": item_id}, {"$set": {"done": True, "outcome": outcome}})

    async def note_understood(self, item_id: str, understood: dict[str, Any]) -> None:
        await self._inbox.update_one({"_id": item_id}, {"$set": {"understood": understood}})

    async def seen(self, since: datetime, before: tuple[datetime, str] | None, limit: int) -> list[Seen]:
        where: Document = {"created_at": {"$gte": since}}
        if before is not None:
            at, last = before
            where = {"$and": [where, {"$or": [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": last}}]}]}
        order = [("created_at", DESCENDING), ("_id", DESCENDING)]
        entries = [_entry(found) async for found in self._entries.find(where).sort(order).limit(limit)]
        names = [entry.id for entry in entries]
        items = {found["_id"]: found async for found in self._inbox.find({"_id": {"$in": names}})}
        return [
            Seen(entry, items.get(entry.id, {}).get("understood"), items.get(entry.id, {}).get("asked_text"))
            for entry in entries
        ]

    async def add_entry(self, entry: NewEntry) -> Entry:
        document: Document = {
            "_id": entry.id,
            "conversation": entry.conversation,
            "author": entry.author,
            "turn": entry.turn,
            "turn_kind": entry.turn_kind.value,
            "text": entry.text,
            "created_at": entry.created_at,
            "options": [{"title": option.title, "payload": option.payload} for option in entry.options],
            "custom": entry.custom,
            "own": entry.own,
            "client_id": entry.client_id,
            "delivery": None if entry.delivery is None else _delivery(entry.delivery),
        }
        known = await self._entries.find_one({"_id": entry.id})
        while known is None:
            document["seq"] = await _highest(self._entries, {"conversation": entry.conversation}, "seq") + 1
            try:
                await self._entries.insert_one(document)
            except DuplicateKeyError:
                known = await self._entries.find_one({"_id": entry.id})
            else:
                known = document
        return _entry(known)

    async def entry(self, entry_id: str) -> Entry | None:
        found = await self._entries.find_one({"_id": entry_id})
        return None if found is None else _entry(found)

    async def entries(self, conversation_id: str, after: int, limit: int) -> list[Entry]:
        cursor = self._entries.find({"conversation": conversation_id, "seq": {"$gt": after}})
        return [_entry(found) async for found in cursor.sort("seq", ASCENDING).limit(limit)]

    async def latest_entries(self, conversation_id: str, limit: int) -> list[Entry]:
        cursor = self._entries.find({"conversation": conversation_id})
        return [_entry(found) async for found in cursor.sort("seq", DESCENDING).limit(limit)]

    async def undelivered(self, limit: int, exclude: Values[str]) -> list[str]:
        rows = await aggregate(
            self._entries,
            [
                {"$match": {"delivery.state": {"$in": _OPEN}, "conversation": {"$nin": list(exclude)}}},
                {"$group": {"_id": "$conversation", "since": {"$min": "$created_at"}}},
                {"$sort": {"since": 1}},
                {"$limit": limit},
            ],
        )
        return [row["_id"] for row in rows]

    async def next_delivery(self, conversation_id: str) -> Entry | None:
        found = await self._entries.find_one(
            {"conversation": conversation_id, "delivery.state": {"$in": _OPEN}}, sort=[("seq", ASCENDING)]
        )
        return None if found is None else _entry(found)

    async def claim_delivery(self, entry_id: str, at: datetime) -> bool:
        result = await self._entries.update_one(
            {"_id": entry_id, "delivery.state": Sending.QUEUED.value},
            {
                "$set": {"delivery.state": Sending.SENDING.value, "delivery.claimed_at": at},
                "$inc": {"delivery.attempts": 1},
            },
        )
        return result.modified_count == 1

    async def set_delivery(self, entry_id: str, delivery: Delivery) -> None:
        fields = {f"delivery.{name}": value for name, value in _delivery(delivery).items() if name != "status"}
        where = {"_id": entry_id, "delivery.state": {"$in": _OPEN}}
        same = {**where, "delivery.sid": delivery.sid}
        if (await self._entries.update_one(same, {"$set": fields})).matched_count == 0:
            await self._entries.update_one(where, {"$set": {**fields, "delivery.status": delivery.status}})

    async def note_status(self, entry_id: str | None, sid: str, status: str, error: str | None) -> Entry | None:
        found = await self._entries.find_one({"delivery.sid": sid} if entry_id is None else {"_id": entry_id})
        if found is None or found.get("delivery") is None:
            return None
        delivery = found["delivery"]
        sending = delivery["state"] == Sending.SENDING.value
        if delivery["sid"] == sid:
            if not is_news(delivery.get("status"), status):
                return None
        elif not sending:
            return None
        change = {"delivery.status": status, "delivery.sid": sid}
        if sending:
            change["delivery.state"] = Sending.SENT.value
        if error is not None:
            change["delivery.error"] = error
        # Only where nothing changed since it was read; else the newer state is looked at anew.
        as_read = {f"delivery.{name}": delivery.get(name) for name in ("state", "sid", "status")}
        result = await self._entries.update_one({"_id": found["_id"], **as_read}, {"$set": change})
        if result.matched_count == 0:
            return await self.note_status(entry_id, sid, status, error)
        return await self.entry(found["_id"])

    async def send_again(self, entry_id: str, at: datetime) -> bool:
        result = await self._entries.update_one(
            {"_id": entry_id, "delivery.state": Sending.SENT.value, "delivery.again": {"$in": [0, None]}},
            {"$set": {"delivery.state": Sending.QUEUED.value, "delivery.next_at": at, "delivery.again": 1}},
        )
        return result.modified_count == 1

    async def known_sids(self, sids: Values[str]) -> set[str]:
        cursor = self._entries.find({"delivery.sid": {"$in": list(sids)}})
        return {found["delivery"]["sid"] async for found in cursor}

    async def record_consent(self, row: Consent) -> bool:
        where = {"channel": row.channel.value, "address": row.address}
        document: Document = {
            **where,
            "source": row.source,
            "opted_out": row.opted_out,
            "words": row.words,
            "at": row.at,
        }
        while await self._consent.find_one({"source": row.source}) is None:
            document.pop("_id", None)
            document["number"] = await _highest(self._consent, where, "number") + 1
            try:
                await self._consent.insert_one(document)
            except DuplicateKeyError:
                continue  # the source is known by now, or only the number was taken: the loop tells
            return True
        return False

    async def consents(self, channel: Channel, address: str) -> list[Consent]:
        cursor = self._consent.find({"channel": channel.value, "address": address}).sort("number", ASCENDING)
        return [
            Consent(
                source=found["source"],
                channel=Channel(found["channel"]),
                address=found["address"],
                opted_out=bool(found["opted_out"]),
                words=found["words"],
                at=found["at"],
            )
            async for found in cursor
        ]

    async def opted_out(self, channel: Channel, address: str) -> bool:
        found = await self._consent.find_one(
            {"channel": channel.value, "address": address}, sort=[("number", DESCENDING)]
        )
        return found is not None and bool(found["opted_out"])

    async def backlog(self) -> Backlog:
        return Backlog(
            items=await self._inbox.count_documents({"done": False}),
            deliveries=await self._entries.count_documents({"delivery.state": {"$in": _OPEN}}),
        )


def _in_lane(lane: Lane) -> Document:
    """Items of the first release have no lane; they are the dialogue's."""
    return {"$in": [lane.value, None]} if lane is Lane.TALK else {"$eq": lane.value}


async def _highest(collection: Collection, where: dict[str, Any], field: str) -> int:
    found = await collection.find_one(where, sort=[(field, DESCENDING)])
    return 0 if found is None else int(found[field])
