"""`rasa data validate` on the folder that trainers edit: run in the Rasa environment, its report turned into lines for people."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path

from chargeline.processes import ROOT, inherited

_PYTHON = ROOT / ".venv-rasa/bin/python"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TOLD = re.compile(r"^(?:.*?(?:UserWarning|FutureWarning): |\S* ?(?:WARNING|ERROR) +\S+ +- )(?P<said>.+)$")
_REFUSED = re.compile(r"^(?:[\w.]+\.)?(?P<kind>[A-Z]\w*(?:Exception|Error)): (?P<said>.+)$")
_NOISE = re.compile(r"deprecat|pkg_resources|SQLALCHEMY|libcuda|tensorflow|declare_namespace", re.IGNORECASE)
_WITHIN_S = 600.0


@dataclass(slots=True)
class Validation:
    """`version`: of the data that was looked at; `passed` is None while it runs or where it could not run."""

    running: bool = False
    version: str = ""
    passed: bool | None = None
    said: list[str] = field(default_factory=list)
    started_by: str = ""


async def validate(folder: Path, validation: Validation) -> None:
    """Fills in `validation`, whatever happens."""
    try:
        if not _PYTHON.exists():
            validation.said = ["The Rasa environment is missing here, so its own check cannot run (tools/setup rasa)."]
            return
        process = await asyncio.create_subprocess_exec(
            *(str(_PYTHON), "-m", "rasa", "data", "validate"),
            *("--data", "data", "--domain", "domain", "--config", "config.yml"),
            cwd=folder,
            env=inherited(
                RASA_TELEMETRY_ENABLED="false",
                SQLALCHEMY_SILENCE_UBER_WARNING="1",
                TF_CPP_MIN_LOG_LEVEL="3",
                CUDA_VISIBLE_DEVICES="",
                PYTHONPATH=str(ROOT),
                LOG_LEVEL="INFO",
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_WITHIN_S):
                output, _ = await process.communicate()
        except (TimeoutError, asyncio.CancelledError) as error:
            process.kill()
            await process.wait()
            if isinstance(error, asyncio.CancelledError):
                raise
            validation.said = ["Rasa's check did not end within ten minutes."]
            return
        validation.passed = process.returncode == 0
        validation.said = what_it_says(output.decode(errors="replace"), failed=not validation.passed)
    finally:
        validation.running = False


def what_it_says(output: str, *, failed: bool) -> list[str]:
    """The report's own sentences, each once; where it failed without one, its last line."""
    lines = [line.strip() for line in _COLOUR.sub("", output).splitlines() if line.strip()]
    said = []
    for line in lines:
        found = _TOLD.match(line) or _REFUSED.match(line)
        if found and not _NOISE.search(line):
            said.append(found["said"].strip())
    if failed and not said and lines:
        said.append(lines[-1])
    return list(dict.fromkeys(said))[:100]
