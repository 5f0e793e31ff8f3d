"""A reply as a message of Meta's Cloud API: text, up to three buttons, a list, or a request for the driver's place. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bot.choices import token
from bot.render.capabilities import WHATSAPP_META as CAN
from bot.store.model import Option

_SPACES = re.compile(r"\s+")
# The one word that a list needs of its own: on the button that opens it.
_OPEN_LIST = {"en": "Choose", "es": "Elegir", "fr": "Choisir"}


def message(
    entry_id: str,
    text: str,
    options: Sequence[Option],
    custom: dict[str, Any] | None,
    body: str,
    language: str = "en",
) -> dict[str, Any]:
    """`body`: the text with its choices as numbered lines, sent where they fit neither buttons nor a list."""
    if options and 0 < len(text) <= CAN.interactive_text:
        choices = [(token(entry_id, index), option.title.strip()) for index, option in enumerate(options)]
        short = _distinct([title for _, title in choices], CAN.button_title)
        if len(choices) <= CAN.buttons and short and all(len(title) <= CAN.button_title for _, title in choices):
            return _interactive("button", text, {"buttons": [_button(name, title) for name, title in choices]})
        if len(choices) <= CAN.rows and _distinct([title for _, title in choices], CAN.row_title):
            rows = [_row(name, title) for name, title in choices]
            action = {"button": _OPEN_LIST.get(language, _OPEN_LIST["en"]), "sections": [{"rows": rows}]}
            return _interactive("list", text, action)
    if asks_for_place(custom) and not options and 0 < len(text) <= CAN.interactive_text:
        return _interactive("location_request_message", text, {"name": "send_location"})
    return {"type": "text", "text": {"body": body[: CAN.text], "preview_url": False}}


def template(name: str, text: str) -> dict[str, Any]:
    """`name`: template/language code, as in WHATSAPP_TEMPLATES. Its one variable is the whole text."""
    title, _, code = name.partition("/")
    parameters = [{"type": "text", "text": in_template(text)}]
    return {
        "type": "template",
        "template": {
            "name": title,
            "language": {"code": code or "en_US"},
            "components": [{"type": "body", "parameters": parameters}],
        },
    }


def in_template(text: str) -> str:
    """A variable of a template may hold no line break, tab or run of spaces."""
    return _SPACES.sub(" ", text).strip()[: CAN.interactive_text]


def asks_for_place(custom: dict[str, Any] | None) -> bool:
    """Whether the reply asks where the driver is (`custom: {"request": "location"}`)."""
    return custom is not None and custom.get("request") == "location"


def _distinct(titles: list[str], length: int) -> bool:
    shown = [title[:length] for title in titles]
    return all(shown) and len(set(shown)) == len(shown)


def _button(name: str, title: str) -> dict[str, Any]:
    return {"type": "reply", "reply": {"id": name, "title": title}}


def _row(name: str, title: str) -> dict[str, str]:
    if len(title) <= CAN.row_title:
        return {"id": name, "title": title}
    return {"id": name, "title": title[: CAN.row_title].rstrip(), "description": title[: CAN.row_description].rstrip()}


def _interactive(kind: str, text: str, action: dict[str, Any]) -> dict[str, Any]:
    return {"type": "interactive", "interactive": {"type": kind, "body": {"text": text}, "action": action}}
