"""The model server that Rasa polls: `GET /models/live` gives the live model, or 304 where Rasa has it already (ETag).

Behind a key of its own (MODEL_SERVER_KEY), outside the trainers' sign-in. What Rasa shows as its ETag is the model that it serves now,
so the desk knows which models are in use without asking.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sanic import HTTPResponse, Request
from sanic.response import empty, raw

from bot.trainer.models.shelf import Shelf, etag_of
from chargeline.web import Problem, bearer_key, same_secret

CANNOT_LOAD = "!"  # before the ETag of a model that this Rasa process could not load (bot/nlu/live_model.py)
POLLED_WITHIN_S = 30.0  # a Rasa process that has not asked for so long is taken for gone

_LONGEST_ETAG = 200


class ModelServer:
    def __init__(self, shelf: Shelf, key: str, now: Callable[[], float]) -> None:
        """`now`: seconds, monotonic."""
        self._shelf = shelf
        self._key = key
        self._now = now
        self._etag: tuple[Path, float, str] | None = None
        self._asked: dict[str, float] = {}

    def serving(self) -> dict[str, float]:
        """Ids of the models that Rasa processes have, each with the seconds since one of them last said so.

        "!" and an id: one that a process could not load.
        """
        now = self._now()
        self._asked = {etag: at for etag, at in self._asked.items() if now - at < POLLED_WITHIN_S}
        return {etag.replace('"', "").rpartition("-")[0]: round(now - at, 1) for etag, at in self._asked.items()}

    def answer(self, request: Request) -> HTTPResponse:
        if not same_secret(bearer_key(request), self._key):
            raise Problem(401, "wrong-key", "This key opens nothing here.")
        held = request.headers.get("if-none-match", "")
        self._heard(held)
        model = self._shelf.live()
        if model is None:
            raise Problem(404, "no-model", "There is no model yet.")
        etag = self._etag_of(model.file, model.made)
        if held in {etag, CANNOT_LOAD + etag}:
            return empty(304, {"ETag": etag})
        return raw(
            model.file.read_bytes(),
            headers={"ETag": etag, "filename": model.file.name},
            content_type="application/gzip",
        )

    def _heard(self, etag: str) -> None:
        if etag.removeprefix(CANNOT_LOAD).startswith('"') and len(etag) < _LONGEST_ETAG:
            self._asked[etag] = self._now()

    def _etag_of(self, file: Path, made: float) -> str:
        """Hashed once a file."""
        if self._etag is None or self._etag[:2] != (file, made):
            self._etag = (file, made, etag_of(file))
        return self._etag[2]
