"""A candidate beside the live model, on the same messages: what each makes of them, and every message whose answer changes.

Pure: it gets what both models read (as Rasa's `/model/parse` says it) and returns a report of plain data, which is kept with the
candidate, shown on the page and judged by `verdict`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from bot.trainer.models.testset import Labelled

FALLBACK = "nlu_fallback"
HAZARD = "safety_hazard"
NOT_SURE = "not understood"
Parsed = dict[str, Any]
Row = dict[str, Any]


def likeliest(parsed: Parsed) -> tuple[str, float]:
    """The intent that the model finds likeliest, whether it is sure or not."""
    for one in parsed.get("intent_ranking") or []:
        if one["name"] != FALLBACK:
            return str(one["name"]), float(one["confidence"])
    return "", 0.0


def answer(parsed: Parsed) -> str:
    """What the bot acts on: the intent, or that it did not understand."""
    name = (parsed.get("intent") or {}).get("name")
    return NOT_SURE if name in (None, FALLBACK) else str(name)


def on_test_set(
    messages: Sequence[Labelled], live: Sequence[Parsed], candidate: Sequence[Parsed], is_danger: Callable[[str], bool]
) -> dict[str, Any]:
    """Figures by intent and language, confusion, hazards, changes. `is_danger`: the danger words in front of the model.

    Right means that the likeliest intent is the one that was meant, as `make test-nlu` counts it.
    """
    sides = {"live": live, "candidate": candidate}
    heard = {side: [likeliest(one)[0] for one in rows] for side, rows in sides.items()}
    meant = [one.meant for one in messages]
    labels = sorted({*meant, *heard["live"], *heard["candidate"]} - {""})
    return {
        "messages": len(messages),
        "accuracy": {side: _accuracy(meant, rows) for side, rows in heard.items()},
        "languages": {
            language: {
                "messages": sum(one.language == language for one in messages),
                **{
                    side: _accuracy(
                        [one.meant for one in messages if one.language == language],
                        [row for one, row in zip(messages, rows, strict=True) if one.language == language],
                    )
                    for side, rows in heard.items()
                },
            }
            for language in sorted({one.language for one in messages})
        },
        "intents": {
            intent: {
                "messages": meant.count(intent),
                **{side: figures(meant, rows, intent) for side, rows in heard.items()},
            }
            for intent in labels
            if intent in meant
        },
        "confusion": {"labels": labels, **{side: confusion(meant, rows, labels) for side, rows in heard.items()}},
        "hazards": _hazards(messages, heard, is_danger),
        **_changes_of_labelled(messages, live, candidate, heard),
    }


def figures(meant: Sequence[str], heard: Sequence[str], intent: str) -> dict[str, float]:
    """Precision, recall and F1 of one intent."""
    right = sum(one == two == intent for one, two in zip(meant, heard, strict=True))
    said, there = list(heard).count(intent), list(meant).count(intent)
    return {
        "precision": _share(right, said),
        "recall": _share(right, there),
        "f1": _share(2 * right, said + there),
    }


def confusion(meant: Sequence[str], heard: Sequence[str], labels: Sequence[str]) -> list[list[int]]:
    """Rows: what was meant; columns: what was heard."""
    counted = Counter(zip(meant, heard, strict=True))
    return [[counted[row, column] for column in labels] for row in labels]


def on_folds(validated: dict[str, Any]) -> dict[str, Any]:
    """Cross-validation's figures: each training message as heard by a model that had not learned it."""
    meant, heard = validated["meant"], [likeliest(one)[0] for one in validated["heard"]]
    wrong = Counter((one, two) for one, two in zip(meant, heard, strict=True) if one != two)
    return {
        "messages": len(meant),
        "accuracy": _accuracy(meant, heard),
        "intents": {
            intent: {"messages": meant.count(intent), **figures(meant, heard, intent)} for intent in sorted(set(meant))
        },
        "confused": [[one, two, count] for (one, two), count in wrong.most_common(12)],
    }


