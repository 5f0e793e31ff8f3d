"""A bridge that follows docs/contracts.md over real HTTP, with chargers that a test sets and starts that end as it says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

Row = dict[str, Any]


def connector(number: int, status: str | None = "Available", **more: Any) -> Row:
    return {
        "connector": number,
        "evse": number,
        "plug": "J1772",
        "max_kw": 7.2,
        "tethered": True,
        "status": status,
        "error_code": None,
        "status_at": "2026-01-01T12:00:00Z",
        "status_age_s": 3.0,
        "status_source": "pushed",
        "session": None,
        **more,
    }


def charger(label: str, *connectors: Row, state: str = "connected", since: str | None = None, **more: Any) -> Row:
    return {
        "id": f"CL-{label}",
        "label": label,
        "site": {"id": "site-1", "name": "Rideau Centre P2"},
        "latitude": 45.42,
        "longitude": -75.69,
        "protocol": "ocpp1.6",
        "connection": {"state": state, "since": since, "last_frame_at": None, "last_frame_age_s": 5.0},
        "boot": {"status": "Accepted", "at": "2026-01-01T11:00:00Z"},
        "status": "Available",
        "error_code": None,
        "connectors": list(connectors) or [connector(1, "Preparing")],
        **more,
    }


def authorization(answer: str, *, own: bool = True, charger: str = "CL-1042", connector: int | None = 1) -> Row:
    return {
        "charger": charger,
        "label": charger.removeprefix("CL-"),
        "connector": connector,
        "own": own,
        "token": "tok_ada" if own else None,
        "token_last4": "AD01" if own else "9999",
        "answer": answer,
        "via": "Authorize",
        "at": "2026-01-01T12:10:00Z",
        "age_s": 30.0,
    }


def session(
    driver: str | None, energy_wh: float | None = None, charger: str = "CL-1042", connector: int = 1, **more: Any
) -> Row:
    return {
        "id": f"ses_{charger}_{connector}",
        "charger": charger,
        "connector": connector,
        "started_at": "2026-01-01T11:42:00Z",
        "driver": driver,
        "state": "active",
        "energy_wh": energy_wh,
        "power_w": 7000,
        **more,
    }


def watch_id(body: Row) -> str:
    """The same watch again has the same id; another test's has another."""
    return "wat_" + str(body["idempotency_key"]).replace(":", "_")


