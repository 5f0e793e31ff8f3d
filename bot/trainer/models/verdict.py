"""The verdict on a candidate, in words: what it gains, what it loses, and whether it may go live without a person's override.

Pure. A *stop* bars a promotion until somebody sets it aside by name, with a reason that is kept; a *note* is to be known. The
stops are few and hard: a danger heard less well, more lost than gained, an act or a claim that must not be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

HAZARDS = "hazards"
LOSES_MORE = "loses-more"
SCORE = "score"
_DROP = 0.03  # of an intent's F1, on at least _ENOUGH messages, that is worth a note
_ENOUGH = 8
_LANGUAGES = {"en": "English", "es": "Spanish", "fr": "French"}


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    stops: tuple[Line, ...]
    notes: tuple[Line, ...]
    words: str

    @property
    def may_promote(self) -> bool:
        return not self.stops

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "may_promote": self.may_promote}


def judge(report: Mapping[str, Any]) -> Verdict:
    """`report`: `test` as `compare.on_test_set` makes it; `traffic`, `folds`, `score` where these were done."""
    test, traffic, score = report["test"], report.get("traffic"), report.get("score")
    stops = [*_hazards(test["hazards"], traffic), *_balance(test), *_score_stops(score)]
    notes = [*_intents(test), *_languages(test), *_traffic(traffic), *_folds(report.get("folds")), *_not_scored(score)]
    return Verdict(tuple(stops), tuple(notes), _in_words(test, traffic, stops))


def _hazards(hazards: Mapping[str, Any], traffic: Mapping[str, Any] | None) -> list[Line]:
    lines = []
    live, candidate, messages = hazards["live"], hazards["candidate"], hazards["messages"]
    if candidate["together"] < live["together"]:
        lines.append(
            f"Of {messages} dangers of the test set the live model and the danger words hear {live['together']}, "
            f"with this model {candidate['together']}."
        )
    if candidate["model"] < live["model"]:
        caught = sum(one["caught_by_words"] for one in hazards["newly_missed"])
        lines.append(
            f"By itself it hears {candidate['model']} of {messages} dangers, the live model {live['model']}"
            + (f"; the danger words still catch {caught} of those that it no longer hears." if caught else ".")
        )
    lost = traffic["dangers_lost"] if traffic else []
    if lost:
        lines.append(
            f"{_count(len(lost), 'message')} that drivers really wrote {'was' if len(lost) == 1 else 'were'} heard as a "
            "danger and would not be any more."
        )
    return [Line(HAZARDS, " ".join(lines))] if lines else []


def _balance(test: Mapping[str, Any]) -> list[Line]:
    if test["worse"] <= test["better"]:
        return []
    return [Line(LOSES_MORE, f"It loses more than it gains: {_count(test['worse'], 'message')} worse, {test['better']} better.")]


def _score_stops(score: Mapping[str, Any] | None) -> list[Line]:
    if score is None:
        return []
    lines = []
    unsafe, false = score["candidate"]["unsafe"], score["candidate"]["false_claims"]
    if unsafe or false:
        lines.append(f"In played conversations: {_count(unsafe, 'unsafe act')} and {_count(false, 'false claim')}.")
    live = score.get("live")
    if live and score["candidate"]["wrong"] > live["wrong"]:
        lines.append(
            f"{score['candidate']['wrong']} of {score['candidate']['scenarios']} conversations end wrong, "
            f"with the live model {live['wrong']} of {live['scenarios']}."
        )
    return [Line(SCORE, " ".join(lines))] if lines else []


def _intents(test: Mapping[str, Any]) -> list[Line]:
    moved = {
        intent: row["candidate"]["f1"] - row["live"]["f1"]
        for intent, row in test["intents"].items()
        if row["messages"] >= _ENOUGH
    }
    worse = sorted((change, intent) for intent, change in moved.items() if change <= -_DROP)
    better = sorted(((change, intent) for intent, change in moved.items() if change >= _DROP), reverse=True)
    lines = []
    if worse:
        lines.append(Line("intents-worse", f"Understood less well: {_moves(worse)}."))
    if better:
        lines.append(Line("intents-better", f"Understood better: {_moves(better)}."))
    return lines


def _moves(found: list[tuple[float, str]]) -> str:
    return ", ".join(f"{intent} (F1 {change:+.2f})" for change, intent in found[:5])


def _languages(test: Mapping[str, Any]) -> list[Line]:
    lost = [
        f"{_LANGUAGES.get(language, language)} ({row['live']:.1%} to {row['candidate']:.1%})"
        for language, row in test["languages"].items()
        if row["candidate"] < row["live"]
    ]
    return [Line("languages-worse", f"Fewer messages right in {', '.join(lost)}.")] if lost else []


def _traffic(traffic: Mapping[str, Any] | None) -> list[Line]:
    if traffic is None:
        return [Line("no-traffic", "Recent traffic could not be read; what drivers wrote lately was not replayed.")]
    if not traffic["messages"]:
        return [Line("no-traffic", "There is no recent traffic to replay.")]
    return [
        Line(
            "traffic",
            f"Of {_count(traffic['different'], 'different recent message')} {len(traffic['changes'])} would be answered "
            f"differently: {traffic['understood_now']} understood now, {traffic['no_longer_understood']} no longer, "
            f"{traffic['understood_otherwise']} otherwise.",
        )
    ]


def _folds(folds: Mapping[str, Any] | None) -> list[Line]:
    if folds is None:
        return []
    return [Line("folds", f"Cross-validation over {folds['messages']} training messages: {folds['accuracy']:.1%} right.")]


def _not_scored(score: Mapping[str, Any] | None) -> list[Line]:
    return [] if score is not None else [Line("not-scored", "No conversations were played with it (make score).")]


def _in_words(test: Mapping[str, Any], traffic: Mapping[str, Any] | None, stops: list[Line]) -> str:
    gain = f"{test['better']} of {test['messages']} test messages get better, {test['worse']} worse"
    right = f"{test['accuracy']['live']:.1%} to {test['accuracy']['candidate']:.1%} right"
    if stops:
        names = {HAZARDS: "it is worse on dangers", LOSES_MORE: "it loses more than it gains", SCORE: "it fails in played conversations"}
        return f"Do not promote: {' and '.join(names[line.name] for line in stops)} ({gain}; {right})."
    if test["better"] == test["worse"] == 0:
        changed = len(traffic["changes"]) if traffic else 0
        if changed:
            return f"Good to promote: nothing changes on the test set, {_count(changed, 'recent message')} would be answered differently."
        return "No difference: the test set is understood as before, and so is recent traffic."
    if test["better"] == test["worse"]:
        return f"As good as the live model: {gain} ({right})."
    return f"Good to promote: {gain} ({right}), and no danger is lost."


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
