"""Charger offline or unavailable, which is four different things: no line, a line that is silent, out of service, faulted.

Nothing is reset where the whole site is gone; what comes back by itself is watched, and the driver is told.
"""

from __future__ import annotations

from datetime import datetime

from actions.bridge import BridgeRefused, Command, Diagnosis
from actions.playbooks import recover
from actions.playbooks.contact import Contact, Ports, Wake, answers_no_more, look_at, saw, tried, watch_plug
from actions.playbooks.next_best import next_best
from actions.playbooks.start_charging import RETURN_S, ended, running, start
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps, duration_words

_ORDERED = "restart_request"  # who has ordered a restart has not asked for a session


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    async for step in decide(ports, contact, seen):
        yield step


async def decide(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    charger, plug, named = seen.charger, seen.plug, {"charger": seen.charger.label}
    whole = plug is None
    if not charger.connected:
        steps = _no_line(ports, contact, seen)
    elif seen.causes[:1] == ("charger_silent",) or answers_no_more(seen):
        steps = _elsewhere(ports, seen, Say("say_silent", named))
    elif charger.boot not in (None, "Accepted"):
        steps = _elsewhere(ports, seen, Say("say_boot_pending", named))
    elif seen.hold == "hazard":
        steps = _elsewhere(ports, seen, Say("say_hazard_hold", named))
    elif "Faulted" in (plug.status if plug else None, charger.status):
        steps = recover.recover(ports, contact, seen)
    elif "Unavailable" in (plug.status if plug else None, charger.status):
        if seen.hold is not None:
            steps = _elsewhere(ports, seen, Say("say_unavailable", named))
        else:
            steps = _make_operative(ports, contact, seen)
    elif plug is not None and plug.session is not None:
        steps = running(charger, plug, plug.session, contact.driver)
    elif plug is not None and plug.status == "Preparing":
        steps = _works(ports, contact, seen)
    elif whole or (plug is not None and plug.status == "Available"):
        steps = _looks_fine(ports, contact, seen)
    else:
        steps = _elsewhere(ports, seen, Say("say_status_unknown", named))
    async for step in steps:
        yield step


async def woken(ports: Ports, contact: Contact, wake: Wake) -> Steps:
    """The line is back, or is not; or a restart or a start has ended."""
    if wake.command is not None:
        command = await ports.chargers.command(wake.command)
        if command.finished:
            follow = restarted if command.action == "reset" else ended
            async for step in follow(ports, contact, command):
                yield step
        return
    seen = await look_at(ports, contact)
    yield saw(seen)
    plug, named = seen.plug, {"charger": seen.charger.label}
    if not seen.charger.connected:
        yield Say("say_not_back", named)
        async for step in next_best(ports, seen):
            yield step
        return
    # A start takes the driver's word here: after a long wait another car may stand at the charger.
    usable = (None, "Accepted")
    if seen.charger.boot not in usable or (plug is not None and plug.status in ("Faulted", "Unavailable")):
        yield Say("say_back_not_ready", named)
        yield End(offer=Offer.RETRY)
    elif plug is not None and plug.status == "Preparing":
        yield Say("say_back_plugged", named)
        yield End(Outcome.FIXED, Offer.START)
    else:
        yield Say("say_back_unplugged", named)
        yield End(Outcome.FIXED, Offer.START)


async def restarted(ports: Ports, contact: Contact, command: Command) -> Steps:
    """A restart has ended. Back and well: what the driver wanted begins. Else somewhere else."""
    yield tried(command)
    seen = await look_at(ports, contact.at(command.charger, contact.connector), max_age_s=5)
    yield saw(seen)
    plug, named = seen.plug, {"charger": seen.charger.label}
    if command.state != "verified":
        async for step in recover.not_restarted(ports, seen, command):
            yield step
        return
    yield Say("say_reset_back", named, first=True)
    if contact.problem == _ORDERED:
        yield Say("say_restart_over", named)
        yield End(Outcome.FIXED, Offer.START)
    elif plug is not None and plug.status == "Preparing" and plug.session is None:
        async for step in start(ports, contact, seen):
            yield step
    elif plug is not None and plug.session is not None:
        async for step in running(seen.charger, plug, plug.session, contact.driver):
            yield step
    elif plug is None or plug.status == "Available":
        async for step in _looks_fine(ports, contact, seen):
            yield step
    else:
        yield Say("say_finishing", named)
        yield End(offer=Offer.RETRY)


async def _no_line(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    """Nothing can be sent, which is said; the return is watched, and meanwhile there may be another charger."""
    charger, named = seen.charger, {"charger": seen.charger.label}
    waiting = await watch_plug(ports, contact, seen, "connected", RETURN_S, "returned")
    if waiting is not None:
        yield waiting
    if "site_offline" in seen.causes or len(seen.site_gone) > 1:
        yield Say("say_site_offline", {**named, "site": charger.site or charger.label})
    elif charger.returning and waiting is not None:
        yield Say("say_returning", named)
        yield End(offer=Offer.RETRY)
        return
    else:
        yield offline_words(seen, ports.clock.now(), contact.turn.language, watched=waiting is not None)
    async for step in next_best(ports, seen):
        yield step


def offline_words(seen: Diagnosis, now: datetime, language: str, *, watched: bool = False) -> Say:
    named, since = {"charger": seen.charger.label}, seen.charger.since
    if since is None:
        return Say("say_offline_since_unknown_watched" if watched else "say_offline_since_unknown", named)
    values = {**named, "since": duration_words((now - since).total_seconds(), language)}
    return Say("say_offline_watched" if watched else "say_offline", values)


async def _make_operative(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    """Unavailable though nobody meant it so: asked to come back into service, which the gate may refuse."""
    charger, named = seen.charger, {"charger": seen.charger.label}
    if contact.failures("operative") or contact.turn.actor.tier < 1:
        async for step in _elsewhere(ports, seen, Say("say_unavailable", named)):
            yield step
        return
    yield Say("say_making_operative", named, first=True)
    whole = charger.status == "Unavailable" or seen.connector is None
    try:
        command = await ports.chargers.send(
            "operative",
            charger.id,
            {} if whole else {"connector": seen.connector},
            actor=contact.turn.actor,
            reason=contact.problem,
            key=contact.key("operative"),
            wait_s=20,
        )
    except BridgeRefused:
        async for step in _elsewhere(ports, seen, Say("say_unavailable", named)):
            yield step
        return
    yield tried(command)
    now = await look_at(ports, contact, max_age_s=5)
    yield saw(now)
    plug = now.plug
    still = "Unavailable" in (now.charger.status, plug.status if plug is not None else None)
    if still or command.state != "verified":
        refused = command.state == "refused"
        say = Say("say_unavailable" if refused else "say_operative_failed", named)
        async for step in _elsewhere(ports, now, say):
            yield step
        return
    yield Say("say_operative", named)
    if contact.problem == _ORDERED:
        yield Say("say_restart_over", named)
        yield End(Outcome.FIXED, Offer.START)
        return
    if plug is not None and plug.status == "Preparing" and plug.session is None:
        async for step in start(ports, contact, now):
            yield step
        return
    async for step in _looks_fine(ports, contact, now):
        yield step  # in service, and the plug is waited for: fixed is what charges


async def _works(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    """Called dead, and yet it is online with a plug in it: the screen may be dark, a start from here does not need it."""
    yield Say("say_starting", {"charger": seen.charger.label}, first=True)
    async for step in start(ports, contact, seen):
        yield step


async def _looks_fine(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    waiting = await watch_plug(ports, contact, seen, "status:Preparing", 300, "plug_seen")
    named = {"charger": seen.charger.label}
    if waiting is None:
        yield Say("say_plug_not_seen", named)
    else:
        yield waiting
        yield Say("say_plug_not_seen_watched", named)
    yield End(offer=Offer.RETRY)


async def _elsewhere(ports: Ports, seen: Diagnosis, say: Say) -> Steps:
    yield say
    async for step in next_best(ports, seen):
        yield step
