"""Commands for words: what is worth a look, labels, the data's check, what the bot says, what was done."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from bot.trainer.client import DeskClient

REASONS = ("marked", "corrected", "not_understood", "handed_over", "close_call", "unsure", "new_words", "all")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    inbox = commands.add_parser("inbox", help="messages that are worth a look, the most useful first")
    inbox.add_argument("--reason", choices=REASONS)
    inbox.add_argument("--language")
    inbox.add_argument("--channel")
    inbox.add_argument("--limit", type=int, default=20)
    inbox.set_defaults(run=_inbox)

    label = commands.add_parser("label", help="make a message of the inbox, and those like it, examples of an intent")
    label.add_argument("message", help="the id that `inbox` shows")
    label.add_argument("intent", help="the meaning; out_of_scope for “not ours”, or `skip`")
    label.add_argument("--text", help="other words to learn in place of the driver's")
    label.add_argument("--only", action="store_true", help="this message only, not those like it")
    label.set_defaults(run=_label)

    check = commands.add_parser("check", help="what is wrong with the training data; exit code 1 where it is grave")
    check.add_argument("--rasa", action="store_true", help="with Rasa's own check, which takes a while")
    check.set_defaults(run=_check)

    responses = commands.add_parser("responses", help="what the bot says; with NAME and --set, reword it")
    responses.add_argument("name", nargs="?")
    responses.add_argument("--language", default="en")
    responses.add_argument("--channel", default="", choices=("", "sms", "whatsapp", "web"))
    responses.add_argument("--set", dest="text", help="the new text")
    responses.add_argument("--missing", action="store_true", help="only what is missing in a language")
    responses.set_defaults(run=_responses)

    history = commands.add_parser("decisions", help="who labelled and changed what, and when")
    history.set_defaults(run=_decisions)

    undo = commands.add_parser("undo", help="take a decision back")
    undo.add_argument("decision", type=int, help="the number that `decisions` shows")
    undo.set_defaults(run=_undo)


def _inbox(desk: DeskClient, options: argparse.Namespace) -> int:
    asked = {key: value for key in ("reason", "language", "channel") if (value := getattr(options, key))}
    found = desk.get("inbox", **asked)
    if found["note"]:
        print(f"({found['note']})", file=sys.stderr)
    for group in found["groups"][: options.limit]:
        share = f" {group['confidence']:.0%}" if group["confidence"] is not None else ""
        print(
            f"{group['id']}  {group['language']}  {group['understood'] or '-'}{share}  [{', '.join(group['reasons'])}]"
        )
        for text in dict.fromkeys(one["text"] for one in group["messages"]):
            print(f"    {text}")
    print(f"{found['count']} decisions for {found['messages']} messages", file=sys.stderr)
    return 0


def _label(desk: DeskClient, options: argparse.Namespace) -> int:
    groups = desk.get("inbox")["groups"] + desk.get("inbox", reason="all")["groups"]
    group = next((one for one in groups if any(m["id"] == options.message for m in one["messages"])), None)
    if group is None:
        print(f"desk: no message {options.message} waits for a decision", file=sys.stderr)
        return 1
    first = next(one for one in group["messages"] if one["id"] == options.message)
    chosen = [first] if options.only or options.text else group["messages"]
    messages = [one["id"] for one in chosen]
    if options.intent == "skip":
        return _told(desk.post("inbox/skip", {"messages": messages}))
    texts: dict[str, str] = {options.text or one["text"]: one["language"] for one in chosen}
    examples = [{"text": text, "intent": options.intent, "language": language} for text, language in texts.items()]
    return _told(desk.post("inbox/label", {"messages": messages, "examples": examples}))


def _check(desk: DeskClient, options: argparse.Namespace) -> int:
    found = desk.get("data/health", alike=1)
    findings = found["findings"]
    alike: dict[str, Any] = found["alike"] or {}
    if alike.get("finding"):
        findings.append(alike["finding"])
    elif alike.get("away"):
        print(f"(examples were not compared by their sense: {alike['away']})", file=sys.stderr)
    for one in findings:
        print(f"{'!' if one['grave'] else ' '} {one['title']}: {one['count']}")
        for item in one["items"][:10]:
            if item["note"]:
                print(f"      {item['note']}")
            for row in item["rows"]:
                print(f"      {row['file']}:{row['number']}  {row['intent']}  {row['line']}")
    failed = any(one["grave"] for one in findings)
    if options.rasa:
        told = desk.post("data/validation")
        while told["running"]:
            time.sleep(1)
            told = desk.get("data/validation")
        print("Rasa's own check " + ("passes" if told["passed"] else "fails"))
        for line in told["said"]:
            print(f"      {line}")
        failed = failed or not told["passed"]
    return 1 if failed else 0


def _responses(desk: DeskClient, options: argparse.Namespace) -> int:
    rows = desk.get("responses")["responses"]
    if options.text is not None:
        if not options.name:
            print("desk: which response? responses NAME --set TEXT", file=sys.stderr)
            return 1
        row: dict[str, Any] = next((one for one in rows if one["name"] == options.name), {"texts": {}})
        cell = row["texts"].get(options.language, {}).get(options.channel or "all")
        body = {"language": options.language, "name": options.name, "channel": options.channel, "text": options.text}
        return _told(desk.post("responses/reword", {**body, "old": cell["text"] if cell else None}))
    for row in rows:
        if options.name not in {None, row["name"]} or (options.missing and not row["missing"]):
            continue
        print(row["name"] + (f"  (missing: {', '.join(row['missing'])})" if row["missing"] else ""))
        for language, cells in row["texts"].items():
            for channel, cell in cells.items():
                print(f"    {language}, {channel} ({cell['segments']} SMS): {cell['text']}")
    return 0


def _decisions(desk: DeskClient, options: argparse.Namespace) -> int:
    for one in desk.get("data/history")["decisions"]:
        undone = f"  (undone by {one['undone_by']})" if one["undone_at"] else ""
        print(f"{one['id']:>5}  {one['at']}  {one['trainer']}  {one['summary']}{undone}")
    return 0


def _undo(desk: DeskClient, options: argparse.Namespace) -> int:
    told = desk.post("data/undo", {"decision": options.decision})
    return _told({**told, "summary": f"Undone: {told['summary']}"})


def _told(answer: dict[str, Any]) -> int:
    print(answer["summary"])
    if answer.get("warning"):
        print(f"desk: {answer['warning']}", file=sys.stderr)
    return 0
