"""An operator's part: importing networks, passwords of chargers, and chargers that knocked without being provisioned."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sanic import HTTPResponse, Request

from chargeline.web import Problem, json_object, json_response
from ocpp_bridge.api.reads import charger_or_404
from ocpp_bridge.api.shapes import charger_json
from ocpp_bridge.importing import ImportProblem, Network, parse, read, store_network
from ocpp_bridge.model import Charger, Knock
from ocpp_bridge.server.passwords import hashed

if TYPE_CHECKING:
    from ocpp_bridge.api.app import App, Services

LARGEST_IMPORT = 32 * 1024 * 1024
KINDS = {"": "json", "application/json": "json", "text/csv": "csv"}
PASSWORD_BYTES = 20  # 40 characters in hex: OCPP's longest AuthorizationKey


def add_routes(app: App, services: Services) -> None:
    keys, store, picture, knocks = services.keys, services.store, services.picture, services.knocks

    @app.post("/v1/import", name="import")
    async def import_network(request: Request) -> HTTPResponse:
        keys.require(request, "operator")
        if len(request.body) > LARGEST_IMPORT:
            raise Problem(413, "too-large", f"The body may have at most {LARGEST_IMPORT} bytes.")
        kind = KINDS.get((request.headers.get("content-type") or "").partition(";")[0].strip().lower())
        if kind is None:
            raise Problem(415, "unknown-content-type", "Send application/json (our own form or OCPI) or text/csv.")
        try:
            network = read(request.body, kind)
        except ImportProblem as error:
            raise Problem(422, "bad-import", str(error)) from None
        await store_network(network, store, picture)
        for charger in network.chargers:
            knocks.forget(charger.id)
        return json_response({"imported": network.counts})

    @app.post("/v1/chargers/<charger_id:str>/credentials", name="credentials", unquote=True)
    async def credentials(request: Request, charger_id: str) -> HTTPResponse:
        """A new password in place of the old one. A connection that stands is not touched."""
        keys.require(request, "operator")
        charger = charger_or_404(picture, charger_id)
        password = secrets.token_hex(PASSWORD_BYTES)
        await _keep(replace(charger, password_hash=hashed(password)), services)
        return json_response({"charger": charger.id, "password": password}, 201)

    @app.get("/v1/pending-chargers", name="pending_chargers")
    async def pending(request: Request) -> HTTPResponse:
        keys.require(request, "operator")
        return json_response({"pending": [_knock_json(knock) for knock in knocks.all()]})

    @app.post("/v1/pending-chargers/<charger_id:str>/accept", name="accept_charger", unquote=True)
    async def accept(request: Request, charger_id: str) -> HTTPResponse:
        keys.require(request, "operator")
        if knocks.get(charger_id) is None:
            raise Problem(404, "unknown-charger", "No such charger has knocked.")
        body = json_object(request) if request.body else {}
        try:
            network = parse({"chargers": [{**body, "id": charger_id}]})
        except ImportProblem as error:
            raise Problem(422, "bad-import", str(error)) from None
        password = _first_password(network, body)
        await store_network(network, store, picture)
        knocks.forget(charger_id)
        shown = charger_json(charger_or_404(picture, charger_id), picture, services.clock.now())
        return json_response({"charger": shown, "password": password}, 201)

    @app.delete("/v1/pending-chargers/<charger_id:str>", name="forget_charger", unquote=True)
    async def forget(request: Request, charger_id: str) -> HTTPResponse:
        keys.require(request, "operator")
        if not knocks.forget(charger_id):
            raise Problem(404, "unknown-charger", "No such charger has knocked.")
        return HTTPResponse(status=204)

    async def _keep(charger: Charger, services: Services) -> None:
        await store.put_chargers([charger])
        picture.provision(charger)


def _first_password(network: Network, body: dict[str, Any]) -> str | None:
    """A password of our making for profiles 1 and 2 where the operator gave none; it is shown this once."""
    [charger] = network.chargers
    if charger.security_profile not in (1, 2) or body.get("password"):
        return None
    password = secrets.token_hex(PASSWORD_BYTES)
    network.chargers[0] = replace(charger, password_hash=hashed(password))
    return password


def _knock_json(knock: Knock) -> dict[str, Any]:
    return {
        "id": knock.charger,
        "address": knock.address,
        "protocols": knock.protocols,
        "count": knock.count,
        "first_at": knock.first_at,
        "last_at": knock.last_at,
    }
