"""Which towns and regions a message names, and how surely it says that the driver is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from actions.places.tables import City, cities, fold, words

LONGEST = 5  # words of a town's name
SOME_SIZE = 15_000  # inhabitants: a town that is meant without a word that says "in"

# How surely: said with its region or after "in"; a bare name; where they go to or come from; none of it in that region.
SURE, BARE, TOWARD, NOT_THERE = 3, 2, 1, 0


@dataclass(frozen=True, slots=True)
class Mention:
    """`region`: codes of the state or province said with it; `candidates` is empty where no town of the tables fits."""

    text: str
    weight: int
    candidates: tuple[City, ...] = ()
    region: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    towns: tuple[Mention, ...] = ()
    unknown: tuple[Mention, ...] = ()  # where a town should stand, but none of that name is known
    region: str = ""
    outside: str = ""


def mentions_of(text: str, *, asked: bool = False) -> Said:
    """`asked`: the message answers "where are you?"."""
    capitals = _capitals(text)
    tokens = fold(text).split()
    whole = [token for token in tokens if token not in words().around]
    towns: list[Mention] = []
    unknown: list[Mention] = []
    region = outside = ""
    at = 0
    while at < len(tokens):
        named = _town_at(tokens, at)
        place_word, weight = _lead(tokens, at)
        length, found = named if named else (0, ())
        region_length, codes = _region_at(tokens, at)
        as_region = codes and (
            not found or region_length > length or (region_length == length and _is_region(tokens, at, region_length))
        )
        if region_length == 1 and len(tokens[at]) == 2 and (found or not _code_alone(tokens, at, capitals)):
            as_region = False
        if as_region:
            region = region or " ".join(tokens[at : at + region_length])
            at += region_length
            continue
        if found:
            after = at + length
            told_length, told = _told_region(tokens, after, found, capitals)
            if told and not any(city.region in told for city in found):
                unknown.append(Mention(" ".join(tokens[at:after]), weight, (), told))  # "pittsburg pa"
                told_length, told, weight = 0, (), NOT_THERE
            fitting = tuple(city for city in found if not told or city.region in told)
            name = " ".join(tokens[at:after])
            alone = whole == [token for token in tokens[at : after + told_length] if token not in words().around]
            # A word of every day is a town only with its region, or as the whole answer.
            meant = (
                bool(told) or (asked and alone)
                if name in words().everyday
                else _meant(
                    name, found, bool(told), place_word, alone, asked, capitals, tokens[at - 1 : at] == ["downtown"]
                )
            )
            if meant and (abroad := _outside_at(tokens, after)):
                outside = outside or abroad
            elif meant and fitting:
                towns.append(Mention(name, SURE if told and weight == BARE else weight, fitting, told))
            if meant:
                at = after + told_length
                continue
        said_outside = _outside_at(tokens, at)
        if said_outside:
            outside = outside or said_outside
        elif (place_word or asked or len(tokens) <= 3) and tokens[at] not in words().around:
            unknown.extend(_unknown_at(tokens, at, weight))
        at += 1
    return Said(tuple(towns), tuple(unknown), region, outside)


def _capitals(text: str) -> frozenset[str]:
    """Words that are written in capitals in a message that is not: "LA", "ON"."""
    found = re.findall(r"\b[A-Z]{2,4}\b", text)
    return frozenset(word.lower() for word in found) if text != text.upper() or len(text) <= 4 else frozenset()


def _town_at(tokens: Sequence[str], at: int) -> tuple[int, tuple[City, ...]] | None:
    """The longest name of a town, district or nickname that begins here."""
    for length in range(min(LONGEST, len(tokens) - at), 0, -1):
        phrase = " ".join(tokens[at : at + length])
        found = list(cities().get(phrase, ()))
        spot = words().spots.get(phrase)
        if spot is not None:
            return length, (spot, *found)
        alias = words().aliases.get(phrase)
        if alias is not None:
            name, region = alias
            meant = [city for city in cities()[name] if city.region == region][:1]
            return length, (*meant, *(city for city in found if city not in meant))
        if found:
            return length, tuple(found)
    return None


def _region_at(tokens: Sequence[str], at: int) -> tuple[int, tuple[str, ...]]:
    for length in range(min(LONGEST, len(tokens) - at), 0, -1):
        codes = words().regions.get(" ".join(tokens[at : at + length]))
        if codes:
            return length, codes
    return 0, ()


def _is_region(tokens: Sequence[str], at: int, length: int) -> bool:
    """A name of both kinds is the region's after "au", "state of"; one that is no city's always."""
    if " ".join(tokens[at : at + length]) not in words().also_city:
        return not _region_at(tokens, at + length)[0]  # "ontario california" is the town, "ontario" is not
    before = " ".join(tokens[max(0, at - 2) : at])
    return any(f" {before}".endswith(f" {lead}") for lead in words().region_after)


def _code_alone(tokens: Sequence[str], at: int, capitals: frozenset[str]) -> bool:
    """Two letters are a state only where nothing else is said, or in capitals after "in"."""
    return len(tokens) == 1 or (tokens[at] in capitals and at > 0 and tokens[at - 1] in ("in", "en"))


def _told_region(
    tokens: Sequence[str], at: int, found: Sequence[City], capitals: frozenset[str]
) -> tuple[int, tuple[str, ...]]:
    """The state or province right after a town's name, where a town of that name lies in it."""
    skipped = 1 if at < len(tokens) and tokens[at] in ("in", "en", "au", "city") and at + 1 < len(tokens) else 0
    for start in (at, at + skipped) if skipped else (at,):
        length, codes = _region_at(tokens, start)
        fitting = tuple(code for code in codes if any(city.region == code for city in found))
        if not codes:
            continue
        short = length == 1 and len(tokens[start]) <= 2
        last = start == at == len(tokens) - 1 and tokens[start] not in _SMALL_WORDS
        if short and (start != at or (not fitting and tokens[start] in _WORDS_TOO and not last)):
            continue  # "portland in me": two letters that fit no town of that name are a word
        if short and tokens[start] in _WORDS_TOO and tokens[start] not in capitals and start + 1 < len(tokens):
            following = tokens[start + 1]
            if following not in (
                "canada",
                "usa",
                "us",
                "please",
                "pls",
                "thx",
                "now",
                "right",
                "near",
                "and",
                "at",
                "area",
            ):
                continue  # "ottawa on bank street", "portland or nearby"
        return length + start - at, fitting or codes
    return 0, ()


