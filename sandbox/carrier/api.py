"""The carrier's HTTP side: Twilio's and Meta's routes as the bot calls them, and the phones' own for the page and for tests.

Every request of the bot is held against the recorded field tables; one that they do not allow is refused as the real
service refuses it. Like the other sandbox pages it has no keys and refuses pages of other origins.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import orjson
from sanic import HTTPResponse, Request, Sanic
from sanic.response import raw

from chargeline.web import Problem, add_health, install_problem_details, json_object, json_response
from sandbox.carrier.manners import TAKEN_ALL_THE_SAME
from sandbox.carrier.network import Message, NotTaken
from sandbox.carrier.phones import add_phones
from sandbox.carrier.world import World

_HERE = Path(__file__).parent
_META_CODES = {63016: 131047, 21610: 131026}


@cache
def table(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(orjson.loads((_HERE / f"{name}.json").read_bytes()))


def complaint(name: str, fields: Any) -> str | None:
    """What the recorded table says against a request; None where nothing."""
    for error in table(name).iter_errors(fields):
        return f"{'/'.join(str(part) for part in error.instance_path) or 'request'}: {error.message}"
    return None


def build(world: World, random: Random, name: str = "carrier") -> Sanic[Any, Any]:
    app: Sanic[Any, Any] = Sanic(name, configure_logging=False)
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.REQUEST_MAX_SIZE = 16 * 2**20
    app.config.MOTD = False
    app.config.TOUCHUP = False
    install_problem_details(app)

    async def ready() -> str | None:
        return None

    add_health(app, ready)
    _add_twilio(app, world, random)
    _add_meta(app, world, random)
    add_phones(app, world)
    return app


async def _misbehave(request: Request, world: World, random: Random) -> str | None:
    """Takes its time, and says which failure this request gets. `lost-before` breaks the connection here."""
    manners = world.postman.manners
    if manners.answer_s:
        await asyncio.sleep(manners.answer_s)
    failure = manners.failure(random)
    if failure == "lost-before":
        _hang_up(request)
    return failure


def _no_answer(request: Request, failure: str) -> HTTPResponse:
    """The message was taken, and the bot is not told: the connection breaks, or something before the carrier gives up."""
    if failure == "lost-after":
        _hang_up(request)
    return raw(b"<html><h1>502 Bad Gateway</h1></html>", status=502, content_type="text/html")


def _hang_up(request: Request) -> None:
    transport = request.transport
    if isinstance(transport, asyncio.Transport):
        transport.abort()


def _add_twilio(app: Sanic[Any, Any], world: World, random: Random) -> None:
    account = world.account
    path = f"/2010-04-01/Accounts/{account.sid}/Messages.json"
    login = "Basic " + base64.b64encode(f"{account.sid}:{account.token}".encode()).decode()

    def refusal(status: int, code: int, why: str) -> HTTPResponse:
        body = {"code": code, "message": why, "status": status}
        return json_response({**body, "more_info": f"https://www.twilio.com/docs/errors/{code}"}, status)

    @app.post(path, name="twilio_send")
    async def send(request: Request) -> HTTPResponse:
        if request.headers.get("authorization") != login:
            return refusal(401, 20003, "Authenticate")
        failure = await _misbehave(request, world, random)
        if failure == "429":
            answer = refusal(429, 20429, "Too Many Requests")
            answer.headers["Retry-After"] = str(int(world.postman.manners.retry_after_s))
            return answer
        if failure == "500":
            return refusal(500, 20500, "Internal Server Error")
        if failure == "lost-before":
            return raw(b"")
        form = {key: values[0] for key, values in (request.form or {}).items()}
        wrong = complaint("twilio_message", form)
        if wrong is not None:
            return refusal(400, 21617 if "Body" in wrong and "longer" in wrong else 20001, wrong)
        whatsapp = form["To"].startswith("whatsapp:")
        number = form["To"].removeprefix("whatsapp:")
        text = form.get("Body") or f"[{form.get('ContentSid')}] {form.get('ContentVariables', '')}"
        message = world.new_message("sms", number, text)
        message.line = "whatsapp" if whatsapp else "sms"
        message.template = "ContentSid" in form
        message.callback = form.get("StatusCallback")
        try:
            world.take(message)
        except NotTaken as error:
            return refusal(400, error.code, str(error))
        if failure in TAKEN_ALL_THE_SAME:
            return _no_answer(request, failure)
        return json_response(_twilio_json(world, message), 201)

    @app.get(path, name="twilio_list")
    async def listed(request: Request) -> HTTPResponse:
        if request.headers.get("authorization") != login:
            return refusal(401, 20003, "Authenticate")
        await asyncio.sleep(world.postman.manners.answer_s)
        wanted = request.args.get("To", "").removeprefix("whatsapp:")
        size = int(request.args.get("PageSize", "50"))
        mine = [each for each in reversed(world.network.messages) if each.outbound and each.number == wanted]
        return json_response({"messages": [_twilio_json(world, each) for each in mine[:size]], "page_size": size})

    @app.post("/v2/Indicators/Typing.json", name="twilio_typing")
    async def typing(request: Request) -> HTTPResponse:
        if request.headers.get("authorization") != login:
            return refusal(401, 20003, "Authenticate")
        form = {key: values[0] for key, values in (request.form or {}).items()}
        if set(form) != {"messageId", "channel"} or form["channel"] != "whatsapp":
            return refusal(400, 20001, "messageId and channel=whatsapp are expected")
        if not world.network.show_typing(form["messageId"]):
            return refusal(404, 20404, "There is no such message")
        return json_response({"success": True})

    @app.get(f"/2010-04-01/Accounts/{account.sid}/Media/<media_id:str>", name="twilio_media")
    async def media(request: Request, media_id: str) -> HTTPResponse:
        if request.headers.get("authorization") != login:
            return refusal(401, 20003, "Authenticate")
        return _media(world, media_id)


def _twilio_json(world: World, message: Message) -> dict[str, Any]:
    return {
        "sid": message.id,
        "account_sid": world.account.sid,
        "to": message.number,
        "from": world.account.number,
        "body": message.text,
        "status": "queued",
        "num_segments": str(message.segments),
        "direction": "outbound-api",
        "date_created": format_datetime(datetime.now(UTC)),
        "error_code": None,
    }


def _media(world: World, media_id: str) -> HTTPResponse:
    found = world.network.media.get(media_id)
    if found is None:
        raise Problem(404, "not-found", "There is no such media.")
    return raw(found[0], content_type=found[1])


def _add_meta(app: Sanic[Any, Any], world: World, random: Random) -> None:
    account = world.account
    base = "/v23.0"

    def refusal(status: int, code: int, why: str) -> HTTPResponse:
        error = {"message": f"(#{code}) {why}", "type": "OAuthException", "code": code, "fbtrace_id": "A"}
        return json_response({"error": error}, status)

    def signed_in(request: Request) -> bool:
        return bool(request.headers.get("authorization") == f"Bearer {account.access_token}")

    @app.post(f"{base}/{account.phone_number_id}/messages", name="meta_send")
    async def send(request: Request) -> HTTPResponse:
        if not signed_in(request):
            return refusal(401, 190, "Invalid OAuth access token")
        failure = await _misbehave(request, world, random)
        if failure == "429":
            return refusal(400, 130429, "Rate limit hit")
        if failure == "500":
            return refusal(500, 131000, "Something went wrong")
        if failure == "lost-before":
            return raw(b"")
        body = json_object(request)
        if "status" in body:
            return marked(body)
        wrong = complaint("meta_message", body)
        if wrong is not None:
            return refusal(400, 100, f"Invalid parameter: {wrong}")
        number = _number_of(world, body)
        if number is None:
            return refusal(400, 131026, "Message undeliverable")
        message = world.new_message("whatsapp", number, _said(body))
        message.shape, message.entry = body, body.get("biz_opaque_callback_data")
        message.template = body["type"] == "template"
        try:
            world.take(message)
        except NotTaken as error:
            return refusal(400, _META_CODES.get(error.code, error.code), str(error))
        if failure in TAKEN_ALL_THE_SAME:
            return _no_answer(request, failure)
        contact = {"input": body.get("to") or body.get("recipient"), "wa_id": number.lstrip("+")}
        return json_response({"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message.id}]})

    def marked(body: dict[str, Any]) -> HTTPResponse:
        """Read, and where asked for the sign that an answer is being written."""
        wrong = complaint("meta_read", body)
        if wrong is None and not world.network.show_typing(str(body["message_id"])):
            wrong = "message_id: there is no such message"
        return refusal(400, 100, f"Invalid parameter: {wrong}") if wrong else json_response({"success": True})

    @app.get(f"{base}/<media_id:str>", name="meta_media")
    async def about_media(request: Request, media_id: str) -> HTTPResponse:
        if not signed_in(request):
            return refusal(401, 190, "Invalid OAuth access token")
        found = world.network.media.get(media_id)
        if found is None:
            return refusal(400, 100, "Unsupported get request")
        url = f"http://{request.host}/whatsapp-media/{media_id}"
        return json_response({"id": media_id, "url": url, "mime_type": found[1], "file_size": len(found[0])})

    @app.get("/whatsapp-media/<media_id:str>", name="meta_media_file")
    async def media(request: Request, media_id: str) -> HTTPResponse:
        if not signed_in(request):
            return refusal(401, 190, "Invalid OAuth access token")
        return _media(world, media_id)


def _number_of(world: World, body: dict[str, Any]) -> str | None:
    if "to" in body:
        return f"+{str(body['to']).lstrip('+')}"
    return world.number_of(str(body["recipient"]))


def _said(body: dict[str, Any]) -> str:
    if body["type"] == "text":
        return str(body["text"]["body"])
    if body["type"] == "interactive":
        return str(body["interactive"]["body"]["text"])
    parts = body["template"].get("components", [])
    return " ".join(str(one["text"]) for part in parts for one in part["parameters"]) or str(body["template"]["name"])
