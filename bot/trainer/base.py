"""What every part of the desk is handed, and what parts offer to one another.

A part is a function `async with part(desk) as blueprint`: it opens what it needs, and its routes lie under `/api/` and are reached
by signed-in trainers only (`request.ctx.trainer` is who). `bot.trainer.app` lists the parts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sanic import Blueprint
from sanic.blueprints import BlueprintGroup

from chargeline.clock import Clock
from chargeline.settings import Settings


class LanguageModelAway(Exception):
    """The process that holds the language model does not answer now; the message says why."""


class LanguageModel(Protocol):
    """What the trainer process (bot/trainer/models) can say of texts. All raise LanguageModelAway."""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of unit length a text; texts that mean the same lie close."""
        ...

    async def group(self, texts: Sequence[str], alike: float = 0.8) -> list[list[int]]:
        """Places of texts that mean nearly the same, by group; the first of a group is the earliest in `texts`."""
        ...

    async def twins(self, texts: Sequence[str], alike: float) -> list[tuple[int, int, float]]:
        """Pairs of places whose texts are at least so alike, the most alike first, and how alike; at most some thousand."""
        ...

    async def parse(self, texts: Sequence[str], model: str = "live") -> list[dict[str, Any]]:
        """As Rasa's `/model/parse`: `intent`, `intent_ranking`, `entities`. `model`: "live", or the id of a candidate."""
        ...


@dataclass(slots=True)
class Desk:
    """`folder` holds `data/`, `domain/` and `config.yml`. `language` is set by the part that keeps the models.

    `traffic` is set by the part that reads drivers' messages: the texts of so many recent ones, masked, newest first.
    """

    settings: Settings
    folder: Path
    clock: Clock
    language: LanguageModel | None = None
    traffic: Callable[[int], Awaitable[Sequence[str]]] | None = None
    changed: list[Callable[[], None]] = field(default_factory=list)  # told when data/ or domain/ was written

    @property
    def var(self) -> Path:
        """Where the desk keeps its own records."""
        return self.settings.var / "desk"

    def data_changed(self) -> None:
        for told in self.changed:
            told()


Part = Callable[[Desk], AbstractAsyncContextManager[Blueprint | BlueprintGroup]]
