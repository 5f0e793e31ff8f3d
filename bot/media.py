"""Pictures that drivers send: fetched from the carrier, checked, kept as files for the person who gets the case.

The bot does not look at them. Voice notes and videos are not kept: nobody would listen while the driver waits.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path

import structlog

from bot.channels.carrier import Carrier, NotFetched
from bot.store.model import Channel, Item, Media

log = structlog.get_logger(__name__)

_FETCH_S = 10.0  # all pictures of one message together; the driver waits meanwhile
_ID = re.compile(r"in_[0-9a-z]{26}-[0-9]")
# How files of these types begin.
_BEGINNINGS = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"....ftyp(?:heic|heix|mif1|avif)", re.DOTALL), "image/heic"),
)


def picture_type(content: bytes) -> str | None:
    """The media type that the bytes themselves show, or None where they are no picture."""
    return next((kind for beginning, kind in _BEGINNINGS if beginning.match(content)), None)


class Pictures:
    def __init__(self, folder: Path, carriers: Mapping[Channel, Carrier]) -> None:
        self._folder = folder
        self._carriers = carriers

    async def keep(self, item: Item, channel: Channel) -> int:
        """Fetches the item's pictures; how many are kept. Those kept before stay as they are."""
        carrier = self._carriers.get(channel)
        wanted = [media for media in item.media if media.type.startswith("image")]
        if carrier is None or not wanted:
            return 0
        try:
            async with asyncio.timeout(_FETCH_S):
                return sum([await self._keep_one(media, carrier, item) for media in wanted])
        except TimeoutError:
            log.warning("pictures_not_fetched_in_time", conversation=item.conversation, message=item.id)
            return sum(self._path(media.id).is_file() for media in wanted)

    def find(self, media_id: str) -> tuple[bytes, str] | None:
        """A kept picture and its type."""
        if not _ID.fullmatch(media_id) or not self._path(media_id).is_file():
            return None
        content = self._path(media_id).read_bytes()
        return content, picture_type(content) or "application/octet-stream"

    def _path(self, media_id: str) -> Path:
        return self._folder / media_id

    async def _keep_one(self, media: Media, carrier: Carrier, item: Item) -> bool:
        path = self._path(media.id)
        if path.is_file():
            return True
        try:
            content = await carrier.fetch(media.ref)
        except NotFetched as error:
            log.warning("picture_not_kept", conversation=item.conversation, media=media.id, why=str(error))
            return False
        kind = picture_type(content)
        if kind is None:
            log.warning("picture_not_kept", conversation=item.conversation, media=media.id, why="not a picture")
            return False
        await asyncio.to_thread(_write, path, content)
        log.info("picture_kept", conversation=item.conversation, media=media.id, type=kind, bytes=len(content))
        return True


def _write(path: Path, content: bytes) -> None:
    """All or nothing, readable by this user only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    partial.replace(path)
