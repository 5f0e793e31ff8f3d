"""Which charger and cable the driver stands at: from what they say, what is known, the QR link, and the chargers' own state.

Asks only for what cannot be found out, and gives up after two answers that fit nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from actions.bridge import BridgeRefused, Charger, Chargers, Connector
from actions.identify import Side, charger_code, connector_for, connector_side

MOST_TRIES = 2
FRESH_S = 60.0  # a status older than this is asked for again before anything is done on it
CARD_S = 900.0  # how long ago a card may have been shown for its driver to be still there


@dataclass(frozen=True, slots=True)
class Heard:
    """One message. A tapped choice has no words of its own but names its value in `chosen_…`."""

    text: str
    names_charger: bool = False  # the message is about which charger or cable it is
    chosen_charger: str | None = None
    chosen_connector: int | None = None
    hint: str | None = None  # from a QR link, if it is new
    connector_hint: int | None = None
    driver: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier messages left; `asked` is the open question: charger_id, connector or None."""

    charger_id: str | None = None
    connector: int | None = None
    tries: int = 0
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """`done`: no more to ask, also where nothing was found. `said` fits no charger, or all of `candidates`."""

    charger: Charger | None = None
    connector: int | None = None
    said: str | None = None
    candidates: tuple[Charger, ...] = ()
    tries: int = 0
    done: bool = False


def says_something(heard: Heard, known: Known) -> bool:
    """Whether the message names a charger or a cable at all."""
    return bool(
        heard.chosen_charger
        or heard.chosen_connector
        or charger_code(heard.text, asked=known.asked == "charger_id")
        or connector_side(heard.text, asked=known.asked == "connector")
    )


async def find(chargers: Chargers, heard: Heard, known: Known, *, session_first: bool = False) -> Found:
    """What is said counts first, then the QR link, what is known, and where the driver charges or showed a card.

    `session_first`: the driver's own session counts before the last card. Raises BridgeError where the bridge is away.
    """
    code = heard.chosen_charger or charger_code(heard.text, asked=known.asked == "charger_id")
    said_wrong: Found | None = None
    charger: Charger | None = None
    if code:
        fitting = await chargers.find_chargers(code)
        fitting = _exact(fitting, code) or fitting
        if len(fitting) == 1:
            charger = fitting[0]
        else:
            said_wrong = _counted(Found(said=code, candidates=tuple(fitting[:5]), tries=known.tries))
            # A number in passing ("here since 1030") is no reason to doubt a charger that is known.
            if known.asked == "charger_id" or heard.names_charger:
                return said_wrong
    if charger is None:
        charger = await _known_charger(chargers, heard.hint) or await _known_charger(chargers, known.charger_id)
    if charger is None:
        if said_wrong:
            return said_wrong
        place = None if known.asked else await place_of_driver(chargers, heard.driver, session_first=session_first)
        if place is not None:
            seen = await _known_charger(chargers, place[0])
            if seen is not None:
                return _with_connector(seen, replace(heard, connector_hint=place[1]), replace(known, connector=None))
        nothing = Found(tries=known.tries)
        return _counted(nothing) if known.asked == "charger_id" else nothing
    same = charger.id == known.charger_id
    return _with_connector(charger, heard, known if same else replace(known, connector=None, asked=None, tries=0))


async def place_of_driver(
    chargers: Chargers, driver: str, *, session_first: bool = False
) -> tuple[str, int | None] | None:
    """Charger and connector where the driver's own session runs, or where their card was shown in the last 15 minutes."""
    if not driver:
        return None
    if session_first:
        for session in await chargers.running_sessions(driver):
            return session.charger, session.connector
    for shown in await chargers.authorizations(driver, CARD_S):
        return shown.charger, shown.connector
    return None


def _with_connector(charger: Charger, heard: Heard, known: Known) -> Found:
    found = Found(charger=charger, done=True)
    if not (charger.connected or charger.returning) or not charger.connectors:
        return found  # which cable makes no difference
    numbers = [one.connector for one in charger.connectors]
    side = Side(number=heard.chosen_connector) if heard.chosen_connector else None
    side = side or connector_side(heard.text, asked=known.asked == "connector")
    waiting = [one.connector for one in charger.connectors if one.status == "Preparing"]
    if side and (number := connector_for(side, numbers)) is not None:
        # Cables get hung back on the wrong side: of two, the one that reports a plug is the driver's.
        if side.side is not None and len(waiting) == 1:
            number = waiting[0]
        return replace(found, connector=number)
    if (number := _by_state(charger, heard, known)) is not None:
        return replace(found, connector=number)
    open_question = replace(found, done=False, tries=known.tries)
    return _counted(open_question) if known.asked == "connector" else open_question


def _by_state(charger: Charger, heard: Heard, known: Known) -> int | None:
    """The connector that must be meant: plugged in and waiting, or the driver's own session, or the only one there is."""
    waiting = [one.connector for one in charger.connectors if one.status == "Preparing"]
    own = [one.connector for one in charger.connectors if one.session and one.session.driver == heard.driver]
    for candidates in (waiting, own):
        if len(candidates) == 1:
            return candidates[0]
    numbers = [one.connector for one in charger.connectors]
    for number in (known.connector, heard.connector_hint):
        if number in numbers and (not waiting or number in waiting):
            return number
    if waiting:
        return None
    free = [one for one in charger.connectors if one.session is None and one.status not in _IN_USE]
    if len({one.status for one in free}) == 1:
        return free[0].connector  # all alike: what is true of one is true of each
    return numbers[0] if len(numbers) == 1 else None


def takes_a_moment(found: Found) -> bool:
    """Whether the charger must be asked for its state first, which can take up to 15 s: worth a word before."""
    plug = found.charger.connector(found.connector) if found.charger is not None else None
    if found.charger is not None and found.charger.returning:
        return True
    if found.charger is None or plug is None or not found.charger.connected:
        return False
    return plug.status_age_s is None or plug.status_age_s > FRESH_S


_IN_USE = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})


def choices_of(charger: Charger) -> Sequence[Connector]:
    """The connectors to choose from: those that report a plug, where several do, else all."""
    waiting = [one for one in charger.connectors if one.status == "Preparing"]
    return waiting if len(waiting) > 1 else charger.connectors


def _counted(found: Found) -> Found:
    tries = found.tries + 1
    return replace(found, tries=tries, done=tries > MOST_TRIES)


def _exact(chargers: Sequence[Charger], code: str) -> list[Charger]:
    wanted = _folded(code)
    return [one for one in chargers if wanted in {_folded(one.id), _folded(one.label)}]


def _folded(code: str) -> str:
    """As the bridge compares: without case, spaces and dashes, O as 0, I and L as 1."""
    return code.upper().replace(" ", "").replace("-", "").translate(str.maketrans("OIL", "011"))


async def _known_charger(chargers: Chargers, charger_id: str | None) -> Charger | None:
    if not charger_id:
        return None
    try:
        return await chargers.charger(charger_id)
    except BridgeRefused as refused:
        if refused.status == 404:
            return None  # a worn QR code, or a charger that was taken away
        raise
