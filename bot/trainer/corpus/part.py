"""The desk's routes for the training data: counts and health, the examples, changes of single ones, what was done and undoing it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog
from sanic import Blueprint, HTTPResponse, Request

from bot.trainer import branch
from bot.trainer.base import Desk, LanguageModelAway
from bot.trainer.corpus import health
from bot.trainer.corpus.corpus import Change, Corpus, Row, UnknownIntent, language_of
from bot.trainer.corpus.marked import NotAnExample, Span, clean_text, read_marks, write_marks
from bot.trainer.corpus.nlufile import BrokenFile, NotEditable, NotHere
from bot.trainer.corpus.validating import Validation, validate
from bot.trainer.journal import Journal
from bot.trainer.safefile import ChangedMeanwhile
from chargeline.web import Problem, json_object, json_response

log = structlog.get_logger(__name__)

_PAGE = 200
Undo = Callable[[Sequence[dict[str, Any]]], None]


@dataclass(slots=True)
class Book:
    """The data with the record of what was done to it; shared by the parts that change either."""

    corpus: Corpus
    journal: Journal
    desk: Desk
    undoing: dict[str, Undo]  # by the kind of change, for parts that change other files

    async def change(self, work: Callable[[], Sequence[Change] | Change]) -> list[Change]:
        """Runs a change of the data; raises Problems that say what to do where it cannot be made."""
        with as_problems():
            done = await asyncio.to_thread(work)
        return [done] if isinstance(done, Change) else list(done)

    async def record(
        self,
        trainer: str,
        what: str,
        summary: str,
        changes: Sequence[dict[str, Any]] = (),
        messages: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Notes the decision and commits it; `warning` says why there is no commit where there should be one."""
        number = await self.journal.record(trainer, what, summary, self.desk.clock.now(), changes, messages)
        return {
            "decision": number,
            "summary": summary,
            "warning": await self.commit(trainer, summary) if changes else None,
        }

    async def commit(self, trainer: str, summary: str) -> str | None:
        if not self.desk.settings.desk_branch:
            return None
        try:
            await asyncio.to_thread(
                branch.commit,
                self.desk.folder,
                self.desk.settings.desk_branch,
                ["data/nlu", "domain/responses"],
                summary,
                trainer,
            )
        except (branch.NoCommit, OSError) as error:
            log.warning("desk_commit_failed", why=str(error))
            return f"The change is made; it could not be committed to the branch: {error}"
        return None

    async def undo(self, number: int, trainer: str) -> dict[str, Any]:
        decision = await self.journal.decision(number)
        if decision is None:
            raise Problem(404, "no-such-decision", "There is no such decision.")
        if decision.undone_at is not None:
            raise Problem(409, "undone-already", f"{decision.undone_by} has undone this already.")
        kinds = {str(change.get("kind", "data")) for change in decision.changes}
        with as_problems():
            for kind in kinds:
                mine = [change for change in decision.changes if str(change.get("kind", "data")) == kind]
                await asyncio.to_thread(self.undoing[kind], mine)
        await self.journal.undone(number, trainer, self.desk.clock.now())
        warning = await self.commit(trainer, f"Undone: {decision.summary}") if decision.changes else None
        return {"undone": number, "summary": decision.summary, "warning": warning}


