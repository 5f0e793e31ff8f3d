"""What can be read: chargers, sessions, id tokens. Nothing here changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sanic import HTTPResponse, Request

from chargeline.web import Problem, json_response
from ocpp_bridge.api.reading import argument, number_argument, place_argument, switch_argument
from ocpp_bridge.api.search import by_code, distance_km
from ocpp_bridge.api.shapes import charger_json, session_json, token_json
from ocpp_bridge.model import Charger
from ocpp_bridge.picture import Picture

if TYPE_CHECKING:
    from ocpp_bridge.api.app import App, Services

MOST = 200


def add_routes(app: App, services: Services) -> None:
    keys, picture, store, clock = services.keys, services.picture, services.store, services.clock

    @app.get("/v1/chargers", name="chargers")
    async def chargers(request: Request) -> HTTPResponse:
        keys.require(request, "read")
        now = clock.now()
        found = [charger_json(charger, picture, now) for charger in _search(request, picture)]
        return json_response({"chargers": found})

    @app.get("/v1/chargers/<charger_id:str>", name="charger", unquote=True)
    async def charger(request: Request, charger_id: str) -> HTTPResponse:
        keys.require(request, "read")
        return json_response(charger_json(charger_or_404(picture, charger_id), picture, clock.now()))

    @app.get("/v1/sessions", name="sessions")
    async def sessions(request: Request) -> HTTPResponse:
        keys.require(request, "read")
        state = argument(request, "state")
        if state not in (None, "active", "ended"):
            raise Problem(400, "bad-argument", "state must be active or ended.")
        found = await store.sessions(
            driver=argument(request, "driver"),
            charger=argument(request, "charger"),
            state=state,
            limit=int(number_argument(request, "limit", 100, 1, MOST)),
        )
        live = {s.id: s for s in found if s.state == "active"}
        for row in found:  # running sessions as of now, not as of the last write
            live.update({k: v for k, v in picture.live(row.charger).sessions.items() if k in live})
        return json_response({"sessions": [session_json(live.get(row.id, row), picture) for row in found]})

    @app.get("/v1/sessions/<session_id:str>", name="session")
    async def session(request: Request, session_id: str) -> HTTPResponse:
        keys.require(request, "read")
        found = await store.session(session_id)
        if found is None:
            raise Problem(404, "unknown-session", "There is no such session.")
        return json_response(session_json(picture.live(found.charger).sessions.get(found.id, found), picture))

    @app.get("/v1/tokens", name="tokens")
    async def tokens(request: Request) -> HTTPResponse:
        keys.require(request, "driver")
        driver = argument(request, "driver")
        if driver is None:
            raise Problem(400, "bad-argument", "Say whose tokens: ?driver=<id>.")
        now = clock.now()
        return json_response({"tokens": [token_json(token, now) for token in await store.tokens_of(driver)]})


def charger_or_404(picture: Picture, charger_id: str) -> Charger:
    found = picture.charger(charger_id)
    if found is None:
        raise Problem(404, "unknown-charger", "There is no such charger.")
    return found


def _search(request: Request, picture: Picture) -> list[Charger]:
    code, near = argument(request, "code"), place_argument(request)
    plug, available = argument(request, "plug"), switch_argument(request, "available")
    limit = int(number_argument(request, "limit", 50, 1, MOST))
    radius = number_argument(request, "radius_km", 10, 0, 20_100)
    found = picture.chargers() if code is None else by_code(picture.chargers(), code)
    if near is not None:
        placed = [(away, charger) for charger in found if (away := _away(charger, picture, near)) is not None]
        placed.sort(key=lambda pair: pair[0])
        found = [charger for away, charger in placed if away <= radius]
    if plug is not None:
        found = [c for c in found if any(row.plug.casefold() == plug.casefold() for row in c.connectors)]
    if available is not None:
        found = [c for c in found if _available(c, picture, plug) == available]
    return found[:limit]


def _away(charger: Charger, picture: Picture, near: tuple[float, float]) -> float | None:
    site = picture.site(charger.site)
    if site is None or site.latitude is None or site.longitude is None:
        return None
    return distance_km(near, (site.latitude, site.longitude))


def _available(charger: Charger, picture: Picture, plug: str | None) -> bool:
    """Connected, and a connector (of that plug) that last said Available."""
    live = picture.live(charger.id)
    if live.link is None:
        return False
    wanted = {r.connector for r in charger.connectors if plug is None or r.plug.casefold() == plug.casefold()}
    return any(status.status == "Available" for number, status in live.statuses.items() if number in wanted)
