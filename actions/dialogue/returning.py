"""The way back: the words with which the bot goes on with what was open, after something else was answered."""

from __future__ import annotations

from actions.bridge import BridgeRefused, Charger, Chargers
from actions.dialogue.questions import CHARGER, CONNECTOR, which_charger, which_connector
from actions.dialogue.turns import PLACE
from actions.playbooks.steps import Offer, Say

_OFFERS = {Offer.RETRY: "say_back_retry", Offer.START: "say_back_begin", Offer.FINISH: "say_back_finish"}


async def way_back(chargers: Chargers, offer: str | None, asked: str | None, charger_id: str | None) -> Say | None:
    """The open question once more, else what the driver can take up by a word; None where nothing is open. Raises BridgeError."""
    if asked == CHARGER:
        return which_charger(None, ())
    if asked == PLACE:
        return Say("say_find_where")
    charger = await _charger(chargers, charger_id)
    if charger is None:
        return None
    if asked == CONNECTOR:
        return which_connector(charger)
    name = next((words for one, words in _OFFERS.items() if one.value == offer), None)
    return Say(name, {"charger": charger.label}) if name else None


async def _charger(chargers: Chargers, charger_id: str | None) -> Charger | None:
    if charger_id is None:
        return None
    try:
        return await chargers.charger(charger_id)
    except BridgeRefused as refused:
        if refused.status == 404:
            return None
        raise
