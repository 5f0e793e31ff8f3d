"""What charging costs where the driver stands, as the operator has posted it; nothing is guessed."""

from __future__ import annotations

from actions.bridge import BridgeRefused, Charger, Tariff
from actions.payments.prices import is_priced, price_words
from actions.playbooks.contact import Contact, Ports
from actions.playbooks.steps import End, Offer, Say, Steps

_UNKNOWN = Say("say_price_question")


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    yield await _words(ports, contact)
    yield End(offer=Offer.PERSON)


async def _words(ports: Ports, contact: Contact) -> Say:
    if contact.charger_id is None:
        return _UNKNOWN
    try:
        charger = await ports.chargers.charger(contact.charger_id)
    except BridgeRefused:
        return _UNKNOWN
    tariff = _tariff(charger, contact.connector)
    if tariff is None or not is_priced(tariff):
        return _UNKNOWN
    return Say("say_price_posted", {"charger": charger.label, "price": price_words(tariff)})


def _tariff(charger: Charger, connector: int | None) -> Tariff | None:
    """The connector's own, else the charger's; None where its connectors differ and none was named."""
    plug = charger.connector(connector)
    if plug is not None and plug.tariff is not None:
        return plug.tariff
    own = {one.tariff for one in charger.connectors if one.tariff is not None}
    return next(iter(own)) if len(own) == 1 else None if own else charger.tariff
