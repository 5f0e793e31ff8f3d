"""The bridge's HTTP API as the action server uses it: typed results, named errors, patience while the bridge restarts.

Every call here is safe to repeat (reads, and posts with an idempotency key), so each is repeated with back-off while the bridge
cannot be reached. What the answers mean for a driver is the playbooks' part.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import structlog

from actions import shapes
from actions.bridge import (
    Actor,
    Authorization,
    BridgeAnswerInvalid,
    BridgeAway,
    BridgeRefused,
    Charger,
    Command,
    Diagnosis,
    Session,
    Token,
)
from actions.places.resolve import Site
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
        payment_key: str = "",
        keep_trying_s: float = KEEP_TRYING_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"})
        self._payment_key = payment_key
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
        return [shapes.charger(row) for row in shapes.rows(found, "chargers")]

    async def charger(self, charger_id: str) -> Charger:
        """Raises BridgeRefused (404) for an id that the bridge does not know."""
        return shapes.charger(await self._call("GET", f"/v1/chargers/{_path(charger_id)}"))

    async def refreshed(self, charger_id: str, connector: int | None, max_age_s: float = 60.0) -> Charger:
        """The charger with a status no older than `max_age_s`, where it answers in time."""
        body: dict[str, Any] = {"max_age_s": max_age_s}
        if connector is not None:
            body["connector"] = connector
        return shapes.charger(
            await self._call("POST", f"/v1/chargers/{_path(charger_id)}/refresh", json=body, answer_within_s=20)
        )

    async def around(self, latitude: float, longitude: float, radius_km: float) -> list[Charger]:
        place = {"near": f"{latitude},{longitude}", "radius_km": radius_km, "lately": "true", "limit": 40}
        found = await self._call("GET", "/v1/chargers", params=place)
        return [shapes.charger(row) for row in shapes.rows(found, "chargers")]

    async def sites(self) -> list[Site]:
        found = await self._call("GET", "/v1/sites")
        return [site for row in shapes.rows(found, "sites") if (site := shapes.site(row)) is not None]

    async def diagnosis(self, charger_id: str, connector: int | None, driver: str) -> Diagnosis:
        params: dict[str, Any] = {"driver": driver}
        if connector is not None:
            params["connector"] = connector
        return shapes.diagnosis(await self._call("GET", f"/v1/chargers/{_path(charger_id)}/diagnosis", params=params))

    async def authorizations(self, driver: str, since_s: float) -> list[Authorization]:
        found = await self._call("GET", "/v1/authorizations", params={"driver": driver, "since_s": since_s})
        return [shapes.authorization(row) for row in shapes.rows(found, "authorizations")]

    async def running_sessions(self, driver: str) -> list[Session]:
        """The driver's sessions that have not ended, on whatever charger."""
        return await self._sessions(driver=driver, state="active")

    async def ended_sessions(self, driver: str) -> list[Session]:
        return await self._sessions(driver=driver, state="ended", limit=5)

    async def sessions_at(self, charger_id: str) -> list[Session]:
        return await self._sessions(charger=charger_id, state="ended", limit=5)

    async def _sessions(self, **params: Any) -> list[Session]:
        found = await self._call("GET", "/v1/sessions", params=params)
        return [shapes.session(row) for row in shapes.rows(found, "sessions")]

    async def tokens(self, driver: str) -> list[Token]:
        found = await self._call("GET", "/v1/tokens", params={"driver": driver})
        return [shapes.token(row) for row in shapes.rows(found, "tokens")]

    async def guest_token(self, driver: str) -> Token:
        """The driver's guest token; raises BridgeRefused (403, no-free-energy) where the operator gives none."""
        return shapes.token(await self._call("POST", "/v1/guest-tokens", json={"driver": driver}))

    async def paid_token(self, driver: str, payment: str) -> Token:
        """The id token of a session that is paid for: call it only when the money has been seen."""
        headers = {"Authorization": f"Bearer {self._payment_key}"}
        body = {"driver": driver, "payment": payment}
        return shapes.token(await self._call("POST", "/v1/paid-tokens", json=body, headers=headers))

    async def start(
        self, charger_id: str, connector: int, token: str, *, actor: Actor, reason: str, key: str, wait_s: float
    ) -> Command:
        """Asks for a session and waits up to `wait_s` for its end; the same `key` never starts twice."""
        fields = {"connector": connector, "token": token}
        return await self.send("start", charger_id, fields, actor=actor, reason=reason, key=key, wait_s=wait_s)

    async def send(
        self,
        action: str,
        charger_id: str,
        fields: Mapping[str, Any],
        *,
        actor: Actor,
        reason: str,
        key: str,
        wait_s: float,
    ) -> Command:
        """Sends a command through the gate and waits up to `wait_s` for its end; the same `key` is the same command."""
        body = {
            "action": action,
            **fields,
            "reason": reason,
            "actor": actor.as_json(),
            "idempotency_key": key,
            "wait_s": wait_s,
        }
        path = f"/v1/chargers/{_path(charger_id)}/commands"
        return shapes.command(await self._call("POST", path, json=body, answer_within_s=wait_s + 10))

    async def command(self, command_id: str, wait_s: float = 0) -> Command:
        return shapes.command(
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

    async def watch_charger(
        self, charger_id: str, connector: int | None, until: str, within_s: float, data: Mapping[str, Any], key: str
    ) -> str:
        """`until`: a condition of the bridge's, such as connected, free or status:Preparing; returns the watch's id."""
        body: dict[str, Any] = {
            "charger": charger_id,
            "until": until,
            "within_s": within_s,
            "data": dict(data),
            "idempotency_key": key,
        }
        if connector is not None:
            body["connector"] = connector
        return str((await self._call("POST", "/v1/watches", json=body)).get("id", ""))

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
