"""The models' commands of the desk: train, compare, promote, rollback, history, models. They do what the page does, by its API."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from bot.trainer.client import DeskClient

_PACE_S = 1.0


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    train = commands.add_parser("train", help="train a candidate on the present data and compare it with the live model")
    train.add_argument("--cross-validation", action="store_true", help="in five parts; a minute or more")
    train.set_defaults(run=_train)
    compare = commands.add_parser("compare", help="compare a model with the live one")
    compare.add_argument("model", nargs="?", help="id, or its first letters; the newest")
    compare.add_argument("--cross-validation", action="store_true", help="in five parts; a minute or more")
    compare.add_argument("--score", choices=("short", "all"), help="play conversations with it too (minutes)")
    compare.set_defaults(run=_compare)
    promote = commands.add_parser("promote", help="make a compared model the live one")
    promote.add_argument("model", nargs="?", help="id, or its first letters; the newest")
    promote.add_argument("--why", required=True, help="for the history")
    promote.add_argument("--override", action="store_true", help="although the verdict bars it; kept under your name")
    promote.set_defaults(run=_promote)
    back = commands.add_parser("rollback", help="make the model before the live one live again")
    back.add_argument("--why", default="", help="for the history")
    back.set_defaults(run=_roll_back)
    commands.add_parser("models", help="what is on the shelf").set_defaults(run=_models)
    commands.add_parser("history", help="who made which model live, when and why").set_defaults(run=_history)


def _train(desk: DeskClient, options: argparse.Namespace) -> int:
    desk.post("models/train", {"cross_validation": options.cross_validation})
    return _follow(desk)


def _compare(desk: DeskClient, options: argparse.Namespace) -> int:
    model = _named(desk, options.model)
    desk.post(f"models/{model}/compare", {"cross_validation": options.cross_validation})
    code = _follow(desk)
    if code or not options.score:
        return code
    desk.post(f"models/{model}/score", {"part": options.score})
    return _follow(desk)


def _promote(desk: DeskClient, options: argparse.Namespace) -> int:
    model = _named(desk, options.model)
    desk.post(f"models/{model}/promote", {"why": options.why, "override": options.override})
    print(f"{model} is live")
    return 0


def _roll_back(desk: DeskClient, options: argparse.Namespace) -> int:
    print(f"{desk.post('models/rollback', {'why': options.why})['live']} is live again")
    return 0


def _models(desk: DeskClient, options: argparse.Namespace) -> int:
    found = desk.get("models")
    for row in found["models"]:
        said = "live" if row["id"] == found["live"] else row["verdict"] if row["against"] == found["live"] else "not compared"
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(row["made"]))
        print(f"{row['id']}  {made}  {row['by'] or '-':12}  {said}")
    return 0


def _history(desk: DeskClient, options: argparse.Namespace) -> int:
    for row in desk.get("models/history")["history"]:
        instead = f" instead of {row['instead_of']}" if row["instead_of"] not in {None, row["model"]} else ""
        override = f" [override: {', '.join(row['override'])}]" if row["override"] else ""
        print(f"{row['at'][:19].replace('T', ' ')}  {row['who']}  {row['did']} {row['model']}{instead}: {row['why']}{override}")
    return 0


def _named(desk: DeskClient, given: str | None) -> str:
    """The id that begins so, where there is one; what was given otherwise, for the desk to refuse."""
    ids = [str(row["id"]) for row in desk.get("models")["models"]]
    found = [one for one in ids if one.startswith(given or "")]
    return found[0] if found and (given is None or len(found) == 1) else given or "-"


def _follow(desk: DeskClient) -> int:
    """Says what the job is doing until it has ended, then what came of it."""
    phase = ""
    while True:
        job = desk.get("models/job")["job"]
        if job["state"] != "running":
            break
        if job["phase"] != phase:
            phase = job["phase"]
            print(f"  {phase}", flush=True)
        time.sleep(_PACE_S)
    place = f"{job['file']}:{job['line']}: " if job["file"] and job["line"] else f"{job['file']}: " if job["file"] else ""
    if job["state"] != "done":
        print(f"{job['state']}: {place}{job['words']}", file=sys.stderr)
        return 1
    print(f"{job['words']} ({job['seconds']:.0f} s)")
    if job["model"]:
        _say_report(desk.get(f"models/{job['model']}"))
    return 0


def _say_report(model: dict[str, Any]) -> None:
    report = model["card"].get("report")
    print(f"model {model['id']}")
    if report is None:
        return
    for line in (*report["verdict"]["stops"], *report["verdict"]["notes"]):
        print(f"  - {line['words']}")
    for row in report["test"]["changes"]:
        print(
            f"  {row['kind']:6}  {row['meant']}: {row['live']['answer']} -> {row['candidate']['answer']}  {row['text']}"
        )
