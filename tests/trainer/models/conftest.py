"""A desk with its models' part: a folder with a little data and a little test set, a worker that follows a script."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.trainer.app import desk
from bot.trainer.models import part as models_part
from bot.trainer.models.shelf import Shelf
from bot.trainer.models.worker import Worker
from chargeline.processes import ROOT, Process
from chargeline.settings import Settings

ADA, BEN, SERVER_KEY = "ada-has-this-key", "ben-has-this-key", "rasa-has-this-key"
WORKER = (sys.executable, "-m", "tests.trainer.models.scripted")
TEST_SET = {
    "connector_stuck": ["the plug is stuck", "cable wont come out", "cant pull it out"],
    "payment_failed": ["card declined", "visa refused"],
    "safety_hazard": ["it gives me a funny feeling in my hand", "FIRE at the charger"],
}
GOOD = {text: intent for intent, texts in TEST_SET.items() for text in texts}


@dataclass(slots=True)
class Room:
    """`http` is ada's. `trained(heard)` has the desk train a model that takes texts for these intents, and returns its id."""

    folder: Path
    shelf: Shelf
    http: httpx.AsyncClient
    settings: Settings
    said: list[str] = field(default_factory=list)
    _versions: int = 0

    def will_train(self, heard: dict[str, Any]) -> None:
        """What the next training makes, of data that has changed."""
        self._versions += 1
        (self.folder / "next.json").write_text(json.dumps(heard))
        (self.folder / "data/nlu/en/own.yml").write_text(
            f'version: "3.1"\nnlu:\n- intent: connector_stuck\n  examples: |\n    - version {self._versions}\n'
        )

    async def job(self) -> dict[str, Any]:
        """The job, once it has ended."""
        while True:
            found: dict[str, Any] = (await self.http.get("/api/models/job")).json()["job"]
            if found["state"] != "running":
                return found

    async def trained(self, heard: dict[str, str], **how: Any) -> str:
        self.will_train(heard)
        answer = await self.http.post("/api/models/train", json=how)
        assert answer.status_code == 202, answer.text
        job = await self.job()
        assert job["state"] == "done", job
        return str(job["model"])

    async def live(self) -> str:
        return str((await self.http.get("/api/models")).json()["live"])

    def promote(self, model: str, **body: Any) -> Awaitable[httpx.Response]:
        return self.http.post(f"/api/models/{model}/promote", json=body)


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    for part in ("data/nlu/en", "domain", "tests/nlu/dev"):
        (folder / part).mkdir(parents=True)
    shutil.copy(ROOT / "config.yml", folder)
    (folder / "domain/domain.yml").write_text("intents: []\n")
    blocks = [
        f"- intent: {intent}\n  examples: |\n" + "".join(f"    - {text}\n" for text in texts)
        for intent, texts in TEST_SET.items()
    ]
    (folder / "tests/nlu/dev/en.yml").write_text('version: "3.1"\nnlu:\n' + "".join(blocks))
    return folder


@pytest.fixture
async def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    folder = _folder(tmp_path)

    def scripted(process: Process, log: Path) -> Worker:
        return Worker(replace(process, command=list(WORKER)), log)

    monkeypatch.setattr(models_part, "Worker", scripted)
    said: list[str] = []

    def reading(opened: Any) -> Any:
        async def traffic(most: int) -> list[str]:
            return said[:most]

        opened.traffic = traffic
        return models_part.part(opened)

    settings = Settings(
        desk_keys=f"ada:{ADA},ben:{BEN}",
        model_server_key=SERVER_KEY,
        var_dir=str(tmp_path / "var"),
        models_dir=str(tmp_path / "models"),
        desk_folder=str(folder),
        private_host="127.0.0.1",
    )
    async with (
        desk(settings, port=0, parts=[reading]) as port,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {ADA}"}, trust_env=False, timeout=30
        ) as http,
    ):
        yield Room(folder, Shelf(tmp_path / "models"), http, replace(settings, desk_port=port), said)


