"""For the operator's people: `GET /v1/conversations/{id}/media/{media}` is a picture that the driver sent."""

from __future__ import annotations

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from bot.media import Pictures
from bot.store.base import BotStore
from chargeline.web import Problem, bearer_key, same_secret


def blueprint(key: str, store: BotStore, pictures: Pictures) -> Blueprint:
    routes = Blueprint("pictures")

    @routes.get("/v1/conversations/<conversation_id:str>/media/<media_id:str>", name="picture")
    async def picture(request: Request, conversation_id: str, media_id: str) -> HTTPResponse:
        if not key:
            raise Problem(503, "operator-key-missing", "Set OPERATOR_KEY, with which people open conversations.")
        if not same_secret(bearer_key(request), key):
            raise Problem(403, "wrong-key", "This key does not open conversations.")
        entry = await store.entry(media_id.rpartition("-")[0])
        found = pictures.find(media_id) if entry is not None and entry.conversation == conversation_id else None
        if found is None:
            raise Problem(404, "no-such-picture", "This conversation has no such picture, or it could not be kept.")
        content, kind = found
        headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"}
        return raw(content, content_type=kind, headers=headers)

    return routes
