"""What can be asked for: commands, refreshes, guest tokens, imports."""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sanic import HTTPResponse, Request

from chargeline.ids import new_id
from chargeline.web import Problem, json_object, json_response
from ocpp_bridge.api import command_fields
from ocpp_bridge.api.reading import LONGEST_WAIT_S, actor_field, body_hash, number, text_field, whole_field
from ocpp_bridge.api.reads import charger_or_404
from ocpp_bridge.api.shapes import charger_json, command_json, token_json
from ocpp_bridge.commands.kinds import KINDS
from ocpp_bridge.commands.under_way import EngineStopped
from ocpp_bridge.model import Command, Token
from ocpp_bridge.safety import FRESH_S
from ocpp_bridge.store.base import KeyReused

if TYPE_CHECKING:
    from ocpp_bridge.api.app import App, Services

DEFAULT_WAIT_S = 8.0
PAID_FOR = timedelta(hours=1)  # time to plug in and begin; a session that runs then goes on


def add_routes(app: App, services: Services) -> None:
    keys, store, clock = services.keys, services.store, services.clock
    picture, engine = services.picture, services.engine

    @app.post("/v1/chargers/<charger_id:str>/commands", name="command_charger", unquote=True)
    async def command_charger(request: Request, charger_id: str) -> HTTPResponse:
        scope = keys.require(request, "driver")
        body = json_object(request)
        charger = charger_or_404(picture, charger_id)
        command = _command(charger.id, body, services, operator=scope == "operator")
        wait_s = number(body.get("wait_s"), "wait_s", DEFAULT_WAIT_S, 0, LONGEST_WAIT_S)
        try:
            found = await engine.run(command, wait_s)
        except KeyReused:
            raise Problem(409, "key-reused", "This idempotency_key was used for another command.") from None
        except EngineStopped:
            raise Problem(503, "restarting", "The bridge is being restarted; nothing was sent. Ask again.") from None
        return _shown(found)

    @app.get("/v1/commands/<command_id:str>", name="command")
    async def command(request: Request, command_id: str) -> HTTPResponse:
        keys.require(request, "driver")
        wait_s = number(request.args.get("wait_s"), "wait_s", 0, 0, LONGEST_WAIT_S)
        return _shown(await engine.wait(command_id, wait_s), waiting_status=200)

    @app.post("/v1/chargers/<charger_id:str>/refresh", name="refresh", unquote=True)
    async def refresh(request: Request, charger_id: str) -> HTTPResponse:
        keys.require(request, "driver")
        body = json_object(request)
        charger = charger_or_404(picture, charger_id)
        connector = None
        if body.get("connector") is not None:
            connector = whole_field(body, "connector", "bad-argument")
        max_age_s = number(body.get("max_age_s"), "max_age_s", FRESH_S, 0, 86_400)
        await engine.refresh(charger.id, connector, max_age_s)
        return json_response(charger_json(charger, picture, clock.now()))

    @app.post("/v1/guest-tokens", name="guest_token")
    async def guest_token(request: Request) -> HTTPResponse:
        keys.require(request, "driver")
        driver = text_field(json_object(request), "driver", longest=128, slug="bad-driver")
        assert driver is not None
        if not driver.startswith("guest:"):
            raise Problem(422, "bad-driver", "A guest's driver id begins with 'guest:'.")
        if not services.settings.guest_starts:
            raise Problem(403, "no-free-energy", "Charging as a guest is switched off by the operator.")
        token = Token(_guest_tag(driver, services.settings.bridge_webhook_secret), driver, guest=True)
        if await store.token(token.id) is None:
            await store.put_tokens([token])
        return json_response(token_json(await store.token(token.id) or token, clock.now()))

    @app.post("/v1/paid-tokens", name="paid_token")
    async def paid_token(request: Request) -> HTTPResponse:
        keys.require_payment(request)
        body = json_object(request)
        driver = text_field(body, "driver", longest=128, slug="bad-driver")
        payment = text_field(body, "payment", longest=128, slug="bad-payment")
        assert driver is not None
        assert payment is not None
        tag = _tag("PAID", f"{driver}:{payment}", services.settings.bridge_payment_key)
        token = Token(tag, driver, expires_at=clock.now() + PAID_FOR)
        if await store.token(token.id) is None:  # asked for again, it lives no longer
            await store.put_tokens([token])
        return json_response(token_json(await store.token(token.id) or token, clock.now()))


def _tag(prefix: str, what: str, secret: str) -> str:
    """20 characters (OCPP 1.6's longest), the same each time, not to be guessed."""
    digest = hmac.new(secret.encode(), what.encode(), hashlib.sha256).hexdigest().upper()
    return prefix + digest[: 20 - len(prefix)]


def _guest_tag(driver: str, secret: str) -> str:
    """The same 20 characters (OCPP 1.6's longest) each time for a driver; not to be guessed from the driver id."""
    return _tag("GUEST", driver, secret)


def _command(charger: str, body: dict[str, Any], services: Services, *, operator: bool) -> Command:
    action = text_field(body, "action", longest=40, slug="bad-command")
    assert action is not None
    if action not in KINDS:
        raise Problem(422, "bad-command", f"action must be one of {', '.join(sorted(KINDS))}.")
    asked = command_fields.read(action, body)
    key = text_field(body, "idempotency_key", longest=200, slug="bad-command")
    assert key is not None
    now = services.clock.now()
    return Command(
        id=new_id("cmd", now),
        action=action,
        charger=charger,
        connector=asked.connector,
        token=asked.token,
        session=asked.session,
        params=asked.params,
        reason=text_field(body, "reason", longest=200, slug="bad-command", required=False) or "",
        actor=actor_field(body, operator=operator),
        idempotency_key=key,
        body_hash=body_hash(charger, body, operator),
        created_at=now,
    )


def _shown(command: Command | None, waiting_status: int = 202) -> HTTPResponse:
    if command is None:
        raise Problem(404, "unknown-command", "There is no such command.")
    return json_response(command_json(command), 200 if command.finished else waiting_status)
