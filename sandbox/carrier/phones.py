"""The phones' API and page: text by hand, or from a test, over both lines; read what came; change the carrier's manners."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sanic import HTTPResponse, Request, Sanic
from sanic.response import raw

from chargeline.web import Problem, json_object, json_response
from sandbox.carrier.network import Line, Message
from sandbox.carrier.world import World

_PAGE = Path(__file__).parent / "page"
_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/phones.css": ("phones.css", "text/css; charset=utf-8"),
    "/phones.js": ("phones.js", "text/javascript; charset=utf-8"),
}
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_MOST_LETTERS = 4096


def add_phones(app: Sanic[Any, Any], world: World) -> None:
    app.on_request(_same_origin)
    for path, (file, kind) in _FILES.items():
        app.add_route(_page(file, kind), path, methods=["GET"], name=file.replace(".", "_"))

    @app.post("/v1/phones/<number:str>/messages", name="write")
    async def write(request: Request, number: str) -> HTTPResponse:
        """`{"line", "text"?, "media"?}`, `{"choice": {"token", "title", "row"?}}` or `{"place": {"latitude", "longitude", "name"?}}`."""
        number = _checked(number)
        body = json_object(request, limit=16 * 2**20)
        message = _written(world, number, body)
        return json_response({"id": message.id}, 202)

    @app.get("/v1/phones/<number:str>/messages", name="read")
    async def read(request: Request, number: str) -> HTTPResponse:
        number = _checked(number)
        after = request.args.get("after", "0")
        if not after.isascii() or not after.isdecimal() or len(after) > 9:
            raise Problem(400, "bad-field", "after: a number is expected.")
        rows = [_shown(seq, message) for seq, message in world.network.of(number, int(after))]
        typing = world.network.is_typing(number)
        return json_response({"messages": rows, "last": len(world.network.messages), "typing": typing})

    @app.get("/v1/manners", name="manners")
    async def manners(request: Request) -> HTTPResponse:
        return json_response(_manners(world))

    @app.put("/v1/manners", name="change_manners")
    async def change_manners(request: Request) -> HTTPResponse:
        try:
            world.postman.manners = world.postman.manners.changed(json_object(request))
        except ValueError as error:
            raise Problem(400, "bad-field", str(error)) from None
        return json_response(_manners(world))

    @app.get("/v1/bill", name="bill")
    async def bill(request: Request) -> HTTPResponse:
        """What was sent, and how many segments of SMS it took."""
        sent = world.network.sent()
        sms = [message for message in sent if message.line == "sms"]
        return json_response(
            {
                "sms": len(sms),
                "segments": sum(message.segments for message in sms),
                "ucs2": sum(message.encoding == "UCS-2" for message in sms),
                "whatsapp": len(sent) - len(sms),
                "webhooks_under_way": world.postman.under_way,
            }
        )


def _manners(world: World) -> dict[str, float]:
    manners = world.postman.manners
    return {name: getattr(manners, name) for name in manners.__dataclass_fields__}


def _written(world: World, number: str, body: dict[str, Any]) -> Message:
    choice, place, text = body.get("choice"), body.get("place"), body.get("text", "")
    if isinstance(choice, dict):
        token, title = str(choice.get("token", ""))[:256], str(choice.get("title", ""))[:100]
        return world.tap(number, token, title, row=choice.get("row") is True)
    if isinstance(place, dict):
        try:
            latitude, longitude = float(place["latitude"]), float(place["longitude"])
        except (KeyError, TypeError, ValueError):
            raise Problem(400, "bad-field", "place: latitude and longitude are expected.") from None
        return world.share_place(number, latitude, longitude, str(place.get("name", "")))
    line: Line
    if body.get("line") == "sms":
        line = "sms"
    elif body.get("line") == "whatsapp":
        line = "whatsapp"
    else:
        raise Problem(400, "bad-field", "line: sms or whatsapp is expected.")
    media = _picture(body.get("media"))
    if not isinstance(text, str) or len(text) > _MOST_LETTERS or not (text or media):
        raise Problem(400, "bad-field", f"text: a message of at most {_MOST_LETTERS} letters is expected.")
    return world.text(line, number, text, media)


def _picture(value: object) -> tuple[bytes, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise Problem(400, "bad-field", "media: {type, base64} is expected.")
    try:
        return base64.b64decode(str(value.get("base64", "")), validate=True), value["type"]
    except binascii.Error:
        raise Problem(400, "bad-field", "media.base64 is not base64.") from None


def _shown(seq: int, message: Message) -> dict[str, Any]:
    return {
        "seq": seq,
        "id": message.id,
        "line": message.line,
        "outbound": message.outbound,
        "text": message.text,
        "at": message.at.isoformat().replace("+00:00", "Z"),
        "status": message.status,
        "segments": message.segments,
        "encoding": message.encoding,
        "template": message.template,
        "media": message.media[1] if message.media else None,
        "interactive": (message.shape or {}).get("interactive"),
        "place": message.place,
    }


def _checked(raw_number: str) -> str:
    number = unquote(raw_number)  # browsers write the plus as %2B
    if not _NUMBER.fullmatch(number):
        raise Problem(400, "bad-field", "A phone number like +16135550123 is expected.")
    return number


def _page(file: str, kind: str) -> Any:
    content = (_PAGE / file).read_bytes()

    async def page(request: Request) -> HTTPResponse:
        return raw(content, content_type=kind, headers=_SECURITY)

    return page


async def _same_origin(request: Request) -> None:
    """A page of another site must not text in anybody's name."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Problem(403, "foreign-origin", "Only this page may do that.")