_SMALL_WORDS = frozenset(["in", "or", "me", "on", "hi", "ok", "oh", "la", "de", "al"])
_WORDS_TOO = frozenset(["in", "or", "me", "on", "hi", "ok", "oh", "la", "ma", "pa", "de", "al", "id", "co", "ne"])


def _lead(tokens: Sequence[str], at: int) -> tuple[bool, int]:
    """Whether a word before says that a place follows, and how surely the driver is there."""
    start = at
    while start > 0 and tokens[start - 1] in (
        "the",
        "el",
        "la",
        "le",
        "l",
        "los",
        "downtown",
        "old",
        "greater",
        "city",
        "ville",
    ):
        start -= 1
    for length in (2, 1):
        phrase = " ".join(tokens[max(0, start - length) : start])
        if phrase in words().toward:
            return True, TOWARD
        if phrase in words().here:
            return True, SURE
        if phrase in words().before:
            return True, BARE
    return False, BARE


def _meant(
    name: str,
    found: Sequence[City],
    told: bool,
    place_word: bool,
    alone: bool,
    asked: bool,
    capitals: frozenset[str],
    downtown: bool,
) -> bool:
    if name == "la":  # an article in two of three languages
        return told or name in capitals or downtown or (alone and asked)
    return told or place_word or alone or asked or found[0].population >= SOME_SIZE


def _outside_at(tokens: Sequence[str], at: int) -> str:
    """A foreign country that is named here; right after a town's name the town is there."""
    for length in (2, 1):
        phrase = " ".join(tokens[at : at + length])
        if phrase in words().outside:
            return phrase
    return ""


def _unknown_at(tokens: Sequence[str], at: int, weight: int) -> list[Mention]:
    """One to three words where a town should stand, the longer first, with the region that follows them."""
    found = []
    for length in (3, 2, 1):
        if at + length > len(tokens) or any(token.isdigit() for token in tokens[at : at + length]):
            continue
        _, region = _region_at(tokens, at + length) if at + length < len(tokens) else (0, ())
        found.append(Mention(" ".join(tokens[at : at + length]), weight, (), region))
    return found
