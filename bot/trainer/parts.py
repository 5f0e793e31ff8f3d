"""The desk's parts, in the order in which they are opened and closed in reverse: a later one may use what an earlier one offers."""

from __future__ import annotations

from bot.trainer.base import Part
from bot.trainer.models.part import part as models
from bot.trainer.working import part as working

PARTS: list[Part] = [models, working]
