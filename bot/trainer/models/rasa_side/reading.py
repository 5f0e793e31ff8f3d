"""A trained model, loaded to read messages as the running Rasa would, many at a time and without a dialogue."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List

from rasa.core.channels.channel import UserMessage
from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER
from rasa.engine.loader import load_predict_graph_runner
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.shared.core.trackers import DialogueStateTracker

_BATCH = 100
_RANKED = 5


class Reader:
    """Raises what Rasa raises where the file is no model."""

    def __init__(self, file: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="desk-model-") as folder:
            self._metadata, self._runner = load_predict_graph_runner(
                Path(folder), file, LocalModelStorage, DaskGraphRunner
            )

    def read(self, texts: List[str], progress: Callable[[str, int, int], None]) -> List[Dict[str, Any]]:
        found: List[Dict[str, Any]] = []
        for first in range(0, len(texts), _BATCH):
            progress("reading messages", first, len(texts))
            # A slash would make it a command of Rasa's; the front door takes it off too.
            batch = [UserMessage(text.lstrip("/ ") or "?") for text in texts[first : first + _BATCH]]
            target = self._metadata.nlu_target
            tracker = DialogueStateTracker.from_events("desk", [])
            answer = self._runner.run(
                inputs={PLACEHOLDER_MESSAGE: batch, PLACEHOLDER_TRACKER: tracker}, targets=[target]
            )
            found += [_plain(message.as_dict(only_output_properties=True)) for message in answer[target]]
        return found


def _plain(parsed: Dict[str, Any]) -> Dict[str, Any]:
    """In the shape of Rasa's `/model/parse`, without what nobody at the desk asks for."""
    ranking = parsed.get("intent_ranking") or []
    return {
        "intent": _rounded(parsed.get("intent") or {"name": None, "confidence": 0.0}),
        "intent_ranking": [_rounded(one) for one in ranking[:_RANKED]],
        "entities": [
            {"entity": one["entity"], "value": str(one["value"]), "start": one["start"], "end": one["end"]}
            for one in parsed.get("entities") or []
        ],
    }


def _rounded(one: Dict[str, Any]) -> Dict[str, Any]:
    return {"name": one["name"], "confidence": round(float(one["confidence"]), 4)}
