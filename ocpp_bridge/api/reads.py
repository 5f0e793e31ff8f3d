"""What can be read: chargers, sessions, id tokens. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sanic import HTTPResponse, Request

from chargeline.web import Problem, json_response
from ocpp_bridge.api.lately import lately_json
from ocpp_bridge.api.reading import argument, number_argument, place_argument, switch_argument
from ocpp_bridge.api.search import by_code
from ocpp_bridge.api.shapes import charger_json, deviation_json, session_json, site_json, token_json
from ocpp_bridge.model import Charger
from ocpp_bridge.picture import Picture

if TYPE_CHECKING:
    from ocpp_bridge.api.app import App, Services
    from ocpp_bridge.store.base import BridgeStore

MOST = 200


def add_routes(app: App, services: Services) -> None:
    keys, picture, store, clock = services.keys, services.picture, services.store, services.clock

    @app.get("/v1/chargers", name="chargers")
    async def chargers(request: Request) -> HTTPResponse:
        keys.require(request, "read")
        now = clock.now()
        rows = []
        for away, charger in await _search(request, picture, store):
            row = charger_json(charger, picture, now)
            if away is not None:
                row["distance_m"] = round(away)
            rows.append(row)
        if switch_argument(request, "lately"):
            lately = await lately_json(store, [row["id"] for row in rows], now)
            rows = [{**row, "lately": lately[row["id"]]} for row in rows]
        return json_response({"chargers": rows})

    @app.get("/v1/sites", name="sites")
    async def sites(request: Request) -> HTTPResponse:
        keys.require(request, "read")
        placed = sorted(picture.sites(), key=lambda site: site.id)
        rows = [{**site_json(site), "latitude": site.latitude, "longitude": site.longitude} for site in placed]
        return json_response({"sites": rows})

    @app.get("/v1/chargers/<charger_id:str>", name="charger", unquote=True)
    async def charger(request: Request, charger_id: str) -> HTTPResponse:
        keys.require(request, "read")
        return json_response(charger_json(charger_or_404(picture, charger_id), picture, clock.now()))

    @app.get("/v1/chargers/<charger_id:str>/variables", name="variables", unquote=True)
    async def variables(request: Request, charger_id: str) -> HTTPResponse:
        """What an OCPP 2 charger reported last of its variables, whole or as far as it has come."""
        keys.require(request, "operator")
        charger = charger_or_404(picture, charger_id)
        report = picture.live(charger.id).report or await store.report(charger.id)
        if report is None:
            raise Problem(404, "no-report", "This charger has reported no variables: ask with get_variables.")
        values = {row["name"]: row["value"] for row in report.rows}
        shown = {"charger": charger.id, "at": report.at, "complete": report.complete, "variables": values}
        return json_response(shown)

    @app.get("/v1/chargers/<charger_id:str>/deviations", name="deviations", unquote=True)
    async def deviations(request: Request, charger_id: str) -> HTTPResponse:
        """In what the charger departs from its OCPP version, counted: what a row in quirks.toml is written from."""
        keys.require(request, "operator")
        charger = charger_or_404(picture, charger_id)
        await services.recorder.flush()
        found = await store.deviations(charger.id)
        return json_response({"charger": charger.id, "deviations": [deviation_json(row) for row in found]})

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

    @app.get("/v1/tokens/<token_id:str>", name="token", unquote=True)
    async def token(request: Request, token_id: str) -> HTTPResponse:
        keys.require(request, "driver")
        found = await store.token(token_id)
        if found is None:
            raise Problem(404, "unknown-token", "There is no such id token.")
        return json_response(token_json(found, clock.now()))


def charger_or_404(picture: Picture, charger_id: str) -> Charger:
    found = picture.charger(charger_id)
    if found is None:
        raise Problem(404, "unknown-charger", "There is no such charger.")
    return found


async def _search(request: Request, picture: Picture, store: BridgeStore) -> Sequence[tuple[float | None, Charger]]:
    """Chargers, with how many metres they are away where a place was given."""
    code, near = argument(request, "code"), place_argument(request)
    plug, available = argument(request, "plug"), switch_argument(request, "available")
    limit = int(number_argument(request, "limit", 50, 1, MOST))
    radius = number_argument(request, "radius_km", 10, 0, 20_100)

    def fits(charger: Charger) -> bool:
        if plug is not None and not any(row.plug.casefold() == plug.casefold() for row in charger.connectors):
            return False
        return available is None or _available(charger, picture, plug) == available

    if near is None:
        chargers = picture.chargers() if code is None else by_code(picture.chargers(), code)
        return [(None, charger) for charger in chargers if fits(charger)][:limit]
    named = None if code is None else {charger.id for charger in by_code(picture.chargers(), code)}
    asked = limit
    while True:  # until enough of the nearest fit, or there are no more
        rows = await store.chargers_near(*near, radius * 1000, asked)
        known = [(away, charger) for away, id_ in rows if (charger := picture.charger(id_)) is not None]
        found = [(away, one) for away, one in known if fits(one) and (named is None or one.id in named)]
        if len(found) >= limit or len(rows) < asked:
            return [(away, charger) for away, charger in found][:limit]
        asked *= 4


def _available(charger: Charger, picture: Picture, plug: str | None) -> bool:
    """Connected, and a connector (of that plug) that last said Available."""
    live = picture.live(charger.id)
    if live.link is None:
        return False
    wanted = {r.connector for r in charger.connectors if plug is None or r.plug.casefold() == plug.casefold()}
    return any(status.status == "Available" for number, status in live.statuses.items() if number in wanted)
