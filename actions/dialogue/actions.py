"""All of Rasa's actions. Each reads the tracker, runs one step, says it, and leaves what later turns need in slots."""

from __future__ import annotations

from actions.dialogue.answers import Agree, Answer, Deny, HazardReported, TalkToHuman
from actions.dialogue.base import DialogueAction, Service
from actions.dialogue.form import AskCharger, AskConnector, ValidateChargerForm
from actions.dialogue.misunderstanding import Misunderstood
from actions.dialogue.payments import PaymentNews
from actions.dialogue.running import CommandFinished, GoOn, Look, WatchEnded
from actions.dialogue.session import SessionStart

__all__ = ["DialogueAction", "Service", "all_actions"]


def all_actions(service: Service) -> list[DialogueAction]:
    kinds: tuple[type[DialogueAction], ...] = (
        SessionStart,
        ValidateChargerForm,
        AskCharger,
        AskConnector,
        Look,
        GoOn,
        CommandFinished,
        WatchEnded,
        PaymentNews,
        Answer,
        Agree,
        Deny,
        TalkToHuman,
        HazardReported,
        Misunderstood,
    )
    return [kind(service) for kind in kinds]
