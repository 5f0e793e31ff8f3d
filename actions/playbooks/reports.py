"""What drivers tell or ask about a charger without wanting anything done to it: is it working, and that it is broken."""

from __future__ import annotations

from actions.bridge import Diagnosis
from actions.places.search import Search
from actions.playbooks.charger_offline import offline_words
from actions.playbooks.contact import Contact, Ports, answers_no_more, look_at, saw
from actions.playbooks.next_best import elsewhere
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps


async def charger_status(ports: Ports, contact: Contact) -> Steps:
    """A question, not a complaint: answered by the live state, and nothing is done. Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    yield _state(ports, contact, seen)
    yield End(offer=Offer.RETRY, problem="session_not_starting")


def _state(ports: Ports, contact: Contact, seen: Diagnosis) -> Say:
    charger, plug, named = seen.charger, seen.plug, {"charger": seen.charger.label}
    if not charger.connected:
        return offline_words(seen, ports.clock.now(), contact.turn.language)
    if answers_no_more(seen):
        return Say("say_silent", named)
    if charger.boot not in (None, "Accepted"):
        return Say("say_boot_pending", named)
    statuses = {one.status for one in charger.connectors}
    if "Faulted" in {charger.status, plug.status if plug else None} or statuses == {"Faulted"}:
        return Say("say_faulted", named)
    if seen.hold == "hazard":
        return Say("say_hazard_hold", named)
    if charger.status == "Unavailable" or statuses == {"Unavailable"}:
        return Say("say_unavailable", named)
    usable = [one for one in charger.connectors if one.status in ("Available", "Preparing") and one.session is None]
    if len(charger.connectors) > 1 and usable:
        values = {"free": str(len(usable)), "connectors": str(len(charger.connectors))}
        return Say("say_looks_partly_free", {**named, **values})
    if statuses == {"Available"}:
        return Say("say_looks_fine", named)
    if statuses == {"Preparing"}:
        return Say("say_looks_fine_plugged", named)
    if statuses == {"Reserved"}:
        return Say("say_reserved", named)
    if statuses & {"Charging", "SuspendedEV", "SuspendedEVSE"}:
        return Say("say_looks_in_use", named)
    return Say("say_status_unknown", named)


async def damage(ports: Ports, contact: Contact) -> Steps:
    """Noted for people; one report takes nothing out of service (it could be sabotage). Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    yield Say("say_damage_noted", {"charger": seen.charger.label})
    found = await elsewhere(ports, seen.charger, seen.plug)
    search = None
    if found is not None:
        yield found[0]
        search = Search(option=(found[1].charger.id, found[1].stall.connector))
    offer = Offer.KEEP if found is not None else None
    yield End(Outcome.HANDED_OVER, offer, "session_not_starting", "damage was reported", stays=True, search=search)