class as_problems:  # noqa: N801 - a context manager, named as one reads it
    """Turns what files and data refuse into Problems that say what to do."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        match error:
            case UnknownIntent():
                raise Problem(400, "unknown-intent", str(error)) from error
            case NotAnExample():
                raise Problem(400, "not-an-example", str(error)) from error
            case NotHere():
                raise Problem(409, "not-here", f"{error} Somebody has changed it meanwhile; look again.") from error
            case ChangedMeanwhile():
                raise Problem(409, "changed-meanwhile", f"{error}. Nothing was written; try once more.") from error
            case NotEditable():
                raise Problem(409, "not-editable", str(error)) from error
            case BrokenFile():
                raise Problem(
                    409, "broken-file", f"The file cannot be read ({error}), so nothing was written."
                ) from error
            case OSError():
                raise Problem(507, "cannot-write", f"The file cannot be written: {error.strerror or error}") from error


def undo_in(corpus: Corpus) -> Undo:
    def undo(changes: Sequence[dict[str, Any]]) -> None:
        corpus.undo([Change(**{key: value for key, value in one.items() if key != "kind"}) for one in changes])

    return undo


def spans_of(raw: Any) -> list[Span]:
    """Raises a 400 Problem."""
    if raw is None:
        return []
    try:
        return [Span(int(one["start"]), int(one["end"]), str(one["entity"])) for one in raw]
    except (TypeError, KeyError, ValueError):
        raise Problem(400, "bad-field", "spans: a list of start, end and entity is expected.") from None


def text_field(body: dict[str, Any], name: str, most: int = 2000) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise Problem(400, "bad-field", f"{name}: a text of at most {most} characters is expected.")
    return value


def line_of(text: str, spans: Sequence[Span]) -> str:
    """The example's line, its spans moved along where cleaning the text shifts it. Raises a 400 Problem."""
    with as_problems():
        clean = clean_text(text)
        moved = []
        at = 0
        for span in sorted(spans, key=lambda one: one.start):
            inside = re.sub(r"\s+", " ", text[span.start : span.end]).strip()
            place = clean.find(inside, at) if inside else -1
            if place < 0:
                raise NotAnExample("A marked part is not in the text.")
            moved.append(Span(place, place + len(inside), span.entity))
            at = place + len(inside)
        return write_marks(clean, moved)


@asynccontextmanager
async def opened(desk: Desk) -> AsyncIterator[Book]:
    corpus = Corpus(desk.folder, desk.data_changed)
    journal = Journal(desk.var / "journal.sqlite3")
    await journal.open()
    try:
        yield Book(corpus, journal, desk, {"data": undo_in(corpus)})
    finally:
        await journal.close()


