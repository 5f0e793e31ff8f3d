"""The desk's routes for the inbox: what is worth a look, the conversation around it, and the decisions on it."""

from __future__ import annotations

from typing import Any

from sanic import Blueprint, HTTPResponse, Request

from bot.trainer.base import LanguageModelAway
from bot.trainer.corpus.corpus import Change
from bot.trainer.corpus.part import Book, line_of, spans_of, text_field
from bot.trainer.inbox.signals import Line, Message
from bot.trainer.inbox.traffic import TrafficAway
from bot.trainer.inbox.worth import Group, Inbox, reasons_in
from chargeline.web import Problem, json_object, json_response

_PAGE = 100
_AROUND = 40  # lines of the conversation before and after
_MOST_MESSAGES = 500
_MOST_EXAMPLES = 50


def blueprint(inbox: Inbox, book: Book) -> Blueprint:
    routes = Blueprint("inbox", url_prefix="/api/inbox")

    @routes.get("", name="list")
    async def listed(request: Request) -> HTTPResponse:
        everything = request.args.get("reason") == "all"
        messages = [one for one in await _asked(inbox) if _wanted(one, request) and (one.reasons or everything)]
        groups, note = await inbox.groups(messages)
        counts = reasons_in(groups)
        if everything:
            groups.sort(key=lambda group: -max(one.at.timestamp() for one in group.messages))
        elif reason := request.args.get("reason"):
            groups = [group for group in groups if any(reason in one.reasons for one in group.messages)]
        return json_response(
            {
                "groups": [_group(group) for group in groups[:_PAGE]],
                "count": len(groups),
                "messages": sum(len(group.messages) for group in groups),
                "reasons": counts,
                "note": note,
            }
        )

    @routes.get("/message/<message_id:str>", name="message")
    async def one(request: Request, message_id: str) -> HTTPResponse:
        """The conversation around the message, and what it may mean."""
        lines, line = await _found(inbox, message_id)
        at = lines.index(line)
        marked = await book.journal.marked()
        return json_response(
            {
                "lines": [_line(each, marked) for each in lines[max(0, at - _AROUND) : at + _AROUND]],
                "suggestions": await _suggestions(inbox, line),
            }
        )

    @routes.post("/label", name="label")
    async def label(request: Request) -> HTTPResponse:
        """`examples` become training data; `messages` are decided on by it."""
        body = json_object(request, limit=1 << 19)
        messages, examples = _messages(body), body.get("examples")
        if not isinstance(examples, list) or not 1 <= len(examples) <= _MOST_EXAMPLES:
            raise Problem(400, "bad-field", f"examples: 1 to {_MOST_EXAMPLES} of them are expected.")
        wanted = [_example(one) for one in examples]
        already = await book.journal.decided()
        if set(messages) & already:
            raise Problem(
                409, "decided-already", "Somebody has decided on this message meanwhile; the list is out of date."
            )

        def work() -> list[Change]:
            done: list[Change] = []
            try:
                for language, intent, line in wanted:
                    done += book.corpus.add(language, intent, [line])
            except Exception:
                book.corpus.undo(done)  # all of the decision, or nothing
                raise
            return done

        done = await book.change(work)
        intents = " and ".join(dict.fromkeys(intent for _, intent, _ in wanted))
        summary = f"Labelled {intents}: {wanted[0][2]}"
        if len(wanted) > 1:
            summary += f" (and {len(wanted) - 1} more)"
        changes = [change.as_json() for change in done]
        told = await book.record(request.ctx.trainer, "labelled", summary, changes, messages)
        return json_response({**told, "added": len(done), "known": len(wanted) - len(done)})

    @routes.post("/skip", name="skip")
    async def skip(request: Request) -> HTTPResponse:
        messages = _messages(json_object(request))
        summary = f"Skipped {len(messages)} message{'s' if len(messages) > 1 else ''}"
        return json_response(await book.record(request.ctx.trainer, "skipped", summary, (), messages))

    @routes.post("/wrong", name="wrong")
    async def wrong(request: Request) -> HTTPResponse:
        """Marks a message as misunderstood, so that it comes first; `wrong: false` takes the mark away."""
        body = json_object(request)
        message_id = text_field(body, "message", 200)
        await _found(inbox, message_id)
        if body.get("wrong") is False:
            await book.journal.unmark(message_id)
        else:
            await book.journal.mark(message_id, request.ctx.trainer, book.desk.clock.now())
        return json_response({"message": message_id, "wrong": body.get("wrong") is not False})

    return routes


