"""Why a message is worth a look, and how much: from what the model thought of it, what was answered and what the driver did next. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

FALLBACK = "nlu_fallback"
# Responses by which the bot says that it did not understand (actions/dialogue/misunderstanding.py).
_NOT_UNDERSTOOD = (
    "say_did_you_mean",
    "say_which_of_two",
    "say_rephrase",
    "say_abuse",
    "say_misunderstood",
    "utter_default",
)
UNSURE = 0.6  # confidence below which the model is unsure
CLOSE = 0.15  # two meanings nearer than this are a close call
_SOON_S = 1800.0  # what a driver does within this time answers what was said

# Reason: what it weighs. A trainer's mark comes first, then what a driver showed, then what the model says of itself.
WEIGHTS = {
    "marked": 12.0,
    "corrected": 7.0,
    "not_understood": 5.0,
    "handed_over": 4.0,
    "close_call": 3.0,
    "unsure": 2.0,
    "new_words": 1.5,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a conversation, as the front door tells it."""

    id: str
    conversation: str
    seq: int
    author: str
    kind: str
    turn: str
    text: str
    at: datetime
    choices: tuple[str, ...] = ()
    handed_over: bool = False
    understood: Mapping[str, Any] | None = None
    chose: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A driver's words with the reasons to look at them. `ranking`: what the model thought then, the likeliest first.

    `meant`: what the driver chose afterwards, where that says what was meant.
    """

    id: str
    conversation: str
    text: str
    at: datetime
    channel: str
    language: str
    ranking: tuple[tuple[str, float], ...]
    understood: str | None
    reasons: dict[str, float] = field(default_factory=dict)
    new_words: tuple[str, ...] = ()
    meant: str | None = None

    @property
    def usefulness(self) -> float:
        return sum(self.reasons.values())


def read_conversation(
    lines: Sequence[Line],
    about: Mapping[str, Any],
    vocabulary: Mapping[str, Collection[str]],
    words: Any,
    marked: Collection[str],
) -> list[Message]:
    """The driver's messages of one conversation, oldest line first. `words` splits a text as the model does; `vocabulary`: by language."""
    messages = []
    language = str(about["language"])
    known = vocabulary.get(language, ())
    for place, line in enumerate(lines):
        if line.author != "driver" or line.kind not in {"text", "hazard"} or not line.text.strip():
            continue
        ranking = meanings_of(line.understood)
        understood = ranking[0][0] if ranking else None
        meant = _meant(lines[place + 1 :], line)
        new = tuple(dict.fromkeys(word for word in words(line.text) if word not in known)) if known else ()
        reasons: dict[str, float] = {}
        if line.id in marked:
            reasons["marked"] = WEIGHTS["marked"]
        if line.kind == "text" and line.understood is not None:
            said = [str(name) for name in line.understood.get("said", ())]
            top = ranking[0][1] if ranking else 0.0
            second = ranking[1][1] if len(ranking) > 1 else 0.0
            missed = line.understood.get("intent") == FALLBACK or any(name.startswith(_NOT_UNDERSTOOD) for name in said)
            if missed:
                reasons["not_understood"] = WEIGHTS["not_understood"]
            if meant is not None and meant != understood:
                reasons["corrected"] = WEIGHTS["corrected"]
            if understood != "talk_to_human" and any(
                one.handed_over for one in lines[place + 1 :] if one.turn == line.id
            ):
                reasons["handed_over"] = WEIGHTS["handed_over"]
            if second and top - second < CLOSE:
                reasons["close_call"] = WEIGHTS["close_call"] * (1 - (top - second) / CLOSE / 2)
            if top < UNSURE:
                reasons["unsure"] = WEIGHTS["unsure"] * (1 + UNSURE - top)
            if new and (len(new) > 1 or reasons):
                reasons["new_words"] = WEIGHTS["new_words"] * min(1.0, len(new) / 3)
        messages.append(
            Message(
                id=line.id,
                conversation=line.conversation,
                text=line.text,
                at=line.at,
                channel=str(about["channel"]),
                language=language,
                ranking=ranking,
                understood=understood,
                reasons=reasons,
                new_words=new,
                meant=meant,
            )
        )
    return messages


def meanings_of(understood: Mapping[str, Any] | None) -> tuple[tuple[str, float], ...]:
    """What the model thought, without its word for not knowing."""
    if understood is None:
        return ()
    return tuple((str(name), float(share)) for name, share in understood.get("ranking", ()) if name != FALLBACK)


def _meant(later: Sequence[Line], line: Line) -> str | None:
    """The meaning that the driver chose next, or "" for a plain "no": None where nothing was corrected."""
    for one in later:
        if one.author != "driver":
            continue
        if (one.at - line.at).total_seconds() > _SOON_S:
            return None
        if one.chose is not None and one.chose not in {"affirm", "deny", "talk_to_human"}:
            return one.chose
        if one.understood is not None and one.understood.get("intent") == "deny":
            return ""
        return None
    return None
