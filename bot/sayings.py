"""Chooses the front door's own sentences by language and by what the operator has set (name, phone); the words are in bot/texts."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store.model import Channel, Kind
from bot.texts import text


@dataclass(frozen=True, slots=True)
class Sayings:
    """Every sentence takes the language to say it in; one without texts gets English."""

    operator_name: str
    operator_phone: str
    emergency_number: str

    def _say(self, key: str, language: str) -> str:
        return text(
            language,
            self._form(key),
            operator=self.operator_name,
            phone=self.operator_phone,
            emergency=self.emergency_number,
            person=text(language, self._form("person_"), phone=self.operator_phone),
        )

    def _form(self, key: str) -> str:
        """Keys that end in `_` come in two forms, with and without a number to call."""
        if not key.endswith("_"):
            return key
        return key + ("with_phone" if self.operator_phone else "without_phone")

    def intro(self, channel: Channel, language: str) -> str:
        return self._say("intro_sms" if channel is Channel.SMS else "intro_chat", language)

    def help(self, language: str) -> str:
        return self._say("help_sms", language)

    def opted_out(self, language: str) -> str:
        return self._say("opted_out_", language)

    def opted_in(self, language: str) -> str:
        return self._say("opted_in", language)

    def unreadable(self, kind: Kind, language: str, kept: bool = False) -> str:
        """`kept`: the driver's pictures are kept for a person."""
        if kind is Kind.MEDIA:
            return self._say("media_kept" if kept else "media_only", language)
        return self._say("empty", language)

    def card_removed(self, language: str) -> str:
        return self._say("card_removed", language)

    def failed(self, language: str) -> str:
        return self._say("failed_", language)

    def wait(self, language: str) -> str:
        return self._say("wait", language)

    def hazard_advice(self, language: str) -> str:
        return self._say("hazard_advice", language)

    def hazard_unreached(self, language: str) -> str:
        return self._say("hazard_unreached_", language)
