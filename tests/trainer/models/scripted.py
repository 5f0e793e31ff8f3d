"""A worker that follows a script, in place of the one that needs Rasa: the same protocol, started the same way.

Its models are JSON files: what they take each text for, and "*" for all others. `train` writes what `next.json` in its folder holds,
where {"fail": ...}, {"crash": true} and {"hang": true} are told to go wrong.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def parsed(heard: dict[str, str], text: str) -> dict[str, Any]:
    name = heard.get(text, heard.get("*", "out_of_scope"))
    unsure = name.endswith("?")
    likeliest = {"name": name.rstrip("?"), "confidence": 0.3 if unsure else 0.9}
    fallback = {"name": "nlu_fallback", "confidence": 0.6}
    ranking = [fallback, likeliest] if unsure else [likeliest]
    return {"intent": ranking[0], "intent_ranking": ranking, "entities": []}


def main() -> None:
    folder = Path(os.environ["DESK_FOLDER"])

    def say(message: dict[str, Any]) -> None:
        print(json.dumps(message), flush=True)

    say({"ready": True})
    unwanted: set[int] = set()
    for line in sys.stdin:
        call = json.loads(line)
        if "cancel" in call:
            unwanted.add(call["cancel"])
            say({"id": call["cancel"], "error": {"reason": "cancelled", "cancelled": True}})
            continue
        number, name = call["id"], call["call"]
        if name == "parse":
            heard = json.loads(Path(call["model"]).read_text())
            say({"id": number, "progress": {"phase": "reading messages", "done": 0, "of": len(call["texts"])}})
            say({"id": number, "result": [parsed(heard, text) for text in call["texts"]]})
        elif name == "train":
            wanted = json.loads((folder / "next.json").read_text())
            say({"id": number, "progress": {"phase": "training", "done": 0, "of": 0}})
            if "fail" in wanted:
                say({"id": number, "error": wanted["fail"]})
            elif "crash" in wanted:
                os._exit(9)
            elif "deaf" in wanted:
                time.sleep(600)
            elif "hang" not in wanted:
                (Path(call["out"]) / f"{call['name']}.tar.gz").write_text(json.dumps(wanted))
                say({"id": number, "result": {"examples": 7, "intents": {}, "findings": [], "seconds": {"training": 1}}})
        elif name == "embed":
            say({"id": number, "result": [[float(len(text))] for text in call["texts"]]})
        else:
            say({"id": number, "error": {"reason": f"no such call: {name}"}})


if __name__ == "__main__":
    main()