async def _asked(inbox: Inbox) -> list[Message]:
    try:
        return await inbox.messages()
    except TrafficAway as error:
        raise Problem(503, "front-door-away", str(error)) from error


async def _found(inbox: Inbox, message_id: str) -> tuple[list[Line], Line]:
    try:
        traffic = await inbox.traffic()
    except TrafficAway as error:
        raise Problem(503, "front-door-away", str(error)) from error
    for lines in traffic.lines.values():
        for line in lines:
            if line.id == message_id and line.author == "driver":
                return lines, line
    raise Problem(404, "no-such-message", "This message is not among the recent ones any more.")


async def _suggestions(inbox: Inbox, line: Line) -> dict[str, Any]:
    """`meanings`: what the live model thinks now; `away`: why it cannot be asked."""
    try:
        meanings, entities = await inbox.understood_now(line.text)
    except LanguageModelAway as error:
        return {"meanings": [], "spans": [], "away": str(error)}
    spans = [
        {"start": one["start"], "end": one["end"], "entity": one["entity"]}
        for one in entities
        if isinstance(one.get("start"), int) and isinstance(one.get("end"), int) and one.get("entity")
    ]
    return {"meanings": meanings[:5], "spans": spans, "away": None}


def _wanted(message: Message, request: Request) -> bool:
    asked = {key: request.args.get(key, "") for key in ("channel", "language", "intent", "q")}
    return (
        asked["channel"] in {"", message.channel}
        and asked["language"] in {"", message.language}
        and asked["intent"] in {"", message.understood}
        and asked["q"].lower() in message.text.lower()
    )


def _messages(body: dict[str, Any]) -> list[str]:
    messages = body.get("messages")
    if (
        not isinstance(messages, list)
        or not 1 <= len(messages) <= _MOST_MESSAGES
        or not all(isinstance(one, str) and 0 < len(one) <= 200 for one in messages)
    ):
        raise Problem(400, "bad-field", f"messages: 1 to {_MOST_MESSAGES} ids of messages are expected.")
    return list(dict.fromkeys(messages))


def _example(raw: Any) -> tuple[str, str, str]:
    if not isinstance(raw, dict):
        raise Problem(400, "bad-field", "An example needs text, intent and language.")
    line = line_of(text_field(raw, "text"), spans_of(raw.get("spans")))
    return text_field(raw, "language", 10), text_field(raw, "intent", 100), line


def _group(group: Group) -> dict[str, Any]:
    first = group.messages[0]
    return {
        "id": first.id,
        "usefulness": round(group.usefulness, 2),
        "reasons": list(dict.fromkeys(reason for one in group.messages for reason in one.reasons)),
        "language": first.language,
        "understood": first.understood,
        "confidence": first.ranking[0][1] if first.ranking else None,
        "meant": next((one.meant for one in group.messages if one.meant), None),
        "messages": [_message(one) for one in group.messages[:_MOST_MESSAGES]],
    }


def _message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "text": message.text,
        "at": message.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "channel": message.channel,
        "language": message.language,
        "ranking": [[name, round(share, 3)] for name, share in message.ranking],
        "reasons": list(message.reasons),
        "new_words": list(message.new_words),
        "conversation": message.conversation,
    }


def _line(line: Line, marked: set[str]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": line.id,
        "author": line.author,
        "text": line.text,
        "at": line.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "choices": list(line.choices),
    }
    if line.author == "driver":
        told["understood"] = (line.understood or {}).get("intent")
        told["confidence"] = (line.understood or {}).get("confidence")
        told["wrong"] = line.id in marked
        told["kind"] = line.kind
    return told
