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
        "protocol": "ocpp1.6",
        "connection": {"state": state, "since": since, "last_frame_at": None, "last_frame_age_s": None},
        "boot": {"status": "Accepted", "at": "2026-01-01T11:00:00Z"},
        "status": "Available",
        "error_code": None,
        "connectors": list(connectors) or [connector(1, "Preparing")],
        **more,
    }


def session(driver: str | None, energy_wh: float | None = None, charger: str = "CL-1042") -> Row:
    return {
        "id": "ses_1",
        "charger": charger,
        "driver": driver,
        "state": "active",
        "energy_wh": energy_wh,
        "power_w": 7000,
    }


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
        if parts[0] == "sessions":
            running = [one["session"] for row in self.chargers.values() for one in row["connectors"] if one["session"]]
            return 200, {"sessions": [one for one in running if one["driver"] == query.get("driver")]}
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
            self.watches.append(body)
            return 201, {"id": f"wat_{len(self.watches)}"}
        return 404, {"type": "urn:chargeline:not-found", "detail": path}

    def _chargers(self, method: str, parts: list[str], query: Row, body: Row) -> tuple[int, Row]:
        if not parts:
            code = _folded(query.get("code", ""))
            rows = self.chargers.values()
            fitting = [row for row in rows if _folded(row["id"]).endswith(code) or _folded(row["label"]).endswith(code)]
            return 200, {"chargers": fitting}
        row = self.chargers.get(parts[0])
        if row is None:
            return 404, {"type": "urn:chargeline:unknown-charger", "detail": parts[0]}
        if parts[1:] == ["commands"]:
            return self._command(row, body)
        return 200, row

    def _command(self, row: Row, body: Row) -> tuple[int, Row]:
        key = body["idempotency_key"]
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
            "connector": body["connector"],
            "state": "answered",
            "outcome": None,
            "finished": True,
            "refused": None,
            "session": None,
            "effect": {"status": "Charging", "energy_wh": 12},
            "idempotency_key": key,
            "reason": body["reason"],
            "actor": body["actor"],
            **{name: value for name, value in end.items() if name != "then"},
        }
        self.commands[command["id"]] = command
        self.bodies[key] = deepcopy(body)
        for name, value in end.get("then", {}).items():  # what the charger is like afterwards
            row["connectors"][0][name] = value
        return (200 if command["finished"] else 202), command

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
