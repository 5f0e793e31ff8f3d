"""All that the bot says, over the languages: what is missing, what a text costs as SMS, and changes that can be undone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from bot.consent import KEYWORDS
from bot.render import gsm7, sms
from bot.trainer.corpus.nlufile import BrokenFile, NotHere
from bot.trainer.responses.wordfile import WordFile, read_words
from bot.trainer.safefile import locked, write

FIRST = "en"  # the language that every response has
CHANNELS = ("sms", "whatsapp", "web")
BUDGET = 2  # SMS segments of a reply
MOST = 1000
# What stands for the values that a text is filled with, in previews and in counting segments.
EXAMPLES = {
    "charger": "1042",
    "phone": "+1 613 555 0199",
    "connector": "2",
    "site": "Canal Quarter P2",
    "minutes": "12",
    "seconds": "60",
    "amount": "CA$40.00",
    "cost": "CA$12.40",
    "energy": "18.2 kWh",
    "power": "48 kW",
    "price": "CA$0.45 per kWh",
    "link": "https://pay.example/s/4f7k",
    "number": "1042",
    "km": "1.2",
}


class NotSayable(ValueError):
    """The text cannot be said; the message says why."""


@dataclass(frozen=True, slots=True)
class Reworded:
    """A change of a response. `what`: reworded or added; `raw`: the lines that were added, or the text's place as it was."""

    what: str
    language: str
    name: str
    channel: str
    old: str | None
    new: str
    raw: str

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "kind": "response"}


class Words:
    def __init__(self, folder: Path, changed: Callable[[], None] = lambda: None) -> None:
        self.root = folder / "domain" / "responses"
        self._changed = changed

    def languages(self) -> list[str]:
        """English first."""
        found = sorted(path.stem for path in self.root.glob("*.yml"))
        return sorted(found, key=lambda language: language != FIRST)

    def overview(self) -> dict[str, Any]:
        files: dict[str, WordFile] = {}
        broken = []
        for language in self.languages():
            try:
                files[language] = self._load(language)
            except BrokenFile as error:
                broken.append({"file": f"{language}.yml", "line": error.line, "reason": error.reason})
        names = dict.fromkeys(one.name for file in files.values() for one in file.wordings)
        return {
            "languages": list(files),
            "channels": list(CHANNELS),
            "broken": broken,
            "responses": [_row(name, files) for name in names],
        }

    def preview(self, text: str, language: str, channel: str = "") -> dict[str, Any]:
        """As `looked_at`, with the file's words for the web; a text of the web's own is said there as it is."""
        others: Mapping[str, str] = {}
        if not channel and language in self.languages():
            with suppress(BrokenFile):
                by_channel = self._load(language).document.get("words")
                web = by_channel.get("web") if isinstance(by_channel, dict) else None
                others = {str(one).lower(): str(two) for one, two in web.items()} if isinstance(web, dict) else {}
        return looked_at(text, language, others)

    def reword(self, language: str, name: str, channel: str, old: str | None, new: str) -> Reworded:
        """`old`: what the trainer saw, None where there was no text of its own for this language and channel.

        Raises NotSayable, NotHere (somebody changed it meanwhile), NotEditable, BrokenFile, ChangedMeanwhile.
        """
        if language not in self.languages():
            raise NotHere(f"There are no responses in “{language}”.")
        if channel and channel not in CHANNELS:
            raise NotSayable(f"There is no channel called {channel}.")
        with locked(self.root):
            file = self._load(language)
            first = file if language == FIRST else self._load(FIRST)
            check(new, first, name)
            there = [one for one in file.wordings if (one.name, one.channel) == (name, channel)]
            if old is None:
                if there:
                    raise NotHere(f"{name} has a text here by now.")
                content, raw = file.add(name, channel, new, _before(first, name))
                self._write(language, file, content)
                return Reworded("added", language, name, channel, None, new, raw)
            wording = file.wording(name, channel)
            if wording.text != old:
                raise NotHere(f"{name} has been reworded.")
            content, raw = file.reword(wording, new)
            self._write(language, file, content)
            return Reworded("reworded", language, name, channel, old, new, raw)

    def undo(self, changes: Sequence[dict[str, Any]]) -> None:
        """Raises NotHere where it was changed since."""
        with locked(self.root):
            for raw in reversed(changes):
                change = Reworded(**{key: value for key, value in raw.items() if key != "kind"})
                file = self._load(change.language)
                wording = file.wording(change.name, change.channel)
                if wording.text != change.new:
                    raise NotHere(f"{change.name} has been reworded since.")
                if change.what == "added":
                    content = file.take_out(change.name, change.channel, change.new, change.raw)
                else:
                    content = file.put_back(wording, change.raw, change.old or "")
                self._write(change.language, file, content)

    def _load(self, language: str) -> WordFile:
        return _read((self.root / f"{language}.yml").read_bytes())

    def _write(self, language: str, before: WordFile, content: bytes) -> None:
        write(self.root / f"{language}.yml", before.content, content)
        self._changed()


