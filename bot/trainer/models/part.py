"""The models' part of the desk: its routes under `/api/models`, and `/models/live`, the model server that Rasa polls."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from sanic import Blueprint, HTTPResponse, Request
from sanic.response import raw

from bot.trainer.base import Desk
from bot.trainer.models import picture
from bot.trainer.models.server import ModelServer
from bot.trainer.models.shelf import Model, NoSuchModel, Shelf, ShelfError
from bot.trainer.models.training import PARTS, Busy, Job, Models, Refused
from bot.trainer.models.worker import LOG, Worker
from chargeline.processes import ROOT, model_worker
from chargeline.web import Problem, json_object, json_response

DESK = "the trainers' desk"  # who keeps the live model where the first label was written before the first training
_HISTORY = 50
_LONGEST_REASON = 500


@asynccontextmanager
async def part(desk: Desk) -> AsyncIterator[Blueprint]:
    async def traffic(most: int) -> Sequence[str]:
        # Asked when it is needed: the part that reads drivers' messages is opened after this one.
        return await desk.traffic(most) if desk.traffic is not None else []

    shelf = Shelf(ROOT / desk.settings.models_dir)
    worker = Worker(model_worker(desk.settings, desk.folder), desk.settings.var / LOG)
    models = Models(shelf, worker, desk.folder, desk.var, desk.clock, traffic, desk.settings.desk_days)
    models.forget_traffic()
    server = ModelServer(shelf, desk.settings.model_server_key, time.monotonic)
    desk.language = models
    desk.changed.append(lambda: shelf.pin(DESK, desk.clock.now()))
    try:
        yield routes_of(models, server)
    finally:
        await models.close()


def routes_of(models: Models, server: ModelServer) -> Blueprint:
    routes = Blueprint("models")
    shelf = models.shelf

    def job_json() -> dict[str, Any] | None:
        return None if models.job is None else models.job.as_json()

    def started(start: Any) -> HTTPResponse:
        """202 with the job; 409 where another one runs, 404 where there is no such model."""
        try:
            job: Job = start()
        except Busy as error:
            raise Problem(409, "busy", f"{error}. Wait for it, or cancel it.") from None
        except NoSuchModel as error:
            raise Problem(404, "no-such-model", str(error)) from None
        return json_response(job.as_json(), 202)

    def found(model_id: str) -> Model:
        try:
            return models.find(model_id)
        except NoSuchModel as error:
            raise Problem(404, "no-such-model", str(error)) from None

    @routes.get("/models/live", name="live")
    async def live(request: Request) -> HTTPResponse:
        return server.answer(request)

    @routes.get("/api/models", name="list")
    async def overview(request: Request) -> HTTPResponse:
        pointer, live, present = shelf.pointer(), shelf.live(), models.present()
        before = [one for one in (pointer.before if pointer else ()) if shelf.file(one).is_file()]
        return json_response(
            {
                "live": live.id if live else None,
                "decided": asdict(pointer) if pointer else None,
                "before": before[0] if before else None,
                "present": present,
                "changed": live is None or present != live.id,
                "models": [_row(one) for one in shelf.models()],
                "serving": server.serving(),
                "job": job_json(),
                "history": [asdict(one) for one in shelf.history()[:_HISTORY]],
            }
        )

    @routes.get("/api/models/history", name="history")
    async def history(request: Request) -> HTTPResponse:
        return json_response({"history": [asdict(one) for one in shelf.history()]})

    @routes.get("/api/models/job", name="job")
    async def job(request: Request) -> HTTPResponse:
        return json_response({"job": job_json()})

    @routes.post("/api/models/job/cancel", name="cancel")
    async def cancel(request: Request) -> HTTPResponse:
        await models.cancel()
        return json_response({"job": job_json()})

    @routes.post("/api/models/train", name="train")
    async def train(request: Request) -> HTTPResponse:
        body = json_object(request)
        then_compare, folds = _switch(body, "compare", True), _switch(body, "cross_validation", False)
        return started(lambda: models.train(request.ctx.trainer, then_compare=then_compare, cross_validation=folds))

    @routes.post("/api/models/rollback", name="rollback")
    async def roll_back(request: Request) -> HTTPResponse:
        why = _reason(json_object(request))
        try:
            model = models.roll_back(request.ctx.trainer, why)
        except ShelfError as error:
            raise Problem(409, "nothing-before", f"{str(error).capitalize()}.") from None
        return json_response({"live": model})

    @routes.get("/api/models/<model_id:str>", name="one")
    async def one(request: Request, model_id: str) -> HTTPResponse:
        model = found(model_id)
        return json_response({**_row(model), "card": model.card})

    @routes.get("/api/models/<model_id:str>/confusion.svg", name="confusion")
    async def confusion(request: Request, model_id: str) -> HTTPResponse:
        report = found(model_id).card.get("report")
        side = request.args.get("side", "candidate")
        if report is None or side not in {"candidate", "live"}:
            raise Problem(404, "not-compared", "This model has not been compared.")
        table = report["test"]["confusion"]
        title = f"Confusion matrix of {'the live model' if side == 'live' else 'this model'} on the test set"
        return raw(picture.confusion(table["labels"], table[side], title), content_type="image/svg+xml")

    @routes.post("/api/models/<model_id:str>/compare", name="compare")
    async def compare(request: Request, model_id: str) -> HTTPResponse:
        folds = _switch(json_object(request), "cross_validation", False)
        return started(lambda: models.compare(model_id, request.ctx.trainer, cross_validation=folds))

    @routes.post("/api/models/<model_id:str>/score", name="score")
    async def score(request: Request, model_id: str) -> HTTPResponse:
        part = json_object(request).get("part", "short")
        if part not in PARTS:
            raise Problem(400, "unknown-part", f"'part' is one of: {', '.join(PARTS)}.")
        return started(lambda: models.score(model_id, request.ctx.trainer, part))

    @routes.post("/api/models/<model_id:str>/promote", name="promote")
    async def promote(request: Request, model_id: str) -> HTTPResponse:
        body = json_object(request)
        try:
            models.promote(model_id, request.ctx.trainer, _reason(body), override=_switch(body, "override", False))
        except Refused as error:
            raise Problem(400 if error.slug == "no-reason" else 409, error.slug, str(error), stops=error.stops) from None
        except NoSuchModel as error:
            raise Problem(404, "no-such-model", str(error)) from None
        except ShelfError as error:
            raise Problem(409, "live-moved", str(error)) from None
        return json_response({"live": model_id})

    return routes


def _row(model: Model) -> dict[str, Any]:
    card, report = model.card, model.card.get("report")
    return {
        "id": model.id,
        "made": model.made,
        "by": card.get("by"),
        "examples": (card.get("trained") or {}).get("examples"),
        "against": report["against"] if report else None,
        "verdict": report["verdict"]["words"] if report else None,
        "may_promote": report["verdict"]["may_promote"] if report else None,
    }


def _reason(body: dict[str, Any]) -> str:
    why = body.get("why", "")
    if not isinstance(why, str) or len(why) > _LONGEST_REASON:
        raise Problem(400, "bad-reason", f"'why' is a text of at most {_LONGEST_REASON} characters.")
    return why


def _switch(body: dict[str, Any], name: str, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Problem(400, "bad-switch", f"'{name}' is true or false.")
    return value
