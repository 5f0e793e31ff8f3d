"""How long drivers waited for the bot, in real seconds, without the chargers' own time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.conversations.acts import Act
from sandbox.conversations.history import History, Said
from sandbox.conversations.predicates import is_charging
from sandbox.conversations.scenario import Scenario
from sandbox.conversations.words import Words

UNLOCK_PAUSE_S = 30.0  # clock seconds between two tries of a lock, in which the driver relieves the cable
# Without turn ids (SMS): a reply belongs to a message when it comes this soon after it or after the reply before.
TURN_REAL_S, GAP_REAL_S = 30.0, 2.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Real seconds. `bot_s`: message to last reply without the charger's time. None: no reply at all."""

    at: float
    first_words_s: float | None
    bot_s: float | None
    charger_s: float


@dataclass(frozen=True, slots=True)
class Cure:
    """The bot's share of one effect: message to command, and effect to the words that tell of it. Real seconds."""

    kind: str
    to_command_s: float
    to_words_s: float | None

    @property
    def bot_s(self) -> float:
        return self.to_command_s + (self.to_words_s or 0.0)


def turns(scenario: Scenario, history: History, acts: Sequence[Act]) -> list[Turn]:
    """Every message of every driver that the bot had to answer."""
    busy = [(act.at, effect_at(act, history)) for act in acts if act.kind != "harmless" or act.answered_at is not None]
    found: list[Turn] = []
    for driver in scenario.drivers.values():
        said = history.words(driver.name)
        for index, message in enumerate(said):
            if message.by != "driver":
                continue
            replies = _replies(message, said[index + 1 :], history.speed, busy)
            if not replies:
                found.append(Turn(message.at, None, None, 0.0))
                continue
            end = replies[-1].at
            chargers = _covered(message.at, end, busy)
            found.append(
                Turn(
                    message.at,
                    (replies[0].at - message.at) / history.speed,
                    (end - message.at - chargers) / history.speed,
                    chargers / history.speed,
                )
            )
    return found


Spans = Sequence[tuple[float, float | None]]


def _replies(message: Said, later: Sequence[Said], speed: float, busy: Spans) -> list[Said]:
    if message.turn is not None:
        return [each for each in later if each.by == "bot" and not each.own and each.turn == message.turn]
    replies: list[Said] = []
    for each in later:
        if each.by == "driver":
            break
        if each.own:
            continue
        last = replies[-1].at if replies else message.at
        waited = each.at - last - _covered(last, each.at, busy)
        if waited / speed > (GAP_REAL_S if replies else TURN_REAL_S):
            break
        replies.append(each)
    return replies


def _covered(since: float, until: float, spans: Spans) -> float:
    """How much of since..until the spans cover; an open span lasts to the end."""
    covered, reached = 0.0, since
    for begin, end in sorted((max(begin, since), until if end is None else min(end, until)) for begin, end in spans):
        begin = max(begin, reached)
        if end > begin:
            covered += end - begin
            reached = end
    return covered


def effect_at(act: Act, history: History) -> float | None:
    """When the act's effect was there; None while it never was. The charger's own time runs from the act until then."""
    if act.kind == "harmless":
        return act.answered_at
    if act.kind == "unlock" and act.answer in {"Accepted", "Unlocked"}:
        return _pulled_out_at(act, history)
    if act.answer is not None and act.answer not in {"Accepted", "Unlocked", "Scheduled"}:
        return act.answered_at
    for at, state in history.states(act.charger, act.at, history.ended_at or act.at):
        if at < act.at:
            continue
        touched = state.connector(act.connector or None)
        if act.kind == "start" and any(is_charging(each) for each in touched):
            return at
        if act.kind == "stop" and all(each.transaction is None for each in touched):
            return at
        if act.kind == "reset" and act.answered_at is not None and at > act.answered_at and state.booted:
            return at
        if act.kind in {"operative", "inoperative"} and act.answered_at is not None:
            return act.answered_at
    return None


def _pulled_out_at(act: Act, history: History) -> float | None:
    """A lock that opened has its effect when the plug is out, which is the driver's doing."""
    for at, state in history.states(act.charger, act.at, history.ended_at or act.at):
        if at >= act.at and all(not each.car for each in state.connector(act.connector or None)):
            return at
    return None


def cures(scenario: Scenario, history: History, acts: Sequence[Act]) -> list[Cure]:
    """For each start, stop and unlock that took effect: the bot's share of the way there, from the driver's last needed word or deed.

    A deed is a plug put in or out, a card shown, a payment made. A stop that only makes way for an unlock is a step of that unlock.
    """
    found: list[Cure] = []
    for index, act in enumerate(acts):
        effect = effect_at(act, history) if act.kind in {"start", "stop", "unlock"} else None
        if effect is None or act.answer not in {"Accepted", "Unlocked"} or _makes_way(act, acts[index + 1 :]):
            continue
        asked = [said for said in history.said if said.by == "driver" and said.at <= act.at]
        if not asked:
            continue
        driver = scenario.drivers[asked[-1].driver]
        deeds = [each.at for each in history.acted if each.driver == driver.name and each.at <= act.at]
        again = [
            each.at + UNLOCK_PAUSE_S
            for each in acts[:index]
            if act.kind == each.kind == "unlock" and each.charger == act.charger
        ]
        since = min(act.at, max([asked[-1].at, *deeds, *again]))
        earlier = [(each.at, effect_at(each, history)) for each in acts[:index] if each.kind != "harmless"]
        told = [
            said.at
            for said in history.words(driver.name, "bot")
            if said.at >= effect and Words.of(driver.language).find("claims", said.text)
        ]
        found.append(
            Cure(
                act.kind,
                (act.at - since - _covered(since, act.at, earlier)) / history.speed,
                (told[0] - effect) / history.speed if told else None,
            )
        )
    return found


def _makes_way(act: Act, later: Sequence[Act]) -> bool:
    """Whether it is a stop whose driver waits for the lock, which was opened right after it."""
    following = next((each for each in later if each.kind != "harmless" and each.charger == act.charger), None)
    return act.kind == "stop" and following is not None and following.kind == "unlock"
