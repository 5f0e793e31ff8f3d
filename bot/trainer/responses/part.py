"""The desk's routes for what the bot says."""

from __future__ import annotations

import asyncio

from sanic import Blueprint, HTTPResponse, Request

from bot.trainer.corpus.part import Book, as_problems, text_field
from bot.trainer.responses.words import NotSayable, Words, filled
from chargeline.web import Problem, json_object, json_response


def blueprint(words: Words, book: Book) -> Blueprint:
    routes = Blueprint("responses", url_prefix="/api/responses")
    book.undoing["response"] = words.undo

    @routes.get("", name="list")
    async def listed(request: Request) -> HTTPResponse:
        return json_response(await asyncio.to_thread(words.overview))

    @routes.post("/preview", name="preview")
    async def preview(request: Request) -> HTTPResponse:
        body = json_object(request)
        text, language = text_field(body, "text"), text_field(body, "language", 10)
        return json_response(await asyncio.to_thread(words.preview, text, language, str(body.get("channel") or "")))

    @routes.post("/reword", name="reword")
    async def reword(request: Request) -> HTTPResponse:
        """`old`: the text that the trainer saw; null where there was none. `channel`: "" for all that have no text of their own."""
        body = json_object(request)
        language, name = text_field(body, "language", 10), text_field(body, "name", 200)
        new, old, channel = text_field(body, "text"), body.get("old"), body.get("channel", "")
        if not (old is None or isinstance(old, str)) or not isinstance(channel, str):
            raise Problem(400, "bad-field", "old: the text as it was, or null; channel: its name, or empty.")
        if old == new:
            raise Problem(400, "bad-field", "Nothing has changed.")
        try:
            with as_problems():
                change = await asyncio.to_thread(words.reword, language, name, channel, old, new)
        except NotSayable as error:
            raise Problem(400, "not-sayable", str(error)) from error
        where = f"{language}{', ' + channel if channel else ''}"
        summary = f"{'Translated' if old is None and not channel else 'Reworded'} {name} ({where}): {filled(new)}"
        return json_response(await book.record(request.ctx.trainer, "response", summary, [change.as_json()]))

    return routes
