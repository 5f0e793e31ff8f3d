"""The part of the desk where trainers work on words: the data, the inbox and the responses, which share one record of decisions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sanic import Blueprint
from sanic.blueprints import BlueprintGroup

from bot.trainer.base import Desk
from bot.trainer.corpus import part as data
from bot.trainer.inbox import part as inbox_routes
from bot.trainer.inbox.traffic import TrafficReader
from bot.trainer.inbox.worth import Inbox
from bot.trainer.responses import part as responses
from bot.trainer.responses.words import Words


@asynccontextmanager
async def part(desk: Desk) -> AsyncIterator[Blueprint | BlueprintGroup]:
    async with data.opened(desk) as book:
        reader = TrafficReader(desk.settings, desk.clock.monotonic)
        inbox = Inbox(desk, book.corpus, book.journal, reader)
        desk.traffic = inbox.texts
        try:
            yield Blueprint.group(
                data.blueprint(book),
                inbox_routes.blueprint(inbox, book),
                responses.blueprint(Words(desk.folder, desk.data_changed), book),
            )
        finally:
            desk.traffic = None
            await inbox.close()
            await reader.close()
