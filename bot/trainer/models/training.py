"""What the trainers' desk does with models, one job at a time: train, compare, play conversations; and promote, roll back.

A job runs in the background and tells how far it is. It belongs to the desk's process: a desk that ends, ends it, and the shelf
has either the whole new model or nothing of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import structlog

from bot import hazard
from bot.trainer.base import LanguageModelAway
from bot.trainer.inbox.traffic import TrafficAway
from bot.trainer.models import compare, testset
from bot.trainer.models.shelf import Model, NoSuchModel, Shelf, ShelfError
from bot.trainer.models.sources import frame_hash, model_id
from bot.trainer.models.verdict import judge
from bot.trainer.models.worker import Cancelled, Progress, Worker, WorkerError
from chargeline.clock import Clock
from chargeline.processes import ROOT, environment_of, scoring

log = structlog.get_logger(__name__)

LIVE = "live"
FOLDS = 5
MOST_TRAFFIC = 2000
_SCORED = re.compile(r"\s*(\d+) of (\d+)\s")
PARTS = {"short": ("hazards", "refused"), "all": ()}  # of the played conversations, as `--only` takes them

Traffic = Callable[[int], Awaitable[Sequence[str]]]


class Busy(Exception):
    """Another job is running; the message says whose."""


class Refused(Exception):
    """A promotion that the rules bar. `slug` says which rule, `stops` the verdict's own."""

    def __init__(self, slug: str, words: str, stops: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(words)
        self.slug = slug
        self.stops = list(stops)


@dataclass(slots=True)
class Job:
    kind: str  # train, compare, score
    who: str
    started: datetime
    began: float
    state: str = "running"  # running, done, failed, cancelled
    phase: str = ""
    done: int = 0
    of: int = 0
    seconds: float = 0.0
    model: str | None = None
    words: str = ""  # what came of it, or why it failed
    file: str | None = None
    line: int | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        seconds = time.monotonic() - self.began if self.state == "running" else self.seconds
        shown = ("kind", "who", "state", "phase", "done", "of", "model", "words", "file", "line")
        return {
            **{name: getattr(self, name) for name in shown},
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
        }


class Models:
    """`folder` holds data/, domain/, config.yml and tests/nlu; `traffic` gives so many of the latest masked messages."""

    def __init__(
        self,
        shelf: Shelf,
        worker: Worker,
        folder: Path,
        var: Path,
        clock: Clock,
        traffic: Traffic | None = None,
        traffic_days: float = 30.0,
    ) -> None:
        self.shelf = shelf
        self.worker = worker
        self.traffic = traffic
        self._folder = folder
        self._var = var
        self._clock = clock
        self._traffic_days = timedelta(days=traffic_days)
        self._playing: asyncio.subprocess.Process | None = None
        self.job: Job | None = None

    # --- what other parts of the desk ask
    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Raises LanguageModelAway."""
        found: list[list[float]] = await self._asked("embed", texts=list(texts))
        return found

    async def group(self, texts: Sequence[str], alike: float = 0.8) -> list[list[int]]:
        """Places of texts that mean nearly the same, by group. Raises LanguageModelAway."""
        found: list[list[int]] = await self._asked("group", texts=list(texts), alike=alike)
        return found

    async def twins(self, texts: Sequence[str], alike: float) -> list[tuple[int, int, float]]:
        """Pairs of places whose texts are at least so alike, the most alike first. Raises LanguageModelAway."""
        found = await self._asked("twins", texts=list(texts), alike=alike)
        return [(one, two, score) for one, two, score in found]

    async def parse(self, texts: Sequence[str], model: str = LIVE) -> list[dict[str, Any]]:
        """Raises LanguageModelAway."""
        try:
            file = self.find(model).file
        except ShelfError as error:
            raise LanguageModelAway(str(error)) from error
        found: list[dict[str, Any]] = await self._asked("parse", model=str(file), texts=list(texts))
        return found

    async def _asked(self, call: str, **arguments: Any) -> Any:
        try:
            return await self.worker.call(call, **arguments)
        except (WorkerError, Cancelled) as error:
            raise LanguageModelAway(str(error) or "cancelled") from error

    # --- what is there
    def find(self, name: str) -> Model:
        """A model by its id, or the live one. Raises NoSuchModel."""
        if name != LIVE:
            return self.shelf.model(name)
        live = self.shelf.live()
        if live is None:
            raise NoSuchModel("there is no model yet; train one")
        return live

    def present(self) -> str:
        """The id that a model of the present data has."""
        return model_id(self._folder)

    def forget_traffic(self) -> None:
        """Takes what drivers wrote out of reports that are older than their messages may be kept; counts and verdicts stay."""
        oldest = (self._clock.now() - self._traffic_days).isoformat(timespec="seconds")
        for model in self.shelf.models():
            report = model.card.get("report") or {}
            traffic = report.get("traffic") or {}
            if report.get("at", oldest) < oldest and (traffic.get("changes") or traffic.get("dangers_lost")):
                kept = {**traffic, "changes": [], "dangers_lost": [], "forgotten": True}
                self.shelf.note(model.id, report={**report, "traffic": kept})

    # --- jobs
    def train(self, who: str, *, then_compare: bool = True, cross_validation: bool = False) -> Job:
        """Raises Busy."""

        async def work(job: Job) -> None:
            trained = await self._train(job)
            live = self.shelf.live()
            if not then_compare or live is None or live.id == trained:
                job.words = "The data has not changed since the live model was trained." if live and live.id == trained else "Trained."
                return
            await self._compare(job, trained, cross_validation)

        return self._start("train", who, work)

    def compare(self, model: str, who: str, *, cross_validation: bool = False) -> Job:
        """Raises Busy, NoSuchModel."""
        self.shelf.model(model)
        return self._start("compare", who, lambda job: self._compare(job, model, cross_validation))

    def score(self, model: str, who: str, part: str) -> Job:
        """Plays conversations of the scoring set with the model in a product of its own. Raises Busy, NoSuchModel, KeyError."""
        self.shelf.model(model)
        only = PARTS[part]
        return self._start("score", who, lambda job: self._score(job, model, part, only))

    async def cancel(self) -> None:
        job = self.job
        if job is None or job.state != "running" or job.task is None:
            return
        await self.worker.cancel()
        if job.task is not None and not job.task.done():
            job.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await job.task

    async def close(self) -> None:
        if self.job is not None and self.job.task is not None and not self.job.task.done():
            self.job.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.job.task
        await self.worker.close()

    def _start(self, kind: str, who: str, work: Callable[[Job], Awaitable[None]]) -> Job:
        if self.job is not None and self.job.state == "running":
            raise Busy(f"{self.job.who} has started a job ({self.job.kind}) that is still running")
        self.forget_traffic()
        job = Job(kind, who, self._clock.now(), time.monotonic())
        self.job = job
        job.task = asyncio.create_task(self._run(job, work))
        return job

    async def _run(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> None:
        try:
            await work(job)
            job.state = "done"
        except (Cancelled, asyncio.CancelledError):
            job.state, job.words = "cancelled", "Cancelled; nothing has changed."
        except WorkerError as error:
            job.state, job.words, job.file, job.line = "failed", error.reason, error.file, error.line
        except (ShelfError, testset.TestSetError, OSError) as error:
            job.state, job.words = "failed", str(error)
        except Exception:
            log.exception("desk_job_failed", job=job.kind)
            job.state, job.words = "failed", "Something went wrong on our side; it has been logged."
        finally:
            job.seconds = time.monotonic() - job.began
            log.info("desk_job_ended", job=job.kind, state=job.state, who=job.who, seconds=round(job.seconds, 1))

    async def _train(self, job: Job) -> str:
        """The id of the model of the present data, trained where the shelf has none."""
        now = self._clock.now()
        self.shelf.pin(job.who, now)
        name, frame = self.present(), frame_hash(self._folder)
        job.model = name
        if self.shelf.file(name).is_file():
            self.shelf.note(name, frame=frame)
            return name
        with self.shelf.training():
            made = await self.worker.call(
                "train", progress=_into(job), out=str(self.shelf.folder.absolute()), name=name
            )
        self.shelf.note(name, frame=frame, by=job.who, at=now.isoformat(timespec="seconds"), trained=made)
        for gone in self.shelf.clean_up(keep=[name]):
            shutil.rmtree(self._var / "score" / gone, ignore_errors=True)
        return name

    async def _compare(self, job: Job, candidate: str, cross_validation: bool) -> None:
        job.model = candidate
        live = self.find(LIVE)
        report: dict[str, Any] = {"against": live.id, "by": job.who, "at": self._clock.now().isoformat(timespec="seconds")}
        tell = _into(job)
        messages = testset.read(self._test_folder())
        texts = [one.text for one in messages]
        sides = [await self._parse(file, texts, f"the test set, {side} model", tell) for side, file in self._sides(candidate, live)]
        report["test"] = compare.on_test_set(messages, sides[0], sides[1], _is_danger)
        said = await self._said_lately()
        if said is not None:
            sides = [await self._parse(file, said, f"recent traffic, {side} model", tell) for side, file in self._sides(candidate, live)]
            report["traffic"] = compare.on_traffic(said, sides[0], sides[1], _is_danger, self._taught(said))
        if cross_validation:
            report["folds"] = compare.on_folds(await self.worker.call("cross_validate", progress=tell, folds=FOLDS))
        self._judged(candidate, live, report)
        job.words = report["verdict"]["words"]

    async def _said_lately(self) -> list[str] | None:
        """None where nobody can be asked."""
        if self.traffic is None:
            return None
        try:
            return list(await self.traffic(MOST_TRAFFIC))
        except TrafficAway as error:
            log.warning("desk_traffic_away", reason=str(error))
            return None

    def _sides(self, candidate: str, live: Model) -> list[tuple[str, Path]]:
        return [("live", live.file), ("new", self.shelf.file(candidate))]

    async def _parse(self, file: Path, texts: list[str], what: str, tell: Callable[[Progress], None]) -> list[dict[str, Any]]:
        def told(progress: Progress) -> None:
            tell(Progress(what, progress.done, progress.of))

        found: list[dict[str, Any]] = await self.worker.call("parse", progress=told, model=str(file.absolute()), texts=texts)
        return found

    def _judged(self, candidate: str, live: Model, report: dict[str, Any]) -> None:
        """Adds the scores that both models have, and the verdict; keeps it all with the candidate."""
        scores = {"candidate": self.shelf.model(candidate).card.get("scores", {}), "live": live.card.get("scores", {})}
        part = next((part for part in ("all", "short") if part in scores["candidate"]), None)
        if part is not None:
            report["score"] = {"part": part, "candidate": scores["candidate"][part], "live": scores["live"].get(part)}
        report["verdict"] = judge(report).as_json()
        self.shelf.note(candidate, report=report)

    def _taught(self, texts: Sequence[str]) -> dict[str, str]:
        """Those of the texts that are training messages by now, and what they mean."""
        wanted, found = set(texts), {}
        for language in testset.LANGUAGES:
            for file in sorted((self._folder / "data/nlu" / language).glob("*.yml")):
                for one in testset.messages_of(file):
                    if one.text in wanted:
                        found[one.text] = one.meant
        return found

    def _test_folder(self) -> Path:
        own = self._folder / "tests/nlu"
        return own if own.is_dir() else ROOT / "tests/nlu"

    async def _score(self, job: Job, model: str, part: str, only: Sequence[str]) -> None:
        job.model = model
        out = (self._var / "score" / model / part).absolute()
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="desk-score-") as folder:
            shutil.copy2(self.shelf.file(model), folder)
            picked = [argument for pattern in only for argument in ("--only", pattern)]
            job.phase = "starting a product to play with"
            how = scoring(folder, ["--out", str(out), *picked])
            with (out / "score.log").open("wb") as said:
                self._playing = await asyncio.create_subprocess_exec(
                    *how.command,
                    cwd=ROOT,
                    env=environment_of(how),
                    stdout=said,
                    stderr=asyncio.subprocess.PIPE,
                    start_new_session=True,
                )
                try:
                    last = await self._follow(job, self._playing)
                finally:
                    await self._end_playing()
        file = out / "score.json"
        if self._playing.returncode == 2 or not file.is_file():
            raise ShelfError(f"the conversations could not be played: {last} (log: {out / 'score.log'})")
        summary = summary_of_score(orjson.loads(file.read_bytes()))
        scores = self.shelf.model(model).card.get("scores", {})
        summary |= {"at": self._clock.now().isoformat(timespec="seconds"), "report": str(out / "report.html")}
        self.shelf.note(model, scores={**scores, part: summary})
        report = self.shelf.model(model).card.get("report")
        live = self.shelf.live()
        if report is not None and live is not None and report["against"] == live.id:
            self._judged(model, live, report)
        job.words = f"{summary['scenarios'] - summary['wrong']} of {summary['scenarios']} conversations ended as they should."

    async def _follow(self, job: Job, playing: asyncio.subprocess.Process) -> str:
        """Until it has ended; its last words."""
        assert playing.stderr is not None
        last = ""
        async for line in playing.stderr:
            last = line.decode(errors="replace").strip() or last
            found = _SCORED.match(last)
            if found:
                job.phase, job.done, job.of = "playing conversations", int(found.group(1)), int(found.group(2))
        await playing.wait()
        return last

    async def _end_playing(self) -> None:
        playing = self._playing
        if playing is None or playing.returncode is not None:
            return
        playing.send_signal(signal.SIGINT)  # it ends the product that it started
        try:
            async with asyncio.timeout(45):
                await playing.wait()
        except TimeoutError:
            playing.kill()
            await playing.wait()

    # --- decisions
    def promote(self, model: str, who: str, why: str, *, override: bool = False) -> None:
        """Raises Refused, NoSuchModel, ShelfError."""
        why = " ".join(why.split())
        candidate, live = self.shelf.model(model), self.shelf.live()
        if live is not None and live.id == candidate.id:
            raise Refused("live-already", "This model is live already.")
        if not why:
            raise Refused("no-reason", "Say why: a few words, for the history.")
        stops: list[dict[str, str]] = []
        if live is not None:
            report = candidate.card.get("report")
            if report is None or report.get("against") != live.id:
                raise Refused("not-compared", "Compare this model with the live one first.")
            stops = list(report["verdict"]["stops"])
            if stops and not override:
                raise Refused("barred", report["verdict"]["words"], stops)
            if stops and len(why) < SHORTEST_REASON:
                raise Refused("no-reason", "An override needs a reason that others can understand later.", stops)
        frame = candidate.card.get("frame")
        if frame is not None and frame != frame_hash(self._folder):
            raise Refused(
                "other-version", "This model was trained for another version of the product (rules, domain or code); train anew."
            )
        self.shelf.promote(
            candidate.id,
            who,
            why,
            self._clock.now(),
            override=[stop["name"] for stop in stops],
            expect=live.id if live else None,
        )
        log.info("model_promoted", model=candidate.id, who=who, override=[stop["name"] for stop in stops])

    def roll_back(self, who: str, why: str) -> str:
        """The id of the model that is live again. Raises NothingBefore."""
        pointer = self.shelf.roll_back(who, " ".join(why.split()) or "no reason given", self._clock.now())
        log.info("model_rolled_back", model=pointer.model, who=who)
        return pointer.model


SHORTEST_REASON = 10  # letters of the reason for an override


def summary_of_score(whole: dict[str, Any]) -> dict[str, Any]:
    """What of `score.json` decides: how many conversations, how many ended wrong, unsafe acts, false claims."""
    row = next(row for row in whole["measures"] if row["problem"] == "all")
    return {name: row[name] for name in ("scenarios", "wrong", "unsafe", "false_claims")}


def _is_danger(text: str) -> bool:
    return hazard.match(text) is not None


def _into(job: Job) -> Callable[[Progress], None]:
    def told(progress: Progress) -> None:
        job.phase, job.done, job.of = progress.phase, progress.done, progress.of

    return told
