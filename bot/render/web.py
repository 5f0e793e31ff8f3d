"""A transcript line as the web page and the terminal client receive it; payloads stay here."""

from __future__ import annotations

from typing import Any

from bot.choices import token
from bot.store.model import BOT, PERSON, Entry

# What a reply may show beside its words; anything else in `custom` is between the processes and does not leave.
_SHOWN = frozenset({"chargers", "pay", "progress", "location", "rating"})


def entry_json(entry: Entry, language: str | None = None) -> dict[str, Any]:
    """`choices`: opaque tokens with titles. `own`: said by the front door itself. `language`: that of the words, where known."""
    shown: dict[str, Any] = {
        "id": entry.id,
        "seq": entry.seq,
        "author": entry.author,
        "text": entry.text,
        "at": entry.created_at.isoformat().replace("+00:00", "Z"),
    }
    if entry.author == BOT:
        shown["choices"] = [
            {"token": token(entry.id, index), "title": option.title} for index, option in enumerate(entry.options)
        ]
        shown["own"] = entry.own
    elif entry.author == PERSON:
        shown["agent"] = agent_of(entry)
    elif entry.client_id is not None:
        shown["client_id"] = entry.client_id
    if entry.custom is not None and entry.custom.get("kind") in _SHOWN:
        shown["custom"] = entry.custom
    if language is not None and entry.text:
        shown["lang"] = language
    return shown


def agent_of(entry: Entry) -> str:
    """Who of the operator's people wrote a line of theirs."""
    return str((entry.custom or {}).get("agent", ""))
