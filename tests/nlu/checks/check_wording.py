"""What the bot says, by language and channel, from the files that it is really said from."""

# ruff: noqa: PT009 - unittest's own assertions: there is no pytest in the Rasa environment

import re
import unittest
from pathlib import Path

from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.utils.endpoints import EndpointConfig

from bot.nlu.wording import Wording, put_as, read_wording, with_channels

FOLDER = Path(__file__).parents[3] / "domain/responses"
WORDING = Wording(EndpointConfig(folder=str(FOLDER)), Domain.empty())


class Said(unittest.IsolatedAsyncioTestCase):
    async def said(self, name, **values):
        channel, language = values.pop("channel", "sms"), values.pop("language", "en")
        heard = UserUttered("hi", metadata={"channel": channel, "language": language})
        draft = await WORDING.generate(name, DialogueStateTracker.from_events("x", [heard]), "collector", **values)
        return draft["text"]

    async def test_each_language_has_its_own_words_and_an_unknown_one_has_english(self):
        self.assertEqual(await self.said("say_thanks"), "You're welcome.")
        self.assertEqual(await self.said("say_thanks", language="fr"), "De rien.")
        self.assertEqual(await self.said("say_thanks", language="pt"), "You're welcome.")

    async def test_nobody_is_told_to_text_on_a_web_page(self):
        self.assertIn("text me DONE", await self.said("say_plug_not_seen", charger="42"))
        self.assertIn("write me DONE", await self.said("say_plug_not_seen", charger="42", channel="web"))

    def test_no_sentence_of_the_web_page_says_so_in_any_language(self):
        for language, texts in read_wording(FOLDER).items():
            for name, rows in texts.items():
                on_web = [row for row in rows if row.get("channel") == "web"] or rows
                for row in on_web:
                    self.assertIsNone(re.search(r"\btext(?:s|ed|ez|o|ing)?\b", row["text"], re.I), (language, name))


class Channels(unittest.TestCase):
    def test_only_what_differs_gets_a_row_of_its_own(self):
        texts = {"same": [{"text": "Hello"}], "other": [{"text": "Text me, context stays"}]}
        made = with_channels(texts, {"web": {"text": "write"}})
        self.assertEqual(made["same"], texts["same"])
        self.assertEqual(made["other"][1:], [{"text": "Write me, context stays", "channel": "web"}])

    def test_a_row_written_for_a_channel_stays_as_it_is(self):
        rows = [{"text": "Text me"}, {"text": "Tap here", "channel": "web"}]
        self.assertEqual(with_channels({"a": rows}, {"web": {"text": "write"}}), {"a": rows})

    def test_capitals_stay(self):
        self.assertEqual(put_as("Text OK, or text GO", {"text": "write"}), "Write OK, or write GO")


if __name__ == "__main__":
    unittest.main()
