"""The wording as Rasa says it: by language and channel, and anew as soon as a trainer has reworded it."""

# ruff: noqa: PT009 - unittest's own assertions: there is no pytest in the Rasa environment

import asyncio
import os
import tempfile
import unittest
from pathlib import Path

from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.nlu.wording import Wording

EN = 'version: "3.1"\ntexts:\n  say_hi:\n    - text: "Hi."\n    - channel: sms\n      text: "Hi by SMS."\n'
ES = 'version: "3.1"\ntexts:\n  say_hi:\n    - text: "Hola."\n'


def said(wording: Wording, language: str, channel: str) -> str:
    tracker = DialogueStateTracker("c", [])
    tracker.update(UserUttered("x", metadata={"language": language, "channel": channel}))
    return str(asyncio.run(wording.generate("say_hi", tracker, "queue"))["text"])


class WordingCheck(unittest.TestCase):
    def test_language_and_channel_choose_the_text_and_a_change_is_said_at_once(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        tmp_path = Path(folder.name)
        (tmp_path / "en.yml").write_text(EN)
        (tmp_path / "es.yml").write_text(ES)
        wording = Wording(EndpointConfig(folder=str(tmp_path)), Domain.empty())
        self.assertEqual(said(wording, "en", "sms"), "Hi by SMS.")
        self.assertEqual(said(wording, "en", "web"), "Hi.")
        self.assertEqual(said(wording, "es", "sms"), "Hola.")
        self.assertEqual(said(wording, "fr", "web"), "Hi.")
        (tmp_path / "es.yml").write_text(ES.replace("Hola.", "Hola, dime."))
        self.assertEqual(said(wording, "es", "sms"), "Hola, dime.")
        (tmp_path / "es.yml").write_text("texts: [")
        os.utime(tmp_path / "es.yml", ns=(1, 1))
        self.assertEqual(said(wording, "es", "sms"), "Hola, dime.")  # broken: as it was before
