"""The real worker: trains in the Rasa environment, reads with what it trained, says what is wrong with a file. One process for all."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.trainer.models.compare import likeliest, on_folds
from bot.trainer.models.worker import Cancelled, Progress, Worker, WorkerError
from chargeline.processes import ROOT, model_worker
from chargeline.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

MESSAGES = {
    "connector_stuck": [
        "the plug is stuck in my car",
        "cant pull the cable out",
        "handle wont come off",
        "el cable no sale",
        "la prise est coincée",
        "it wont let go of the plug",
    ],
    "payment_failed": [
        "my card was declined",
        "visa does not work",
        "payment refused",
        "no pasa mi tarjeta",
        "paiement refusé",
        "it wont take my mastercard",
    ],
    "greet": ["hello", "hi there", "good morning", "hola", "bonjour", "hey"],
}
DOMAIN = """version: "3.1"
intents: [connector_stuck, payment_failed, greet]
actions: [action_answer]
"""


@dataclass(slots=True)
class Trainer:
    folder: Path
    worker: Worker

    def write(self, extra: str = "") -> None:
        blocks = [
            f"- intent: {intent}\n  examples: |\n" + "".join(f"    - {text}\n" for text in texts)
            for intent, texts in MESSAGES.items()
        ]
        (self.folder / "data/nlu/en/all.yml").write_text('version: "3.1"\nnlu:\n' + "".join(blocks) + extra)

    async def train(self, name: str, **how: Any) -> dict[str, Any]:
        made: dict[str, Any] = await self.worker.call("train", out=str(self.folder), name=name, **how)
        return made

    async def heard(self, name: str, *texts: str) -> list[str]:
        model = str(self.folder / f"{name}.tar.gz")
        return [likeliest(one)[0] for one in await self.worker.call("parse", model=model, texts=list(texts))]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trainer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trainer]:
    folder = tmp_path_factory.mktemp("trainer")
    for part in ("data/nlu/en", "data/rules", "domain"):
        (folder / part).mkdir(parents=True)
    shutil.copy(ROOT / "config.yml", folder)
    (folder / "domain/domain.yml").write_text(DOMAIN)
    rules = "".join(
        f"- rule: {intent}\n  steps:\n  - intent: {intent}\n  - action: action_answer\n" for intent in MESSAGES
    )
    (folder / "data/rules/all.yml").write_text('version: "3.1"\nrules:\n' + rules)
    worker = Worker(model_worker(Settings(var_dir=str(folder / "var")), folder), folder / "worker.log")
    yield Trainer(folder, worker)
    await worker.close()


async def test_a_label_that_was_written_is_understood_by_the_next_model(trainer: Trainer) -> None:
    trainer.write()
    seen: list[Progress] = []
    made = await trainer.train("before", progress=seen.append)
    assert made["examples"] == 18
    assert {"checking the data", "learning meanings"} <= {one.phase for one in seen}
    said = "the gizmo hugs my port"
    [before] = await trainer.heard("before", said)
    meant = "payment_failed" if before != "payment_failed" else "greet"
    trainer.write(f"- intent: {meant}\n  examples: |\n    - {said}\n    - gizmo hugging it\n")
    await trainer.train("after")
    assert await trainer.heard("after", said, "the plug is stuck") == [meant, "connector_stuck"]
    assert await trainer.heard("after", "/greet") == await trainer.heard("after", "greet")


async def test_a_broken_file_is_named_with_its_line_and_makes_no_model(trainer: Trainer) -> None:
    trainer.write("- intent: greet\n  examples: [\n")
    with pytest.raises(WorkerError) as broken:
        await trainer.train("broken")
    assert str(broken.value.file).endswith("all.yml")
    assert broken.value.line is not None
    trainer.write("- intent: unheard_of\n  examples: |\n    - what is [this](charger_id)\n")
    with pytest.raises(WorkerError, match="'unheard_of' is not in the domain") as unknown:
        await trainer.train("broken")
    assert (unknown.value.file, unknown.value.line) == ("data/nlu/en/all.yml", 29)
    assert not (trainer.folder / "broken.tar.gz").exists()
    trainer.write("- intent: greet\n  examples: |\n    - payment refused\n")
    made = await trainer.train("twice")
    assert any("payment refused" in one["text"] and one["line"] for one in made["findings"])


async def test_cross_validation_reads_each_message_with_a_model_that_does_not_know_it(trainer: Trainer) -> None:
    trainer.write()
    folds = on_folds(await trainer.worker.call("cross_validate", folds=3))
    assert folds["messages"] == 18
    assert 0.3 < folds["accuracy"] <= 1.0


async def test_what_means_the_same_lies_together(trainer: Trainer) -> None:
    texts = ["my card was declined", "the plug is stuck", "card got declined", "el cable está atorado"]
    groups = await trainer.worker.call("group", texts=texts, alike=0.6)
    assert [0, 2] in groups
    twins = await trainer.worker.call("twins", texts=texts, alike=0.6)
    assert twins[0][:2] == [0, 2]
    vectors = await trainer.worker.call("embed", texts=texts)
    assert sum(one * two for one, two in zip(vectors[0], vectors[2], strict=True)) == pytest.approx(twins[0][2], abs=1e-3)


async def test_a_training_that_is_cancelled_leaves_nothing_and_the_worker_goes_on(trainer: Trainer) -> None:
    trainer.write()
    begun = asyncio.Event()
    training = asyncio.create_task(trainer.train("cancelled", progress=lambda _: begun.set()))
    await begun.wait()
    await trainer.worker.cancel()
    with pytest.raises(Cancelled):
        await training
    assert not (trainer.folder / "cancelled.tar.gz").exists()
    assert await trainer.worker.call("embed", texts=["still there"])
