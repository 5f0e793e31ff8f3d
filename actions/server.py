"""The action server's HTTP side: rasa-sdk's executor behind a small app of our own, on a private address.

rasa-sdk's own server listens on all interfaces, allows every origin and shows stack traces; here errors are problem details.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import orjson
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.interfaces import ActionExecutionRejection, ActionNotFoundException
from sanic import HTTPResponse, Request, Sanic

from actions.api import add_routes
from actions.charging import BridgeClient
from actions.dialogue.actions import all_actions
from actions.payments import api as payments_api
from actions.service import Parts
from chargeline.web import Problem, add_health, install_problem_details, json_response

_LARGEST_BODY = 4 * 1024 * 1024  # a tracker of some sixty events has a tenth of it


def make_app(parts: Parts, bridge: BridgeClient, name: str = "actions") -> Sanic[Any, Any]:
    """The app; it opens the store and sends what waits for people while it runs, and closes all when it stops."""
    executor = ActionExecutor()
    for action in all_actions(parts.service):
        executor.register_function(action.name(), action.run)
    app: Sanic[Any, Any] = Sanic(name, configure_logging=False)
    app.config.REQUEST_MAX_SIZE = _LARGEST_BODY
    app.config.RESPONSE_TIMEOUT = 120
    app.config.KEEP_ALIVE_TIMEOUT = 30
    install_problem_details(app)

    @app.post("/webhook")
    async def webhook(request: Request) -> HTTPResponse:
        call = _call(request)
        try:
            result = await executor.run(call)
        except ActionExecutionRejection as rejection:
            # Rasa reads exactly these two fields of a 400 and lets other rules answer.
            return json_response({"error": rejection.message, "action_name": rejection.action_name}, 400)
        except ActionNotFoundException as error:
            raise Problem(404, "unknown-action", f"There is no action {error.action_name}.") from None
        return json_response(result.model_dump() if result else {"events": [], "responses": []})

    async def ready() -> str | None:
        return None if await bridge.ready() else "the bridge does not answer"

    add_health(app, ready)
    add_routes(app, parts.hazards, parts.desk, actions_key=parts.actions_key, operator_key=parts.operator_key)

    if parts.till is not None:
        cashier = parts.till.cashier
        payments_api.add_routes(app, cashier, actions_key=parts.actions_key, operator_key=parts.operator_key)

    @app.before_server_start
    async def open_up(_: Sanic[Any, Any]) -> None:
        await parts.store.open()
        app.ctx.sending = asyncio.create_task(parts.deliveries.run(parts.desk), name="deliveries")
        app.ctx.settling = None
        if parts.till is not None:
            await parts.till.store.open()
            app.ctx.settling = asyncio.create_task(parts.till.settler.run(), name="settler")

    @app.after_server_stop
    async def close(_: Sanic[Any, Any]) -> None:
        app.ctx.sending.cancel()
        await asyncio.gather(app.ctx.sending, return_exceptions=True)
        if parts.till is not None:
            app.ctx.settling.cancel()
            await asyncio.gather(app.ctx.settling, return_exceptions=True)
            await parts.till.front_door.close()
            await parts.till.gateway.close()
            await parts.till.store.close()
        await parts.deliveries.close()
        await parts.store.close()
        await bridge.close()

    return app


def _call(request: Request) -> dict[str, Any]:
    """The action call; raises a Problem that is no 400 with `action_name` (Rasa would read that as a rejection)."""
    body = request.body
    if request.headers.get("content-encoding") == "deflate":
        try:
            body = zlib.decompress(body)
        except zlib.error as error:
            raise Problem(422, "not-deflate", f"The body cannot be decompressed: {error}.") from None
    try:
        call = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(422, "not-json", f"The body is not JSON: {error}.") from None
    if not isinstance(call, dict) or not isinstance(call.get("next_action"), str):
        raise Problem(422, "not-a-call", "An action call names `next_action`.")
    if not isinstance(call.get("tracker"), dict):
        raise Problem(422, "not-a-call", "An action call holds a `tracker`.")
    # No action of ours looks at the domain, so Rasa sends none (endpoints.yml); the executor wants to be told so.
    call.setdefault("domain", {})
    return call