class FakeBridge:
    """`ends` are the changes to a command that the next starts end with; an unfinished one stays open until `finish`."""

    def __init__(self, *chargers: Row) -> None:
        self.chargers = {row["id"]: row for row in chargers}
        self.tokens: dict[str, list[Row]] = {
            "drv-ada": [{"id": "tok_ada", "last4": "AD01", "driver": "drv-ada", "status": "Accepted", "guest": False}]
        }
        self.guests = True
        self.ends: list[Row] = []
        self.commands: dict[str, Row] = {}
        self.bodies: dict[str, Row] = {}
        self.watches: list[Row] = []
        self.calls: list[str] = []
        self.unavailable = 0  # answers 503 that many times
        self.ended: list[Row] = []  # sessions that are over, the newest first
        self.authorizations: list[Row] = []
        self.causes: list[str] = []
        self.hold: str | None = None
        self.gone: list[str] = []
        self.free: list[str] = []
        self.around: list[str] = []  # what a search for all chargers around a place finds
        self.sites: list[Row] = []
        self.watching = True
        self.meter: Row = {}  # what the running session is told to have once the charger is asked for its meter
        self.back: Row | None = None  # what a charger that is expected back is once it was waited for
        self.triggers: list[tuple[str, str, int | None]] = []

    def finish(self, command_id: str, **end: Any) -> None:
        self.commands[command_id] |= {"finished": True, **end}

    def answer(self, method: str, path: str, query: Row, body: Row) -> tuple[int, Row]:
        self.calls.append(f"{method} {path}")
        if path == "/healthz":
            return 200, {"status": "ok"}
        if self.unavailable:
            self.unavailable -= 1
            return 503, {"type": "urn:chargeline:not-ready", "detail": "not yet"}
        parts = path.strip("/").split("/")[1:]
        if parts[0] == "chargers":
            return self._chargers(method, parts[1:], query, body)
        if parts[0] == "sites":
            return 200, {"sites": self.sites}
        if parts[0] == "sessions":
            running = [one["session"] for row in self.chargers.values() for one in row["connectors"] if one["session"]]
            found = self.ended if query.get("state") == "ended" else running
            return 200, {"sessions": [one for one in found if one["driver"] == query.get("driver")]}
        if parts[0] == "authorizations":
            rows = [one for one in self.authorizations if one["own"] and query.get("driver") == "drv-ada"]
            return 200, {"authorizations": rows}
        if parts[0] == "tokens":
            return 200, {"tokens": self.tokens.get(query.get("driver", ""), [])}
        if parts[0] == "guest-tokens":
            if not self.guests:
                return 403, {"type": "urn:chargeline:no-free-energy", "detail": "guests do not charge here"}
            return 200, {"id": "tok_g", "last4": "G001", "driver": body["driver"], "status": "Accepted", "guest": True}
        if parts[0] == "commands":
            found = self.commands.get(parts[1])
            return (200, found) if found else (404, {"type": "urn:chargeline:unknown-command", "detail": ""})
        if parts[0] == "watches":
            if not self.watching:
                return 429, {"type": "urn:chargeline:too-many-watches", "detail": "too many"}
            if body["idempotency_key"] not in [earlier["idempotency_key"] for earlier in self.watches]:
                self.watches.append(body)
            return 201, {"id": watch_id(body)}
        return 404, {"type": "urn:chargeline:not-found", "detail": path}

    def _chargers(self, method: str, parts: list[str], query: Row, body: Row) -> tuple[int, Row]:
        if not parts:
            if query.get("lately") == "true":
                return 200, {"chargers": [self.chargers[one] for one in self.around]}
            code = _folded(query.get("code", ""))
            rows = self.chargers.values()
            fitting = [row for row in rows if _folded(row["id"]).endswith(code) or _folded(row["label"]).endswith(code)]
            return 200, {"chargers": fitting}
        row = self.chargers.get(parts[0])
        if row is None:
            return 404, {"type": "urn:chargeline:unknown-charger", "detail": parts[0]}
        if parts[1:] == ["commands"]:
            return self._command(row, body)
        if parts[1:] == ["refresh"] and self.back is not None:
            row = self.chargers[parts[0]] = self.back
        if parts[1:] == ["diagnosis"]:
            return 200, self._diagnosis(row, query)
        return 200, row

    def _diagnosis(self, row: Row, query: Row) -> Row:
        """docs/contracts.md, Diagnosis: the charger lies flat in it; the connector is picked where none is given."""
        numbers = [one["connector"] for one in row["connectors"]]
        waiting = [one["connector"] for one in row["connectors"] if one["status"] == "Preparing"]
        picked = numbers[0] if len(numbers) == 1 else (waiting[0] if len(waiting) == 1 else None)
        number = int(query["connector"]) if "connector" in query else picked
        here = next((one["session"] for one in row["connectors"] if one["connector"] == number), None)
        elsewhere = [
            one["session"]
            for other in self.chargers.values()
            if other["id"] != row["id"]
            for one in other["connectors"]
            if one["session"] and one["session"]["driver"] == query.get("driver")
        ]
        own = bool(here and here["driver"] == query.get("driver"))
        return {
            **{name: value for name, value in row.items() if name not in ("id", "connection")},
            "charger": row["id"],
            "connectivity": row["connection"],
            "connector": number,
            "session": {**here, "own": own} if here else None,
            "own_sessions_elsewhere": elsewhere,
            "authorizations": self.authorizations,
            "commands": [
                {
                    **one,
                    "own": one["actor"].get("driver") == query.get("driver"),
                    "created_at": f"2026-01-01T12:00:{n:02}Z",
                }
                for n, one in enumerate(self.commands.values())
                if one["charger"] == row["id"]
            ],
            "hold": {"reason": self.hold, "at": None} if self.hold else None,
            "site": {"id": "site-1", "name": "Rideau Centre P2", "chargers": 2, "gone": self.gone, "free": self.free},
            "causes": [{"cause": name, "confidence": 0.9, "evidence": []} for name in self.causes],
        }

    def _command(self, row: Row, body: Row) -> tuple[int, Row]:
        key = body["idempotency_key"]
        if body["action"] == "trigger":
            return self._trigger(row, body)
        for command in self.commands.values():
            if command["idempotency_key"] == key:
                if self.bodies[key] != body:
                    return 409, {"type": "urn:chargeline:key-reused", "detail": key}
                return (200 if command["finished"] else 202), command
        end = self.ends.pop(0) if self.ends else {"state": "verified", "outcome": "verified"}
        command = {
            "id": f"cmd_{len(self.commands) + 1}",
            "action": body["action"],
            "charger": row["id"],
            "connector": body.get("connector"),
            "state": "answered",
            "outcome": None,
            "finished": True,
            "refused": None,
            "session": body.get("session"),
            "effect": {"status": "Charging", "energy_wh": 12},
            "idempotency_key": key,
            "reason": body["reason"],
            "actor": body["actor"],
            **{name: value for name, value in end.items() if not name.startswith("then")},
        }
        self.commands[command["id"]] = command
        self.bodies[key] = deepcopy(body)
        row["connection"] = end.get("then_connection", row["connection"])
        for name, value in end.get("then", {}).items():  # what the charger is like afterwards
            row["connectors"][0][name] = value
        if command["action"] == "stop" and command["state"] == "verified":
            self._end_session(body["session"])
        return (200 if command["finished"] else 202), command

    def _trigger(self, row: Row, body: Row) -> tuple[int, Row]:
        """The charger is asked for a message: what it then tells of its meter is in the session."""
        self.triggers.append((row["id"], body["message"], body.get("connector")))
        for one in row["connectors"]:
            if one["session"] and one["connector"] == body.get("connector"):
                one["session"] |= self.meter
        state = "verified" if self.meter else "rejected"
        shown = {"id": f"cmd_t{len(self.triggers)}", "action": "trigger", "charger": row["id"], "state": state}
        return 200, {**shown, "finished": True, "idempotency_key": body["idempotency_key"], "actor": body["actor"]}

    def _end_session(self, session_id: str) -> None:
        for row in self.chargers.values():
            for one in row["connectors"]:
                if one["session"] and one["session"]["id"] == session_id:
                    self.ended.insert(0, {**one["session"], "state": "ended", "ended_at": "2026-01-01T12:12:00Z"})
                    one["session"], one["status"] = None, "Finishing"

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serves on a free port of the loopback; gives its URL."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            method, target, _ = (await reader.readline()).decode().split(" ")
            length = 0
            while (line := (await reader.readline()).decode().strip()) != "":
                name, _, value = line.partition(":")
                length = int(value) if name.lower() == "content-length" else length
            body = json.loads(await reader.readexactly(length)) if length else {}
            path, _, query = target.partition("?")
            pairs = dict(pair.split("=", 1) for pair in query.split("&") if pair)
            status, answer = self.answer(method, path, pairs, body)
            raw = json.dumps(answer).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n".encode()
                + raw
            )
            await writer.drain()
        finally:
            writer.close()


def _folded(code: str) -> str:
    return code.upper().replace("-", "").replace(" ", "").replace("%20", "").translate(str.maketrans("OIL", "011"))
