"""Which messages opt a driver out or in and which ask for help: keywords as carriers match them, and free words. Pure.

The words are data, in consent.yml. What free words the patterns do not know is left to the dialogue's intent `opt_out`.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

import yaml

from bot.store.model import CARRIED, Channel, Kind

_WORDS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("consent.yml").read_text("utf-8"))
_CARRIER: dict[str, frozenset[str]] = {name: frozenset(words) for name, words in _WORDS["carrier"].items()}
_ALL: dict[str, frozenset[str]] = {name: words | frozenset(_WORDS["own"][name]) for name, words in _CARRIER.items()}

OPT_OUT, OPT_IN, HELP = _ALL["opt_out"], _ALL["opt_in"], _ALL["help"]
KEYWORDS = _CARRIER["opt_out"] | _CARRIER["opt_in"] | _CARRIER["help"]  # those that no text of ours may invite
_ANSWERS = frozenset(_WORDS["answers"])
_MOST_LETTERS = 200  # who wants no more messages says so shortly; in a long text it is about something else
_MEANT = re.compile("|".join(phrase for phrases in _WORDS["phrases"].values() for phrase in phrases))
_NEVER = re.compile("|".join(_WORDS["not"]))

_AROUND = re.compile(r"^[\s\"'“”«»(¡]+|[\s\"'“”«».!,)]+$")
_APOSTROPHES = str.maketrans("‘’´`", "''''")


def keyword(text: str) -> str:
    """The text as keywords are compared: lower case, no accents, no punctuation around it."""
    return _plain(_AROUND.sub("", text))


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFD", text.lower().translate(_APOSTROPHES))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def keyword_kind(text: str, opted_out: bool) -> Kind:
    """STOP, HELP, RESUME or TEXT. START and YES opt in only who had opted out; else they are words."""
    word = keyword(text)
    if word in OPT_OUT:
        return Kind.STOP
    if opted_out and word in OPT_IN:
        return Kind.RESUME
    if word in HELP:
        return Kind.HELP
    return Kind.TEXT


def asks_to_stop(text: str) -> bool:
    """Whether free words say "write to me no more", in English, Spanish or French."""
    if len(text) > _MOST_LETTERS or "?" in text:
        return False
    plain = re.sub(r"[^\w'\- ]+", " ", _plain(text))
    plain = re.sub(r"\s+", " ", plain)
    return _MEANT.search(plain) is not None and _NEVER.search(plain) is None


def kind_of(channel: Channel, text: str, opted_out: bool) -> Kind:
    """What the words mean for consent on this channel. On the page a bare "stop" is about the charge, never about messages."""
    kind = keyword_kind(text, opted_out)
    if kind is Kind.RESUME and (channel is Channel.SMS or keyword(text) not in _ANSWERS):
        return kind
    if kind in {Kind.STOP, Kind.HELP} and channel in CARRIED:
        return kind
    return Kind.STOP if asks_to_stop(text) else Kind.TEXT


def by_words(turn: str) -> str:
    """Source of a ledger row that the dialogue asked for in this turn."""
    return f"dialogue:{turn}"
