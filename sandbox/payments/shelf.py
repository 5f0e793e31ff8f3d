"""What the stand-in keeps: Stripe's objects by id, in memory and, where a file is given, in it too, so that a restart forgets nothing."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.payments.errors import missing

Object = dict[str, Any]
_PREFIX = {
    "customer": "cus",
    "payment_method": "pm",
    "payment_intent": "pi",
    "setup_intent": "seti",
    "charge": "ch",
    "refund": "re",
    "checkout.session": "cs_test",
    "event": "evt",
    "answer": "idem",
}


def public(thing: Any) -> Any:
    """A copy as the API shows it: what begins with an underscore is the stand-in's own."""
    if isinstance(thing, dict):
        return {name: public(value) for name, value in thing.items() if not name.startswith("_")}
    return [public(one) for one in thing] if isinstance(thing, list) else thing


class Shelf:
    def __init__(self, path: Path | None = None) -> None:
        self._objects: dict[str, Object] = {}
        self._dirty: set[str] = set()
        self._db: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path)
            self._db.execute("CREATE TABLE IF NOT EXISTS objects (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT")
            for row in self._db.execute("SELECT id, body FROM objects ORDER BY rowid"):
                self._objects[row[0]] = json.loads(row[1])

    def close(self) -> None:
        if self._db is not None:
            self.save()
            self._db.close()
            self._db = None

    def new(self, kind: str, now: int, **fields: Any) -> Object:
        made = {
            "id": f"{_PREFIX[kind]}_{secrets.token_hex(12)}",
            "object": kind,
            "created": now,
            "livemode": False,
            "metadata": {},
            **fields,
        }
        return self.put(made)

    def put(self, thing: Object) -> Object:
        """Keeps it; call again after a change."""
        self._objects[thing["id"]] = thing
        self._dirty.add(thing["id"])
        return thing

    def get(self, kind: str, object_id: str) -> Object:
        """Raises StripeError (404)."""
        found = self._objects.get(object_id)
        if found is None or found["object"] != kind:
            raise missing(kind, object_id)
        return found

    def find(self, object_id: str) -> Object | None:
        return self._objects.get(object_id)

    def all(self, kind: str) -> Iterator[Object]:
        """The newest first."""
        return (one for one in reversed(list(self._objects.values())) if one["object"] == kind)

    def save(self) -> None:
        if self._db is None:
            self._dirty.clear()
            return
        if not self._dirty:
            return
        rows = [(one, json.dumps(body)) for one, body in self._objects.items() if one in self._dirty]
        with self._db:
            self._db.executemany(
                "INSERT INTO objects VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", rows
            )
        self._dirty.clear()
