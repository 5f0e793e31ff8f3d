"""`make score`: plays every scenario against a product of its own, judges, prints the measures, writes the report.

Exit code 0; 1 on any unsafe act or false claim; 2 when it could not run.
"""

from __future__ import annotations

import argparse
import asyncio
import fnmatch
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import orjson

from chargeline.logs import configure
from chargeline.processes import ROOT
from chargeline.settings import Settings, SettingsError
from sandbox.conversations import measures, network, report, stack
from sandbox.conversations.lines import Carrier
from sandbox.conversations.load import FOLDER, load_all
from sandbox.conversations.nodes import BadScenario
from sandbox.conversations.play import CannotPlay, Played, Stage, play
from sandbox.conversations.recorder import Sandbox
from sandbox.conversations.scenario import Scenario
from sandbox.conversations.stack import StackError
from sandbox.conversations.tap import Tap
from sandbox.conversations.wallet import Wallet

SPEED = 10.0  # clock seconds in a real one
PARALLEL = 4  # conversations at a time; more of them make the language model, and so each answer, slower
OUT = ROOT / "var" / "score"
DANGEROUS, COULD_NOT_RUN = 1, 2


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    configure("score", "console", "info" if options.verbose else "warning")
    try:
        every = load_all(options.folder)
        chosen = _chosen(every, options.only)
        if options.list:
            for scenario in chosen:
                print(f"{scenario.id}: {scenario.shows}")
            return 0
        return asyncio.run(_score(every, chosen, options))
    except (BadScenario, network.TooManyDrivers, SettingsError, StackError, CannotPlay, OSError) as error:
        print(f"score: {error}", file=sys.stderr)
        return COULD_NOT_RUN
    except httpx.HTTPError as error:
        print(f"score: the stack cannot be talked to: {type(error).__name__}: {error}", file=sys.stderr)
        return COULD_NOT_RUN
    except KeyboardInterrupt:
        return 130


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.conversations", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="PATTERN", help="scenarios whose id matches (shell pattern or part)"
    )
    parser.add_argument("--list", action="store_true", help="say which scenarios there are, and end")
    parser.add_argument("--speed", type=float, default=SPEED, help=f"clock seconds in a real one (default {SPEED:g})")
    parser.add_argument("--parallel", type=int, default=PARALLEL, help=f"conversations at a time (default {PARALLEL})")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of report.html and score.json")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the scenario files")
    parser.add_argument("--verbose", action="store_true", help="say what is being played")
    options = parser.parse_args(arguments)
    if not 0.1 <= options.speed <= 100 or not 1 <= options.parallel <= 32:
        parser.error("--speed must be from 0.1 to 100 and --parallel from 1 to 32")
    return options


def _chosen(scenarios: Sequence[Scenario], patterns: Sequence[str] | None) -> list[Scenario]:
    """Raises BadScenario where a pattern matches nothing."""
    if not patterns:
        return list(scenarios)
    for pattern in patterns:
        if not any(_matches(each, pattern) for each in scenarios):
            raise BadScenario(f"--only {pattern}: no scenario matches")
    return [each for each in scenarios if any(_matches(each, pattern) for pattern in patterns)]


def _matches(scenario: Scenario, pattern: str) -> bool:
    return fnmatch.fnmatch(scenario.id, pattern) or pattern in scenario.id


async def _score(every: Sequence[Scenario], chosen: Sequence[Scenario], options: argparse.Namespace) -> int:
    began = time.monotonic()
    people = network.cast(every)
    played = await _on_own_stack(every, chosen, people, options)
    verdicts = [each.verdict for each in played]
    about = {
        "scenarios_played": len(played),
        "seconds": round(time.monotonic() - began, 1),
        "clock_speed": options.speed,
        "parallel": options.parallel,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "score.json").write_bytes(
        orjson.dumps(measures.as_json(verdicts, about), option=orjson.OPT_INDENT_2)
    )
    (options.out / "report.html").write_text(report.page(played, about), "utf-8")
    print(measures.table(verdicts))
    print(f"\nThe bot's share of the way to an effect:\n{measures.speed_lines(verdicts)}\n")
    for verdict in verdicts:
        if not verdict.right:
            print(f"wrong: {verdict.scenario}: {'; '.join(verdict.reasons)}")
    print(f"\n{len(played)} scenarios in {about['seconds']} s; report: {options.out / 'report.html'}")
    return DANGEROUS if any(verdict.dangerous for verdict in verdicts) else 0


async def _on_own_stack(
    every: Sequence[Scenario], chosen: Sequence[Scenario], people: network.Cast, options: argparse.Namespace
) -> list[Played]:
    folder = stack.fresh(options.out / "stack")
    network.write(every if len(chosen) > 1 else chosen, people, folder / "network")
    environ = stack.environment(folder / "var", folder / "network", options.speed, time.time())
    carrier = Carrier(stack.ACCOUNT, environ["TWILIO_AUTH_TOKEN"], stack.OUR_NUMBER)
    tap = Tap(f"ws://127.0.0.1:{environ['OCPP_PORT']}/ocpp")
    own: stack.OwnStack | None = None
    try:
        environ["SANDBOX_CSMS_URL"] = await tap.start()
        await carrier.start()
        environ["TWILIO_API_URL"] = carrier.url
        own = stack.OwnStack(folder / "var", environ)
        await own.start()
        return await _play_all(chosen, own.settings, carrier, tap, people, options.parallel)
    finally:
        if own is not None:
            await own.stop()
        await tap.close()
        await carrier.close()


async def _play_all(
    scenarios: Sequence[Scenario],
    settings: Settings,
    carrier: Carrier,
    tap: Tap,
    people: network.Cast,
    parallel: int,
) -> list[Played]:
    """So many at a time, those that may take longest first. Raises what `play` raises."""
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(timeout=20, trust_env=False, limits=limits) as http:
        stage = Stage(
            bot=settings.url_of("bot"),
            public_url=settings.public_base_url,
            terminal_key=settings.terminal_key,
            carrier=carrier,
            sandbox=Sandbox(f"http://127.0.0.1:{settings.sandbox_port}", http),
            wallet=Wallet(f"http://127.0.0.1:{settings.payments_port}", http),
            tap=tap,
            http=http,
            people=people,
            speed=settings.clock_speed,
            run=secrets.token_hex(3),
        )
        seats = asyncio.Semaphore(parallel)

        ended = 0

        async def one(scenario: Scenario) -> Played:
            nonlocal ended
            async with seats:
                played = await play(scenario, stage)
            ended += 1
            print(f"{ended:3} of {len(scenarios)}  {played.verdict.end:12} {scenario.id}", file=sys.stderr, flush=True)
            return played

        ordered = sorted(scenarios, key=lambda each: -each.expect.within_s)
        played = await asyncio.gather(*(one(each) for each in ordered))
    return sorted(played, key=lambda each: each.scenario.id)


if __name__ == "__main__":
    sys.exit(main())
