"""Rasa's conversations in MongoDB: one document a turn, so that a turn is stored whole or not at all, without transactions.

Events are kept as JSON text: slot values may have any keys, and nothing searches in them.
"""

from __future__ import annotations

import json
from typing import Any, List, Optional, Text, Tuple

from pymongo import ASCENDING, DESCENDING, MongoClient, WriteConcern
from pymongo.errors import DuplicateKeyError
from rasa.shared.core.domain import Domain

from bot.nlu.tracker_store import BoundedTrackerStore, Row, TurnOverlap

COLLECTION = "rasa_turns"


class MongoTrackerStore(BoundedTrackerStore):
    """`host` is the MongoDB URL, `db` the database. A write counts once a majority has it in its journal."""

    def __init__(
        self,
        domain: Optional[Domain] = None,
        event_broker: Any = None,
        db: Text = "chargeline",
        host: Optional[Text] = None,
        answer_within_s: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(domain, event_broker, **kwargs)
        self._client: MongoClient = MongoClient(host, serverSelectionTimeoutMS=int(answer_within_s * 1000))
        self._turns = self._client[db].get_collection(COLLECTION, write_concern=WriteConcern(w="majority", j=True))
        self._indexed = False

    def read(self, sender_id: Text, limit: Optional[int]) -> Optional[Tuple[List[Row], Row, int]]:
        turns = []
        found = 0
        with self._turns.find({"sender": sender_id}, batch_size=16).sort("first", DESCENDING) as cursor:
            for turn in cursor:
                turns.append(turn)
                found += turn["count"]
                if limit is not None and found >= limit:
                    break
        if not turns:
            return None
        events = [event for turn in reversed(turns) for event in json.loads(turn["events"])]
        newest = turns[0]
        return events, json.loads(newest["state"]), newest["first"] + newest["count"]

    def append(self, sender_id: Text, fresh: List[Row], state: Row, stored: int) -> None:
        if not fresh:
            return
        if not self._indexed:
            self._turns.create_index([("sender", ASCENDING), ("first", DESCENDING)], unique=True)
            self._indexed = True
        turn = {
            "_id": f"{sender_id}:{stored}",
            "sender": sender_id,
            "first": stored,
            "count": len(fresh),
            "at": fresh[-1].get("timestamp"),
            "events": json.dumps(fresh),
            "state": json.dumps(state),
        }
        try:
            self._turns.insert_one(turn)
        except DuplicateKeyError as error:
            raise TurnOverlap(f"another turn begins after event {stored} too") from error

    def sender_ids(self) -> List[Text]:
        return list(self._turns.distinct("sender"))

    def end(self) -> None:
        self._client.close()
