"""Chooses the front door's own sentences by what the operator has set (name, phone); the words are in bot/texts."""

from __future__ import annotations

from bot.store.model import Channel, Kind
from bot.texts import DEFAULT_LANGUAGE, text


class Sayings:
    def __init__(self, operator_name: str, operator_phone: str, language: str = DEFAULT_LANGUAGE) -> None:
        self._operator = operator_name
        self._phone = operator_phone
        self._language = language

    def _say(self, key: str) -> str:
        if key.endswith("_"):  # comes in two forms, with and without a number to call
            key += "with_phone" if self._phone else "without_phone"
        return text(self._language, key, operator=self._operator, phone=self._phone, person=self._person())

    def _person(self) -> str:
        key = "person_with_phone" if self._phone else "person_without_phone"
        return text(self._language, key, phone=self._phone)

    def intro(self, channel: Channel) -> str:
        return self._say("intro_sms" if channel is Channel.SMS else "intro_chat")

    def help(self) -> str:
        return self._say("help_sms")

    def opted_out(self) -> str:
        return self._say("opted_out_")

    def opted_in(self) -> str:
        return self._say("opted_in")

    def unreadable(self, kind: Kind) -> str:
        return self._say("media_only" if kind is Kind.MEDIA else "empty")

    def failed(self) -> str:
        return self._say("failed_")