def blueprint(book: Book) -> Blueprint:
    routes = Blueprint("data", url_prefix="/api/data")
    corpus, desk = book.corpus, book.desk
    validation = Validation()
    tasks: set[asyncio.Task[None]] = set()
    looked: dict[str, dict[str, Any]] = {}  # health by the data's version: it takes a moment

    @routes.get("", name="overview")
    async def overview(request: Request) -> HTTPResponse:
        return json_response(await asyncio.to_thread(_overview, corpus))

    @routes.get("/examples", name="examples")
    async def examples(request: Request) -> HTTPResponse:
        wanted = {key: request.args.get(key, "") for key in ("intent", "language", "q", "file")}
        rows = await asyncio.to_thread(_find, corpus, wanted)
        return json_response({"count": len(rows), "examples": [health.row_json(row) for row in rows[:_PAGE]]})

    @routes.get("/health", name="health")
    async def look(request: Request) -> HTTPResponse:
        version = await asyncio.to_thread(corpus.version)
        if version not in looked:
            looked.clear()
            looked[version] = {"findings": await asyncio.to_thread(_findings, corpus), "version": version}
        return json_response({**looked[version], "alike": "alike" in request.args and await _alike(desk, corpus)})

    @routes.post("/add", name="add")
    async def add(request: Request) -> HTTPResponse:
        body = json_object(request)
        language, intent = text_field(body, "language", 10), text_field(body, "intent", 100)
        line = line_of(text_field(body, "text"), spans_of(body.get("spans")))
        done = await book.change(lambda: corpus.add(language, intent, [line]))
        if not done:
            raise Problem(409, "there-already", f"This is an example of {intent} already.")
        summary = f"Added to {intent} ({language}): {line}"
        return json_response(await book.record(request.ctx.trainer, "added", summary, [one.as_json() for one in done]))

    @routes.post("/remove", name="remove")
    async def remove(request: Request) -> HTTPResponse:
        body = json_object(request)
        file, intent, line = (text_field(body, name) for name in ("file", "intent", "line"))
        done = await book.change(lambda: corpus.remove(file, intent, line))
        summary = f"Removed from {intent} ({language_of(file)}): {line}"
        return json_response(
            await book.record(request.ctx.trainer, "removed", summary, [one.as_json() for one in done])
        )

    @routes.post("/move", name="move")
    async def move(request: Request) -> HTTPResponse:
        body = json_object(request)
        file, intent, line, to = (text_field(body, name) for name in ("file", "intent", "line", "to"))
        if to == intent:
            raise Problem(400, "bad-field", "It is an example of that already.")
        done = await book.change(lambda: corpus.relabel(file, intent, line, to))
        summary = f"Moved from {intent} to {to} ({language_of(file)}): {line}"
        return json_response(await book.record(request.ctx.trainer, "moved", summary, [one.as_json() for one in done]))

    @routes.post("/reword", name="reword")
    async def reword(request: Request) -> HTTPResponse:
        body = json_object(request)
        file, intent, line = (text_field(body, name) for name in ("file", "intent", "line"))
        if read_marks(line).rich:
            raise Problem(
                409, "not-editable", "This example's marks say more than the desk can write; edit it by hand."
            )
        new = line_of(text_field(body, "text"), spans_of(body.get("spans")))
        if new == line:
            raise Problem(400, "bad-field", "Nothing has changed.")
        done = await book.change(lambda: corpus.reword(file, intent, line, new))
        summary = f"Reworded in {intent} ({language_of(file)}): {line} → {new}"
        return json_response(
            await book.record(request.ctx.trainer, "reworded", summary, [one.as_json() for one in done])
        )

    @routes.get("/history", name="history")
    async def history(request: Request) -> HTTPResponse:
        return json_response({"decisions": [one.as_json() for one in await book.journal.latest(100)]})

    @routes.post("/undo", name="undo")
    async def undo(request: Request) -> HTTPResponse:
        number = json_object(request).get("decision")
        if not isinstance(number, int) or isinstance(number, bool):
            raise Problem(400, "bad-field", "decision: its number is expected.")
        return json_response(await book.undo(number, request.ctx.trainer))

    @routes.get("/validation", name="validation")
    async def validated(request: Request) -> HTTPResponse:
        return json_response(await _told(validation, corpus))

    @routes.post("/validation", name="validate")
    async def start(request: Request) -> HTTPResponse:
        if not validation.running:
            validation.running, validation.passed, validation.said = True, None, []
            validation.version = await asyncio.to_thread(corpus.version)
            validation.started_by = request.ctx.trainer
            task = asyncio.create_task(validate(desk.folder, validation))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        return json_response(await _told(validation, corpus), 202)

    @routes.before_server_stop
    async def end(app: Any) -> None:
        for task in list(tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return routes


async def _told(validation: Validation, corpus: Corpus) -> dict[str, Any]:
    version = await asyncio.to_thread(corpus.version)
    return {
        "running": validation.running,
        "passed": validation.passed,
        "said": validation.said,
        "started_by": validation.started_by,
        "of_present_data": validation.version == version,
    }


def _overview(corpus: Corpus) -> dict[str, Any]:
    counts = Counter((row.intent, row.language) for row in corpus.rows())
    languages = corpus.languages()
    return {
        "languages": languages,
        "entities": corpus.entities(),
        "intents": [
            {"name": name, "counts": {language: counts[name, language] for language in languages}}
            for name in corpus.intents()
        ],
        "broken": [{"file": one.file, "line": one.line, "reason": one.reason} for one in corpus.broken()],
        "version": corpus.version(),
    }


def _find(corpus: Corpus, wanted: dict[str, str]) -> list[Row]:
    words = wanted["q"].lower()
    return [
        row
        for row in corpus.rows()
        if wanted["intent"] in {"", row.intent}
        and wanted["language"] in {"", row.language}
        and wanted["file"] in {"", row.file}
        and words in read_marks(row.line).text.lower()
    ]


def _findings(corpus: Corpus) -> list[dict[str, Any]]:
    held_out = health.held_out_rows(corpus.folder)
    found = health.findings(corpus.rows(), corpus.broken(), corpus.passed_over(), corpus.entities(), held_out)
    return [one.as_json() for one in found]


async def _alike(desk: Desk, corpus: Corpus) -> dict[str, Any]:
    """Near-duplicates with two labels; these need the language model, which may be away."""
    if desk.language is None:
        return {"away": "The language model is not part of this desk."}
    rows = await asyncio.to_thread(corpus.rows)
    texts = [read_marks(row.line).text for row in rows]
    try:
        found = health.near_pairs(rows, await desk.language.twins(texts, health.ALIKE))
    except LanguageModelAway as error:
        return {"away": str(error)}
    return {"finding": None if found is None else found.as_json()}
