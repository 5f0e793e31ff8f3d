"""The bridge's HTTP API as the action server uses it: typed results, named errors, patience while the bridge restarts.

Every call here is safe to repeat (reads, and posts with an idempotency key), so each is repeated with back-off while the bridge
cannot be reached. What the answers mean for a driver is the playbooks' part.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import httpx
import structlog

from actions.bridge import (
    Actor,
    BridgeAnswerInvalid,
    BridgeAway,
    BridgeRefused,
    Charger,
    Command,
    Connector,
    Session,
    Token,
)
from chargeline.clock import Clock

log = structlog.get_logger(__name__)

KEEP_TRYING_S = 45.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 3.0
_AWAY = frozenset({502, 503, 504})


class BridgeClient:
    """One pooled connection to the bridge; `close` it at the end. Times are seconds of `clock`."""

    def __init__(
        self,
        url: str,
        key: str,
        clock: Clock,
        *,
        keep_trying_s: float = KEEP_TRYING_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"})
        self._clock = clock
        self._keep_trying_s = keep_trying_s
        self._jitter = jitter

    async def close(self) -> None:
        await self._http.aclose()

    async def ready(self) -> bool:
        """Whether the bridge answers right now, asked once."""
        try:
            return (await self._http.get("/healthz", timeout=2)).status_code == 200
        except httpx.HTTPError:
            return False

    async def find_chargers(self, code: str) -> list[Charger]:
        """Chargers that a driver may mean by `code`. Raises BridgeError."""
        found = await self._call("GET", "/v1/chargers", params={"code": code, "limit": 6})
        return [_charger(row) for row in _list(found, "chargers")]

    async def charger(self, charger_id: str) -> Charger:
        """Raises BridgeRefused (404) for an id that the bridge does not know."""
        return _charger(await self._call("GET", f"/v1/chargers/{_path(charger_id)}"))

    async def refreshed(self, charger_id: str, connector: int | None, max_age_s: float = 60.0) -> Charger:
        """The charger with a status no older than `max_age_s`, where it answers in time."""
        body: dict[str, Any] = {"max_age_s": max_age_s}
        if connector is not None:
            body["connector"] = connector
        return _charger(
            await self._call("POST", f"/v1/chargers/{_path(charger_id)}/refresh", json=body, answer_within_s=20)
        )

    async def running_sessions(self, driver: str) -> list[Session]:
        """The driver's sessions that have not ended, on whatever charger."""
        found = await self._call("GET", "/v1/sessions", params={"driver": driver, "state": "active"})
        return [_session(row) for row in _list(found, "sessions")]

    async def tokens(self, driver: str) -> list[Token]:
        found = await self._call("GET", "/v1/tokens", params={"driver": driver})
        return [_token(row) for row in _list(found, "tokens")]

    async def guest_token(self, driver: str) -> Token:
        """The driver's guest token; raises BridgeRefused (403, no-free-energy) where the operator gives none."""
        return _token(await self._call("POST", "/v1/guest-tokens", json={"driver": driver}))

    async def start(
        self, charger_id: str, connector: int, token: str, *, actor: Actor, reason: str, key: str, wait_s: float
    ) -> Command:
        """Asks for a session and waits up to `wait_s` for its end; the same `key` never starts twice."""
        body = {
            "action": "start",
            "connector": connector,
            "token": token,
            "reason": reason,
            "actor": actor.as_json(),
            "idempotency_key": key,
            "wait_s": wait_s,
        }
        path = f"/v1/chargers/{_path(charger_id)}/commands"
        return _command(await self._call("POST", path, json=body, answer_within_s=wait_s + 10))

    async def command(self, command_id: str, wait_s: float = 0) -> Command:
        return _command(
            await self._call(
                "GET", f"/v1/commands/{_path(command_id)}", params={"wait_s": wait_s}, answer_within_s=wait_s + 10
            )
        )

    async def watch(self, command_id: str, data: Mapping[str, Any], key: str) -> str:
        """Has the bridge tell the front door when the command has ended; returns the watch's id."""
        answer = await self._call(
            "POST", "/v1/watches", json={"command": command_id, "data": dict(data), "idempotency_key": key}
        )
        return str(answer.get("id", ""))

    async def _call(self, method: str, path: str, *, answer_within_s: float = 10.0, **arguments: Any) -> dict[str, Any]:
        """The answer's JSON object. Repeated while the bridge is away; raises BridgeError."""
        until = self._clock.monotonic() + self._keep_trying_s
        for wait in self._waits():
            trouble: str
            try:
                response = await self._http.request(
                    method, path, timeout=self._clock.real_seconds(answer_within_s), **arguments
                )
            except httpx.TransportError as error:
                trouble = type(error).__name__
            else:
                if response.status_code not in _AWAY:
                    return _answer(response)
                trouble = str(response.status_code)
            if self._clock.monotonic() + wait > until:
                raise BridgeAway(f"{method} {path}: {trouble}")
            log.warning("bridge_away", method=method, path=path, trouble=trouble, wait_s=round(wait, 2))
            await self._clock.sleep(wait)
        raise AssertionError("_waits never ends")

    def _waits(self) -> Iterator[float]:
        wait = _FIRST_WAIT_S
        while True:
            yield wait / 2 + wait / 2 * self._jitter()
            wait = min(_LONGEST_WAIT_S, wait * 2)


