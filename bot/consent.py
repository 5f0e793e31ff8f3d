"""Carrier keywords of SMS: which texts opt a number out or in, and which ask for help.

Only a message that is nothing but the word counts, in any case, as carriers match it; free words ("please leave me
alone") are the dialogue's to understand.
"""

from __future__ import annotations

import re

from bot.store.model import Kind

OPT_OUT = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt-out", "arret"})
OPT_IN = frozenset({"start", "yes", "unstop"})
HELP = frozenset({"help", "info"})
KEYWORDS = OPT_OUT | OPT_IN | HELP

_ACCENTS = str.maketrans("êéè", "eee")
_AROUND = re.compile(r"^[\s\"'“”«»(]+|[\s\"'“”«».!,)]+$")


def keyword(text: str) -> str:
    """The text as keywords are compared: lower case, no accents, no punctuation around it."""
    return _AROUND.sub("", text).lower().translate(_ACCENTS)


def sms_kind(text: str, opted_out: bool) -> Kind:
    """STOP, HELP, RESUME or TEXT. START and YES opt in only a number that had opted out; else they are words."""
    word = keyword(text)
    if word in OPT_OUT:
        return Kind.STOP
    if opted_out and word in OPT_IN:
        return Kind.RESUME
    if word in HELP:
        return Kind.HELP
    return Kind.TEXT
