"""The services' end of the warm worker: starts it when it is first needed, hands it one call after the other, passes progress on.

The worker itself is `bot.trainer.models.rasa_side`, in the Rasa environment. It costs half a gigabyte, so it is let go when nobody
has asked anything for a while. One that ends by itself fails the call it had, and the next call starts a new one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bot.trainer.models.sources import code_hash
from chargeline.processes import ROOT, Process, environment_of

log = structlog.get_logger(__name__)

LOG = Path("logs/desk-worker.log")  # under VAR_DIR
START_WITHIN_S = 300.0
CANCEL_WITHIN_S = 10.0
IDLE_S = 900.0
_LOG_BYTES = 5_000_000  # a longer log is begun anew at the next start
_LINE = 1 << 28  # an answer is one line: the vectors of some thousand texts


@dataclass(frozen=True, slots=True)
class Progress:
    phase: str
    done: int = 0
    of: int = 0


class WorkerError(Exception):
    """The call failed; `file` and `line` say where in the data, where that is known."""

    def __init__(self, reason: str, file: str | None = None, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.file, self.line = reason, file, line


class WorkerCrashed(WorkerError):
    """The worker ended in the middle of the call."""


class Cancelled(Exception):
    """The call was cancelled by `cancel`."""


class Worker:
    """Calls are answered one at a time, in the order in which they were made."""

    def __init__(self, process: Process, log_file: Path, idle_s: float = IDLE_S) -> None:
        """`process`: as `chargeline.processes.model_worker` says it."""
        self._how = process
        self._log_file = log_file
        self._idle_s = idle_s
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._code = ""
        self._last = 0
        self._now: int | None = None
        self._cancelled = False
        self._idle: asyncio.TimerHandle | None = None

    @property
    def warm(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def warm_up(self) -> None:
        """Starts it, so that the next call need not wait for that."""
        async with self._turn:
            await self._started(lambda _: None)
            self._rest()

    async def call(self, name: str, /, *, progress: Callable[[Progress], None] | None = None, **arguments: Any) -> Any:
        """The call's result. Raises WorkerError, WorkerCrashed, Cancelled."""
        tell = progress or (lambda _: None)
        async with self._turn:
            if self._idle is not None:
                self._idle.cancel()
            self._cancelled = False
            try:
                process = await self._started(tell)
                self._last += 1
                self._now = self._last
                self._send(process, {"id": self._now, "call": name, **arguments})
                return await self._answer(process, tell)
            finally:
                self._now = None
                self._rest()

    async def cancel(self) -> None:
        """Ends the call that is being answered: by asking, and where that does not help, with the worker."""
        number, process = self._now, self._process
        if number is None or process is None:
            return
        self._cancelled = True
        self._send(process, {"cancel": number})
        for _ in range(int(CANCEL_WITHIN_S * 10)):
            if self._now != number:
                return
            await asyncio.sleep(0.1)
        if self._now == number and process.returncode is None:
            log.warning("desk_worker_killed", reason="it did not cancel")
            process.kill()
            await process.wait()  # the next call must not be handed to one that is dying

    async def close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        await self._end()

    # ------------------------------------------------------------------------------------------------------------
    async def _started(self, tell: Callable[[Progress], None]) -> asyncio.subprocess.Process:
        code = code_hash()
        if self._process is not None and self._process.returncode is None:
            if code == self._code:
                return self._process
            await self._end()  # it has old code in memory
        tell(Progress("starting the worker"))
        if not Path(self._how.command[0]).exists():
            raise WorkerError("the Rasa environment is missing; run tools/setup rasa")
        self._log_file.parent.mkdir(parents=True, exist_ok=True)
        long = self._log_file.is_file() and self._log_file.stat().st_size > _LOG_BYTES
        with self._log_file.open("wb" if long else "ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *self._how.command,
                cwd=ROOT,
                env=environment_of(self._how),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=_LINE,
                start_new_session=True,
            )
        self._code = code
        try:
            async with asyncio.timeout(START_WITHIN_S):
                await self._line(self._process)
        except TimeoutError:
            await self._end()
            raise WorkerError(f"the worker did not start within {START_WITHIN_S:.0f} s ({self._log()})") from None
        return self._process

    async def _answer(self, process: asyncio.subprocess.Process, tell: Callable[[Progress], None]) -> Any:
        while True:
            message = await self._line(process)
            if message.get("id") != self._now:
                continue
            if "progress" in message:
                tell(Progress(**message["progress"]))
            elif "error" in message:
                error = message["error"]
                if error.get("cancelled"):
                    raise Cancelled
                raise WorkerError(error["reason"], error.get("file"), error.get("line"))
            else:
                return message["result"]

    async def _line(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if line:
            message: dict[str, Any] = json.loads(line)
            return message
        code = await process.wait()
        self._process = None
        if self._cancelled:
            raise Cancelled
        log.error("desk_worker_ended", code=code)
        raise WorkerCrashed(f"the worker ended in the middle of its work (code {code}); {self._log()}")

    def _send(self, process: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(message).encode() + b"\n")

    def _log(self) -> str:
        return f"log: {self._log_file}"

    def _rest(self) -> None:
        """Starts to count the time in which nobody asks."""
        if self._idle is not None:
            self._idle.cancel()
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(self._idle_s, self._let_go)

    def _let_go(self) -> None:
        if not self._turn.locked() and self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()  # it ends at the end of its input
            self._process = None

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