def _path(part: str) -> str:
    return httpx.URL(path=part).raw_path.decode().replace("/", "%2F")


def _answer(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        raise BridgeAnswerInvalid(f"{response.status_code} without JSON") from None
    if not isinstance(body, dict):
        raise BridgeAnswerInvalid(f"{response.status_code} with {type(body).__name__} in place of an object")
    if response.is_success:
        return body
    slug = str(body.get("type", "")).removeprefix("urn:chargeline:")
    if response.status_code >= 500:
        raise BridgeAnswerInvalid(f"{response.status_code} {slug}")
    raise BridgeRefused(response.status_code, slug, str(body.get("detail", "")))


def _list(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = body.get(name)
    if not isinstance(rows, list):
        raise BridgeAnswerInvalid(f"no list of {name}")
    return rows


def _charger(row: Mapping[str, Any]) -> Charger:
    try:
        connection = row["connection"]
        since = connection.get("since")
        return Charger(
            id=row["id"],
            label=row.get("label") or row["id"],
            site=(row.get("site") or {}).get("name") or "",
            connected=connection["state"] == "connected",
            since=datetime.fromisoformat(since) if since else None,
            boot=(row.get("boot") or {}).get("status"),
            status=row.get("status"),
            error_code=row.get("error_code"),
            connectors=tuple(_connector(one) for one in row["connectors"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BridgeAnswerInvalid(f"a charger that is none: {error!r}") from error


def _connector(row: Mapping[str, Any]) -> Connector:
    session = row.get("session")
    return Connector(
        connector=int(row["connector"]),
        plug=row.get("plug"),
        status=row.get("status"),
        error_code=row.get("error_code"),
        session=None if session is None else _session(session),
        status_age_s=row.get("status_age_s"),
    )


def _session(row: Mapping[str, Any]) -> Session:
    try:
        return Session(
            id=row["id"],
            charger=row["charger"],
            driver=row.get("driver"),
            state=row.get("state", "active"),
            energy_wh=row.get("energy_wh"),
            power_w=row.get("power_w"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BridgeAnswerInvalid(f"a session that is none: {error!r}") from error


def _token(row: Mapping[str, Any]) -> Token:
    try:
        return Token(row["id"], str(row.get("last4", "")), str(row["status"]), bool(row.get("guest", False)))
    except (KeyError, TypeError) as error:
        raise BridgeAnswerInvalid(f"a token that is none: {error!r}") from error


def _command(row: Mapping[str, Any]) -> Command:
    try:
        effect = row.get("effect") or {}
        return Command(
            id=row["id"],
            action=row["action"],
            charger=row["charger"],
            connector=row.get("connector"),
            state=row["state"],
            outcome=row.get("outcome"),
            finished=bool(row["finished"]),
            refused_rule=(row.get("refused") or {}).get("rule"),
            session=row.get("session"),
            effect_status=effect.get("status"),
            energy_wh=effect.get("energy_wh"),
            idempotency_key=row.get("idempotency_key") or "",
            reason=row.get("reason"),
            actor=row.get("actor") or {},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise BridgeAnswerInvalid(f"a command that is none: {error!r}") from error
