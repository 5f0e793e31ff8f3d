"""The stand-in over HTTP: Stripe's API under `/v1/`, the driver's pages under `/c/` and `/bank/`, and switches under `/sandbox/`.

The switches have no key: the stand-in listens on a private address and holds no real money. `Authorization` is looked at as
Stripe does it: any test key opens it, none or a live key does not.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sanic import HTTPResponse, Request, Sanic
from sanic.response import html, raw, redirect

from chargeline.web import Problem, add_health, install_problem_details, json_object, json_response
from sandbox.payments import pages
from sandbox.payments.cards import Decline
from sandbox.payments.errors import StripeError
from sandbox.payments.events import Trouble
from sandbox.payments.faults import KINDS, BadFault
from sandbox.payments.forms import decode
from sandbox.payments.shelf import Object, public
from sandbox.payments.world import Answer, World

_TICK_S = 1.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def build(world: World) -> Sanic[Any, Any]:
    # A name of its own each time: Sanic keeps apps by name, and tests make several in one process.
    app: Sanic[Any, Any] = Sanic(f"payments_{secrets.token_hex(4)}", configure_logging=False)
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.MOTD = False
    app.config.TOUCHUP = False  # it rewrites Sanic's own code, which works for one app in a process only
    install_problem_details(app)

    async def ready() -> str | None:
        return None

    add_health(app, ready)
    _add_api(app, world)
    _add_pages(app, world)
    _add_switches(app, world)

    @app.before_server_start
    async def begin(_: Sanic[Any, Any]) -> None:
        app.ctx.tasks = [asyncio.create_task(world.events.run()), asyncio.create_task(_tick(world))]

    @app.after_server_stop
    async def end(_: Sanic[Any, Any]) -> None:
        for task in app.ctx.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await world.events.close()
        world.shelf.close()

    return app


async def _tick(world: World) -> None:
    while True:
        await world.clock.sleep(_TICK_S)
        world.lapse()


def _add_api(app: Sanic[Any, Any], world: World) -> None:
    async def call(request: Request, path: str) -> HTTPResponse:
        try:
            _require_key(request)
            encoded = request.query_string if request.method in ("GET", "DELETE") else request.body.decode()
            params = decode(encoded)
        except (StripeError, UnicodeDecodeError) as error:
            known = (
                error.error
                if isinstance(error, StripeError)
                else {"type": "invalid_request_error", "message": "not UTF-8"}
            )
            return json_response({"error": known}, error.status if isinstance(error, StripeError) else 400)
        answer = world.answer(request.method, f"/v1/{path}", params, request.headers.get("idempotency-key"))
        return _sent(request, answer)

    app.add_route(call, "/v1/<path:path>", methods=["GET", "POST", "DELETE"], name="stripe")


def _sent(request: Request, answer: Answer) -> HTTPResponse:
    if answer.lost:
        transport: Any = request.transport
        transport.abort()
        return raw(b"")
    kind = answer.headers.get("Content-Type", "application/json")
    return raw(answer.body, status=answer.status, headers=answer.headers, content_type=kind)


def _require_key(request: Request) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            given = base64.b64decode(given).decode(errors="replace").partition(":")[0]
    if not given.startswith(("sk_test_", "rk_test_")):
        raise StripeError(
            401, {"type": "invalid_request_error", "message": "Invalid API Key provided: a test key is expected."}
        )


def _add_pages(app: Sanic[Any, Any], world: World) -> None:
    def session_of(session_id: str) -> Object:
        try:
            return world.shelf.get("checkout.session", session_id)
        except StripeError:
            raise Problem(404, "unknown-page", "There is no such page.") from None

    @app.get("/c/pay/<session_id:str>", name="page")
    async def show(request: Request, session_id: str) -> HTTPResponse:
        session = session_of(session_id)
        open_ = session["status"] == "open"
        return html(pages.pay(session) if open_ else pages.closed(session["status"]), headers=_HEADERS)

    @app.post("/c/pay/<session_id:str>", name="submit")
    async def submit(request: Request, session_id: str) -> HTTPResponse:
        session = session_of(session_id)
        if session["status"] != "open":
            return html(pages.closed(session["status"]), headers=_HEADERS)
        form = _form(request)
        if form.get("do") == "leave":
            return redirect(session["cancel_url"] or session["success_url"])
        return _after(session, lambda: world.checkout.submit(session, form.get("number", "")))

    @app.get("/bank/<intent_id:str>", name="bank")
    async def bank(request: Request, intent_id: str) -> HTTPResponse:
        return html(pages.bank(), headers=_HEADERS)

    @app.post("/bank/<intent_id:str>", name="bank_answer")
    async def bank_answer(request: Request, intent_id: str) -> HTTPResponse:
        confirmed = _form(request).get("do") == "confirm"
        session = next((one for one in world.shelf.all("checkout.session") if one.get("_intent") == intent_id), None)
        if session is not None:
            return _after(session, lambda: world.checkout.checked(session, confirmed=confirmed))
        try:
            intent = world.intents.checked(world.shelf.get("payment_intent", intent_id), confirmed=confirmed)
        except StripeError as error:
            return html(pages.page("Not paid", f"<p class='error'>{error}</p>"), headers=_HEADERS)
        finally:
            world.shelf.save()
        return html(pages.page("Done", f"<p>Status: {intent['status']}.</p>"), headers=_HEADERS)

    def _after(session: Object, act: Any) -> HTTPResponse:
        """Where the browser goes next: the bank, the shop, or the same page with what went wrong."""
        try:
            done: Object = act()
        except StripeError as error:
            return html(pages.pay(session, str(error)), status=200, headers=_HEADERS)
        finally:
            world.shelf.save()
        action = done.get("next_action") or {}
        if action:
            return redirect(action["redirect_to_url"]["url"])
        return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


def _add_switches(app: Sanic[Any, Any], world: World) -> None:
    def own_page_only(request: Request) -> None:
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise Problem(403, "foreign-origin", "Switches are turned from here only.")

    @app.get("/sandbox/state", name="state")
    async def state(request: Request) -> HTTPResponse:
        """Everything, for tests and for people: what Stripe's dashboard would show."""
        kinds = ("customer", "payment_intent", "charge", "refund", "checkout.session", "event")
        return json_response({kind: [public(one) for one in world.shelf.all(kind)] for kind in kinds})

    @app.get("/sandbox/faults", name="fault_kinds")
    async def fault_kinds(request: Request) -> HTTPResponse:
        return json_response({"kinds": KINDS, "waiting": [asdict(one) for one in world.faults.waiting]})

    @app.post("/sandbox/faults", name="add_fault")
    async def add_fault(request: Request) -> HTTPResponse:
        own_page_only(request)
        try:
            return json_response(asdict(world.faults.add(json_object(request))), 201)
        except BadFault as error:
            raise Problem(422, "bad-fault", str(error)) from None

    @app.post("/sandbox/webhooks", name="webhooks")
    async def webhooks(request: Request) -> HTTPResponse:
        own_page_only(request)
        body = json_object(request)
        if "again" in body:
            try:
                world.events.send_again(str(body["again"]))
            except StripeError as error:
                raise Problem(404, "unknown-event", str(error)) from None
            return json_response({"status": "sent again"})
        counts = {name: body.get(name, 0) for name in ("twice", "never")}
        if any(type(value) is not int or not 0 <= value <= 10_000 for value in counts.values()):
            raise Problem(422, "bad-field", "twice and never: whole numbers from 0 are expected.")
        world.events.trouble = Trouble(**counts, shuffle=body.get("shuffle") is True)
        return json_response(asdict(world.events.trouble))

    @app.post("/sandbox/declines", name="declines")
    async def declines(request: Request) -> HTTPResponse:
        """The next authorization is declined with this code, whatever the card."""
        own_page_only(request)
        body = json_object(request)
        fields = {name: body.get(name) for name in ("code", "advice", "network")}
        if not isinstance(fields["code"], str) or any(not isinstance(one, str | None) for one in fields.values()):
            raise Problem(422, "bad-field", "code (and advice, network): words are expected.")
        world.intents.next_declines.append(Decline(fields["code"], fields["advice"], fields["network"]))
        return json_response({"waiting": len(world.intents.next_declines)}, 201)

    @app.post("/sandbox/checkout/<session_id:str>/expire", name="expire")
    async def expire(request: Request, session_id: str) -> HTTPResponse:
        own_page_only(request)
        try:
            world.checkout.expire(world.shelf.get("checkout.session", session_id))
        except StripeError as error:
            raise Problem(404 if error.status == 404 else 409, "not-open", str(error)) from None
        world.shelf.save()
        return json_response({"status": "expired"})


def _form(request: Request) -> dict[str, str]:
    fields = parse_qs(request.body.decode(errors="replace"), keep_blank_values=True, max_num_fields=20)
    return {name: values[0] for name, values in fields.items()}
