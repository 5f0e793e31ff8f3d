"""The sandbox's HTTP API and its control page. Requests are checked here; what they do is the chargers' business.

It has no keys: it listens on a private address and breaks only simulated chargers. Pages of other origins are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sanic import HTTPResponse, Request, Sanic
from sanic.response import raw

from chargeline.web import Problem, add_health, install_problem_details, json_object, json_response
from sandbox import scenarios
from sandbox.car import UnknownCar
from sandbox.charger import Charger
from sandbox.fault_table import BadFault, UnknownFault, read_params, table
from sandbox.reporter import NotPossible
from sandbox.world import World

PAGE = Path(__file__).parent / "page"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def build(world: World, name: str = "sandbox") -> Sanic[Any, Any]:
    app: Sanic[Any, Any] = Sanic(name, configure_logging=False)
    app.config.FALLBACK_ERROR_FORMAT = "json"
    install_problem_details(app)
    add_health(app, world.not_ready)
    app.on_request(_same_origin)
    for path, (file, kind) in _FILES.items():
        app.add_route(_page(file, kind), path, methods=["GET"], name=file.replace(".", "_"))

    @app.get("/v1/chargers", name="chargers")
    async def chargers(request: Request) -> HTTPResponse:
        return json_response({"simulated": True, "chargers": [each.snapshot() for each in world.chargers.values()]})

    @app.get("/v1/chargers/<charger_id>", name="charger")
    async def charger(request: Request, charger_id: str) -> HTTPResponse:
        return json_response(_find(world, charger_id).snapshot())

    @app.get("/v1/faults", name="fault_table")
    async def fault_table(request: Request) -> HTTPResponse:
        return json_response({"faults": table()})

    @app.get("/v1/cars", name="cars")
    async def cars(request: Request) -> HTTPResponse:
        return json_response({"cars": world.plan.garage.names})

    @app.get("/v1/drivers", name="drivers")
    async def drivers(request: Request) -> HTTPResponse:
        return json_response({"drivers": list(world.plan.drivers), "tokens": list(world.plan.tokens)})

    @app.get("/v1/events", name="events")
    async def events(request: Request) -> HTTPResponse:
        charger = request.args.get("charger")
        if charger is not None:
            _find(world, charger)
        kind, limit = request.args.get("type"), _whole(request, "limit", 500, most=5000)
        if kind not in {None, "frame", "state", "act", "fault"}:
            raise Problem(422, "bad-request", "type must be one of: frame, state, act, fault.")
        if request.args.get("newest") is not None:
            page = world.events.newest(charger=charger, kind=kind, limit=limit)
        else:
            page = world.events.after(_whole(request, "after", 0), charger=charger, kind=kind, limit=limit)
        return raw(page.json(), content_type="application/json", headers={"Cache-Control": "no-store"})

    @app.post("/v1/chargers/<charger_id>/plug", name="plug")
    async def plug(request: Request, charger_id: str) -> HTTPResponse:
        found, body = _find(world, charger_id), _body(request, {"connector", "car"})
        said = body.get("car")
        if said is not None and not isinstance(said, str | dict):
            raise Problem(
                422, "bad-car", "car must be the name of a car or an object with kind, soc, limit_soc, willing."
            )
        try:
            car = world.plan.garage.car(said)
        except UnknownCar as error:
            raise Problem(422, "bad-car", str(error)) from None
        number = _connector(found, body)
        try:
            found.plug(number, car)
        except NotPossible as error:
            raise Problem(409, "not-possible", str(error)) from None
        return json_response(found.snapshot())

    @app.post("/v1/chargers/<charger_id>/unplug", name="unplug")
    async def unplug(request: Request, charger_id: str) -> HTTPResponse:
        found, body = _find(world, charger_id), _body(request, {"connector", "car_unlocked"})
        number, unlocked = _connector(found, body), body.get("car_unlocked", False)
        if not isinstance(unlocked, bool):
            raise Problem(422, "bad-request", "car_unlocked must be true or false.")
        try:
            found.unplug(number, car_unlocked=unlocked)
        except NotPossible as error:
            raise Problem(409, "not-possible", str(error)) from None
        return json_response(found.snapshot())

    @app.post("/v1/chargers/<charger_id>/swipe", name="swipe")
    async def swipe(request: Request, charger_id: str) -> HTTPResponse:
        found, body = _find(world, charger_id), _body(request, {"connector", "token"})
        number, token = _connector(found, body), body.get("token")
        most = found.protocol.longest_token
        if not isinstance(token, str) or not 0 < len(token) <= most:
            raise Problem(422, "bad-token", f"token must be a text of 1 to {most} characters.")
        try:
            info = await found.swipe(number, token)
        except NotPossible as error:
            raise Problem(409, "not-possible", str(error)) from None
        return json_response({"status": info.status, "charger": found.snapshot()})

    @app.put("/v1/chargers/<charger_id>/faults/<fault>", name="set_fault")
    async def set_fault(request: Request, charger_id: str, fault: str) -> HTTPResponse:
        found = _find(world, charger_id)
        _set_fault(request, [found], fault)
        return json_response(found.snapshot())

    @app.delete("/v1/chargers/<charger_id>/faults/<fault>", name="clear_fault")
    async def clear_fault(request: Request, charger_id: str, fault: str) -> HTTPResponse:
        found = _find(world, charger_id)
        _clear_fault([found], fault)
        return json_response(found.snapshot())

    @app.put("/v1/sites/<site_id>/faults/<fault>", name="set_site_fault")
    async def set_site_fault(request: Request, site_id: str, fault: str) -> HTTPResponse:
        found = _find_site(world, site_id)
        _set_fault(request, found, fault)
        return json_response({"chargers": [each.snapshot() for each in found]})

    @app.delete("/v1/sites/<site_id>/faults/<fault>", name="clear_site_fault")
    async def clear_site_fault(request: Request, site_id: str, fault: str) -> HTTPResponse:
        found = _find_site(world, site_id)
        _clear_fault(found, fault)
        return json_response({"chargers": [each.snapshot() for each in found]})

    @app.get("/v1/scenarios", name="scenarios")
    async def list_scenarios(request: Request) -> HTTPResponse:
        there = [{"name": name} for name in scenarios.names()]
        return json_response({"scenarios": there, "playing": world.scenario and world.scenario.name})

    @app.post("/v1/scenarios", name="play")
    async def play(request: Request) -> HTTPResponse:
        body = _body(request, {"name", "yaml"})
        if len(body) != 1 or not all(isinstance(value, str) for value in body.values()):
            raise Problem(
                422, "bad-request", "Either name (of a scenario file) or yaml (a scenario's text) is expected."
            )
        try:
            if "name" in body:
                scenario = scenarios.load(body["name"], world.plan)
            else:
                scenario = scenarios.read(body["yaml"], world.plan)
        except scenarios.UnknownScenario as error:
            raise Problem(404, "unknown-scenario", str(error.args[0])) from None
        except scenarios.BadScenario as error:
            raise Problem(422, "bad-scenario", str(error)) from None
        await world.play(scenario)
        return json_response({"playing": scenario.name, "help": scenario.help, "steps": len(scenario.steps)})

    @app.post("/v1/reset", name="reset")
    async def reset(request: Request) -> HTTPResponse:
        only = request.args.get("charger")
        await world.back_to_start(None if only is None else _find(world, only))
        return json_response({"status": "reset"})

    return app


async def _same_origin(request: Request) -> None:
    """A page that a developer happens to have open elsewhere must not break chargers here."""
    origin = request.headers.get("origin")
    if request.method not in {"GET", "HEAD"} and origin is not None and urlsplit(origin).netloc != request.host:
        raise Problem(403, "foreign-origin", "This API is called by its own page and by programs, not by other sites.")


def _page(file: str, kind: str) -> Callable[[Request], Any]:
    async def serve(request: Request) -> HTTPResponse:
        return raw((PAGE / file).read_bytes(), content_type=kind, headers=_SECURITY)

    return serve


def _find(world: World, charger_id: str) -> Charger:
    found = world.chargers.get(charger_id)
    if found is None:
        raise Problem(404, "unknown-charger", f"There is no simulated charger {charger_id[:48]!r}.")
    return found


def _body(request: Request, known: set[str]) -> dict[str, Any]:
    body = json_object(request)
    if unknown := set(body) - known:
        raise Problem(
            422, "bad-request", f"Unknown: {', '.join(sorted(unknown))[:200]}. Known: {', '.join(sorted(known))}."
        )
    return body


def _connector(charger: Charger, body: dict[str, Any]) -> int:
    number = body.get("connector", 1)
    if isinstance(number, bool) or not isinstance(number, int) or number not in charger.station.connectors:
        there = ", ".join(str(each) for each in charger.station.connectors)
        raise Problem(422, "unknown-connector", f"connector must be one of: {there}.")
    return number


def _find_site(world: World, site_id: str) -> list[Charger]:
    found = [each for each in world.chargers.values() if each.plan.site.id == site_id]
    if not found:
        raise Problem(404, "unknown-site", f"There is no site {site_id[:48]!r} with simulated chargers.")
    return found


def _set_fault(request: Request, chargers: list[Charger], fault: str) -> None:
    """The same fault on all of them, or on none where one of them cannot have it."""
    body = json_object(request) if request.body else {}
    try:
        for each in chargers:
            read_params(fault, body, frozenset(each.station.connectors))
        for each in chargers:
            each.faults.set(fault, body, frozenset(each.station.connectors))
    except UnknownFault as error:
        raise Problem(422, "unknown-fault", str(error.args[0])) from None
    except BadFault as error:
        raise Problem(422, "bad-fault", str(error)) from None


def _clear_fault(chargers: list[Charger], fault: str) -> None:
    try:
        for each in chargers:
            each.faults.clear(fault)
    except UnknownFault as error:
        raise Problem(422, "unknown-fault", str(error.args[0])) from None


def _whole(request: Request, name: str, default: int, most: int = 2**53) -> int:
    raw_value = request.args.get(name, str(default))
    if not raw_value.isascii() or not raw_value.isdigit() or len(raw_value) > 16 or int(raw_value) > most:
        raise Problem(422, "bad-request", f"{name} must be a whole number from 0 to {most}.")
    return int(raw_value)