@lru_cache(16)
def _read(content: bytes) -> WordFile:
    """The same bytes are read once. Raises BrokenFile."""
    return read_words(content)


def check(text: str, first: WordFile, name: str) -> None:
    """Raises NotSayable where the text would break when it is said."""
    if not text.strip():
        raise NotSayable("A response needs words.")
    if len(text) > MOST:
        raise NotSayable(f"A response may have at most {MOST} characters.")
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]", text):
        raise NotSayable("There is a character in it that cannot be shown; type that part anew.")
    known = values_in(next((one.text for one in first.wordings if one.name == name), text))
    unknown = [value for value in values_in(text) if value not in known]
    if unknown:
        there = ", ".join(f"{{{value}}}" for value in known) or "none"
        raise NotSayable(f"{{{unknown[0]}}} is not filled in here; what can be used: {there}.")


def values_in(text: str) -> list[str]:
    """The names in braces. Raises NotSayable for braces that do not fit."""
    try:
        return list(dict.fromkeys(field for _, field, _, _ in Formatter().parse(text) if field is not None))
    except ValueError as error:
        raise NotSayable(f"The braces do not fit: {error}.") from error


def filled(text: str) -> str:
    """The text as a driver would read it, with examples for its values."""
    return re.sub(r"\{(\w+)\}", lambda found: EXAMPLES.get(found[1], found[1].replace("_", " ")), text)


def looked_at(text: str, language: str, on_web: Mapping[str, str] | None = None) -> dict[str, Any]:
    """How the text reads on each channel, what it costs as SMS, and what to mind.

    `on_web`: words that are other ones on a web page, as the file says (bot/nlu/wording.py does the same when it is said).
    """
    said = filled(text)
    body = sms.body(said, (), language=language)
    cost = gsm7.cost(body)
    mind = []
    if cost.segments > BUDGET:
        mind.append(f"{cost.segments} SMS segments; a reply should take at most {BUDGET}.")
    if cost.encoding == "UCS-2":
        odd = sorted({letter for letter in body if not gsm7.is_gsm7(letter)})
        mind.append(f"{' '.join(odd[:8])} makes every letter cost double in an SMS.")
    shouted = [word for word in re.findall(r"\b[A-ZÀ-Þ]{2,}\b", text) if word.lower() in KEYWORDS]
    if shouted:
        mind.append(f"{shouted[0]} is a word that carriers act on; do not ask a driver to text it.")
    return {
        "web": filled(_put_as(text, on_web or {})),
        "sms": body,
        "encoding": cost.encoding,
        "units": cost.units,
        "segments": cost.segments,
        "mind": mind,
    }


def _put_as(text: str, others: Mapping[str, str]) -> str:
    """The text with each of these words as the other one; a capital letter stays one."""
    if not others:
        return text

    def other(found: re.Match[str]) -> str:
        word = others[found[0].lower()]
        return word[0].upper() + word[1:] if found[0][0].isupper() else word

    return re.sub(rf"\b(?:{'|'.join(map(re.escape, others))})\b", other, text, flags=re.IGNORECASE)


def _row(name: str, files: dict[str, WordFile]) -> dict[str, Any]:
    texts: dict[str, dict[str, Any]] = {}
    for language, file in files.items():
        for one in file.wordings:
            if one.name == name:
                cell = texts.setdefault(language, {}).setdefault(one.channel or "all", {"text": one.text, "ways": 0})
                cell["ways"] += 1
    for language, by_channel in texts.items():
        for cell in by_channel.values():
            told = looked_at(cell["text"], language)
            cell |= {"segments": told["segments"], "mind": told["mind"]}
    return {
        "name": name,
        "texts": texts,
        "missing": [language for language in files if "all" not in texts.get(language, {})],
    }


def _before(first: WordFile, name: str) -> str | None:
    """The response that stands before this one in English."""
    names = list(dict.fromkeys(one.name for one in first.wordings))
    place = names.index(name) if name in names else 0
    return names[place - 1] if place else None