def on_traffic(
    texts: Sequence[str],
    live: Sequence[Parsed],
    candidate: Sequence[Parsed],
    is_danger: Callable[[str], bool],
    taught: dict[str, str],
) -> dict[str, Any]:
    """What drivers really wrote, most frequent first where it is the same. `taught`: training messages and what they mean.

    Nobody has said what these mean, so a change is neither better nor worse, with two exceptions: what a trainer has labelled
    since, and a danger that would no longer be heard.
    """
    times = Counter(texts)
    seen: set[str] = set()
    changes: list[Row] = []
    lost: list[str] = []
    for text, before, after in zip(texts, live, candidate, strict=True):
        if text in seen:
            continue
        seen.add(text)
        if answer(before) != answer(after):
            label = taught.get(text)
            changes.append({**_row(text, before, after), "times": times[text], "meant": label})
        if likeliest(before)[0] == HAZARD != likeliest(after)[0] and not is_danger(text) and taught.get(text) in (None, HAZARD):
            lost.append(text)
    changes.sort(key=lambda row: -row["times"])
    kinds = Counter(_kind_of_change(row) for row in changes)
    return {
        "messages": len(texts),
        "different": len(seen),
        "changes": changes,
        "understood_now": kinds["understood now"],
        "no_longer_understood": kinds["no longer understood"],
        "understood_otherwise": kinds["understood otherwise"],
        "dangers_lost": lost,
    }


def _kind_of_change(row: Row) -> str:
    if row["live"]["answer"] == NOT_SURE:
        return "understood now"
    return "no longer understood" if row["candidate"]["answer"] == NOT_SURE else "understood otherwise"


def _hazards(
    messages: Sequence[Labelled], heard: dict[str, list[str]], is_danger: Callable[[str], bool]
) -> dict[str, Any]:
    """Recall by the model alone and together with the danger words, and the messages that only the live model hears."""
    places = [place for place, one in enumerate(messages) if one.meant == HAZARD]
    by_words = {place: is_danger(messages[place].text) for place in places}
    found: dict[str, Any] = {"messages": len(places)}
    for side, rows in heard.items():
        alone = sum(rows[place] == HAZARD for place in places)
        together = sum(rows[place] == HAZARD or by_words[place] for place in places)
        found[side] = {
            "model": alone,
            "together": together,
            "recall": _share(alone, len(places)),
            "recall_together": _share(together, len(places)),
        }
    missed = [place for place in places if heard["live"][place] == HAZARD != heard["candidate"][place]]
    found["newly_missed"] = [
        {"text": _shown(messages[place]), "caught_by_words": by_words[place]} for place in missed
    ]
    return found


def _changes_of_labelled(
    messages: Sequence[Labelled], live: Sequence[Parsed], candidate: Sequence[Parsed], heard: dict[str, list[str]]
) -> dict[str, Any]:
    changes: list[Row] = []
    for place, one in enumerate(messages):
        before, after = answer(live[place]), answer(candidate[place])
        right = {side: rows[place] == one.meant for side, rows in heard.items()}
        if before == after and right["live"] == right["candidate"]:
            continue
        kind = "other" if right["live"] == right["candidate"] else "better" if right["candidate"] else "worse"
        if kind == "other" and before != after and one.meant in (before, after):
            kind = "better" if after == one.meant else "worse"  # the same guess, now sure enough to act on, or no more
        row = _row(_shown(one), live[place], candidate[place])
        changes.append({**row, "meant": one.meant, "language": one.language, "kind": kind})
    order = {"worse": 0, "better": 1, "other": 2}
    changes.sort(key=lambda row: (order[row["kind"]], row["meant"] != HAZARD))
    kinds = Counter(row["kind"] for row in changes)
    return {"changes": changes, "better": kinds["better"], "worse": kinds["worse"], "other": kinds["other"]}


def _shown(one: Labelled) -> str:
    return "(a message of the blind set)" if one.blind else one.text


def _row(text: str, before: Parsed, after: Parsed) -> Row:
    return {
        "text": text,
        **{
            side: {"answer": answer(parsed), "likeliest": name, "confidence": round(confidence, 3)}
            for side, parsed, (name, confidence) in (
                ("live", before, likeliest(before)),
                ("candidate", after, likeliest(after)),
            )
        },
    }


def _accuracy(meant: Sequence[str], heard: Sequence[str]) -> float:
    return _share(sum(one == two for one, two in zip(meant, heard, strict=True)), len(meant))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
