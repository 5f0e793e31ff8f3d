"""Takes out of a text what says who wrote it: numbers to call, addresses, links, plates, long numbers, names that are said. Pure.

For people who read drivers' words to train the model. Card numbers are gone before anything is stored (bot/pan.py). What chargers are
called by (up to six digits, a letter or three before them) and places stay, since they are what messages are about.
"""

from __future__ import annotations

import re

from bot.pan import mask_cards

_EMAIL = re.compile(r"[\w.+'-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\s?\.\s?[\w-]+)+", re.IGNORECASE)
_LINK = re.compile(r"\b(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|net|org|ca|fr|es|mx|io|app|me)/\S*", re.IGNORECASE)
# Seven digits and more, however they are broken up: phone numbers, account numbers, tags.
_LONG_NUMBER = re.compile(r"(?<!\w)(?!\d{4}-\d{2}-\d{2}\b)\+?\(?\d(?:[\s().\-–/]{0,2}\d){6,}(?!\w)")
# Several chargers by their numbers, which have one length: "1042 1043 and ...".
_CHARGERS = re.compile(r"\d{4}(?:[ /-]{1,2}\d{4})+|\d{5}(?:[ /-]{1,2}\d{5})+|\d{6}(?:[ /-]{1,2}\d{6})+")
_COORDINATES = re.compile(r"-?\d{1,3}\.\d{3,}\s?,\s?-?\d{1,3}\.\d{3,}")
_HANDLE = re.compile(r"(?<![\w.])@\w{3,}")
_PLATE = re.compile(
    r"(?P<said>\b(?:licen[cs]e\s+plate|number\s*plate|plates?|placas?|matr[ií]cula|plaque(?:\s+d['’]immatriculation)?|immatriculation|VIN)\b"
    r"(?:\s+(?:is|number|no\.?|es|est|n[uú]mero|num[eé]ro))*\s*[:#]?\s*)(?P<value>(?=\w+|\w+[\s-]\w*\d)(?:(?=\w*\d)[A-Z0-9]{2,17}|[A-Z]{1,3}(?=[\s-]\w*\d))(?:[\s-](?=\w*\d)[A-Z0-9]{2,5}){0,2})",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?P<said>\b(?i:my name is|my name['’]s|me llamo|mi nombre es|je m['’]appelle|mon nom est|soy|name\s*:)\s+)"
    r"(?P<value>[A-ZÀ-Þ][\w'’-]+(?:\s+[A-ZÀ-Þ][\w'’-]+){0,3})"
)
_SPEAKING = re.compile(
    r"(?P<said>\b(?i:this is|ici|je suis|i am|i['’]m)\s+)(?P<value>[A-ZÀ-Þ][\w'’-]+(?:\s+[A-ZÀ-Þ][\w'’-]+){0,2})"
    r"(?=\s*(?:[,.!;]|$|from\b|calling\b|here\b|speaking\b))"
)
_STREET = re.compile(
    r"\b\d{1,6}\s+(?:[A-ZÀ-Þ][\w'’.-]*\s+){1,4}(?:street|st|avenue|ave|road|rd|boulevard|blvd|drive|dr|lane|ln|court|ct|way|crescent|cres)\b\.?",
    re.IGNORECASE,
)
_STREET_BEFORE = re.compile(
    r"\b\d{1,6},?\s+(?:rue|avenue|boulevard|chemin|calle|avenida|av\.|carrera)\s+(?:(?:de|du|des|la|le|los|las|el|l['’])\s*)*[\wÀ-ÿ'’-]+",
    re.IGNORECASE,
)


def mask_people(text: str) -> str:
    """The text with stand-ins in brackets for what could say who somebody is."""
    text = mask_cards(text)
    text = _EMAIL.sub("[email]", text)
    text = _LINK.sub("[link]", text)
    text = _PLATE.sub(lambda found: f"{found['said']}[plate]", text)
    text = _NAME.sub(lambda found: f"{found['said']}[name]", text)
    text = _SPEAKING.sub(lambda found: f"{found['said']}[name]", text)
    text = _COORDINATES.sub("[place]", text)
    text = _LONG_NUMBER.sub(lambda found: found[0] if _CHARGERS.fullmatch(found[0]) else "[number]", text)
    text = _HANDLE.sub("[handle]", text)
    text = _STREET.sub("[address]", text)
    return _STREET_BEFORE.sub("[address]", text)
