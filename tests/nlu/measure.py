"""How well drivers are understood: `make test-nlu`. Runs in the Rasa environment, on the newest model.

For each of two sets that training never sees (dev, and blind, which nothing is tuned on) it prints precision, recall and F1
by intent and language, danger recall of words and model together, calibration, what falls back, and writes the confusion
matrix to var/nlu/. Exit code 1 where a value is below its floor (floors.yml).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import structlog
import yaml
from rasa.core.agent import Agent, load_agent

from bot.hazard import match
from tests.nlu.examples import BLIND, DEVELOPMENT, LANGUAGES, ROOT, Example, development

FIVE = ("session_not_starting", "payment_failed", "charger_offline", "connector_stuck", "rfid_failed")
FLOORS = Path(__file__).with_name("floors.yml")
HAZARD = "safety_hazard"
OUTSIDE = "out_of_scope"
FALLBACK = "nlu_fallback"


class Heard(NamedTuple):
    example: Example
    intent: str  # the likeliest, whether sure or not
    confidence: float
    fell_back: bool
    words: bool  # the danger words in front of the model found something
    milliseconds: float

    @property
    def right(self) -> bool:
        return self.intent == self.example.intent


async def heard(agent: Agent, example: Example) -> Heard:
    started = time.perf_counter()
    parsed = await agent.parse_message(example.text)
    took = (time.perf_counter() - started) * 1000
    ranking = [one for one in parsed["intent_ranking"] if one["name"] != FALLBACK]
    fell_back = parsed["intent"]["name"] == FALLBACK
    return Heard(
        example, ranking[0]["name"], ranking[0]["confidence"], fell_back, match(example.text) is not None, took
    )


def scores(rows: list[Heard], intent: str) -> dict[str, float]:
    true = sum(row.right and row.intent == intent for row in rows)
    said = sum(row.intent == intent for row in rows)
    there = sum(row.example.intent == intent for row in rows)
    return {"precision": true / max(1, said), "recall": true / max(1, there), "f1": 2 * true / max(1, said + there)}


def share(rows: list[bool]) -> float:
    return sum(rows) / max(1, len(rows))


def by_intent(rows: list[Heard]) -> None:
    print(
        f"{'intent':32} {'n':>4} {'prec':>6} {'recall':>6} {'F1':>6}   " + "  ".join(f"F1 {one}" for one in LANGUAGES)
    )
    for intent in sorted({row.example.intent for row in rows}):
        whole = scores(rows, intent)
        each = [
            scores([row for row in rows if row.example.language == language], intent)["f1"] for language in LANGUAGES
        ]
        count = sum(row.example.intent == intent for row in rows)
        print(
            f"{intent:32} {count:4} {whole['precision']:6.2f} {whole['recall']:6.2f} {whole['f1']:6.2f}   "
            + "   ".join(f"{value:4.2f}" for value in each)
        )


def calibration(rows: list[Heard]) -> float:
    """Prints how sure against how right; returns the expected calibration error."""
    error = 0.0
    print("sure of it    n   right")
    for low in np.arange(0.0, 1.0, 0.1):
        inside = [row for row in rows if low <= row.confidence < low + 0.1 or (low > 0.85 and row.confidence == 1.0)]
        if inside:
            right, sure = share([row.right for row in inside]), float(np.mean([row.confidence for row in inside]))
            error += abs(right - sure) * len(inside) / len(rows)
            print(f"  {low:.1f}-{low + 0.1:.1f} {len(inside):5}   {right:.2f}")
    return error


def draw(rows: list[Heard], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plot

    names = sorted({row.example.intent for row in rows} | {row.intent for row in rows})
    place = {name: index for index, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    for row in rows:
        table[place[row.example.intent], place[row.intent]] += 1
    figure, axes = plot.subplots(figsize=(14, 13))
    axes.imshow(table / table.sum(axis=1, keepdims=True).clip(1), cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("understood as")
    axes.set_ylabel("meant")
    for down, across in zip(*np.nonzero(table), strict=True):
        axes.text(across, down, int(table[down, across]), ha="center", va="center", fontsize=7)
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)


def newest_model() -> Path:
    return max((ROOT / "models").glob("*.tar.gz"), key=lambda file: file.stat().st_mtime)


async def reached_on(agent: Agent, folder: Path) -> dict[str, float]:
    """Prints how the messages in `folder` are understood; returns what floors.yml puts floors under."""
    sets = {name: development(name, folder) for name in (*LANGUAGES, "hazards", "hazard_slang")}
    results: dict[str, list[Heard]] = {}
    for name, examples in sets.items():
        results[name] = [await heard(agent, one) for one in examples]
    rows = [row for language in LANGUAGES for row in results[language]]
    print(
        f"== {folder.name}: {len(rows)} messages, and {len(sets['hazards']) + len(sets['hazard_slang'])} of danger and slang"
    )
    by_intent(rows)
    reached = {f"accuracy_{language}": share([row.right for row in results[language]]) for language in LANGUAGES}
    reached["five_problems_f1"] = float(np.mean([scores(rows, intent)["f1"] for intent in FIVE]))
    reached.update({f"f1_{intent}": scores(rows, intent)["f1"] for intent in FIVE})

    every = [row for part in results.values() for row in part]
    plain = [row for row in rows if row.example.intent == HAZARD]
    hard = [row for row in (*results["hazards"], *results["hazard_slang"]) if row.example.intent == HAZARD]
    alarms = [row for row in every if row.words or row.intent == HAZARD]
    reached["hazard_recall_plain"] = share([row.words or row.intent == HAZARD for row in plain])
    reached["hazard_recall_hard"] = share([row.words or row.intent == HAZARD for row in hard])
    reached["hazard_precision"] = share([row.example.intent == HAZARD for row in alarms])

    outside = [row for row in rows if row.example.intent == OUTSIDE]
    inside = [row for row in rows if row.example.intent != OUTSIDE]
    reached["out_of_scope_recall"] = share([row.intent == OUTSIDE or row.fell_back for row in outside])
    reached["in_scope_answered"] = 1 - share([row.fell_back for row in inside])

    print("\nmost confused:")
    confused = Counter((row.example.intent, row.intent) for row in rows if not row.right)
    for (meant, said), count in confused.most_common(12):
        print(f"  {count:3}  {meant} -> {said}")
    print()
    error = calibration(rows)
    took = [row.milliseconds for row in every]
    words = share([row.words for row in every if row.example.intent == HAZARD])
    model = share([row.intent == HAZARD for row in every if row.example.intent == HAZARD])
    calm = share([row.words or row.intent == HAZARD for row in results["hazard_slang"] if row.example.intent != HAZARD])
    reached["calibrated"] = 1 - error
    print(
        f"calibration error {error:.3f}; danger found by words {words:.3f}, by the model {model:.3f}; "
        f"slang taken for danger {calm:.3f}"
    )
    print(f"right where answered {share([row.right for row in inside if not row.fell_back]):.3f}")
    print(f"parse p50 {np.percentile(took, 50):.1f} ms, p95 {np.percentile(took, 95):.1f} ms")
    picture = ROOT / f"var/nlu/confusion_{folder.name}.png"
    draw(rows, picture)
    print(f"confusion matrix: {picture.relative_to(ROOT)}\n")
    return reached


async def measure() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    agent = await load_agent(str(newest_model()))
    await agent.parse_message("warm up")
    floors = yaml.safe_load(FLOORS.read_text("utf-8"))
    reached = {folder.name: await reached_on(agent, folder) for folder in (DEVELOPMENT, BLIND)}
    failed = 0
    for name, floor in floors.items():
        for folder, values in reached.items():
            below = values[name] < floor
            failed += below
            print(f"{'BELOW' if below else 'ok':5} {folder:5} {name:22} {values[name]:.3f}  (floor {floor:.2f})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(measure()))
