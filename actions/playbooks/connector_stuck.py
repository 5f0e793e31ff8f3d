"""Connector locked or stuck: own session only, stop first, then the lock where there is one, at most twice; never a reset.

At the car's end the car holds the plug, and with tethered cables that is the only lock there is.
"""

from __future__ import annotations

from datetime import timedelta

from actions.bridge import Command, Connector, Diagnosis
from actions.playbooks.contact import (
    MOST_FAILURES,
    WAIT_S,
    Contact,
    Ports,
    Wake,
    look_at,
    outcome_of,
    saw,
    tried,
    watch_command,
    watch_plug,
)
from actions.playbooks.own_session import stop
from actions.playbooks.steps import End, Offer, Outcome, Say, Steps, Tried

AGAIN_S = 30.0  # between two tries of the lock, while the driver relieves the cable
ANSWER_S = 2.0  # a lock that opens is told at once: the driver must pull while it is open
UNLOCK_WITHIN = timedelta(hours=1)  # safety rule own-session-only
PULL_S = 120.0  # how long a plug that the car lets go is watched for
_DISTRESS = "distress"  # what a driver reports who is locked in, or has somebody in the car: a person, at once
_RUNNING = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})


async def run(ports: Ports, contact: Contact) -> Steps:
    """Raises BridgeError."""
    seen = await look_at(ports, contact)
    yield saw(seen)
    plug, named = seen.plug, {"charger": seen.charger.label}
    if not seen.charger.connected:
        yield Say("say_stuck_offline", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
    elif plug is None:
        yield Say("say_connector_unclear", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
    elif (plug.session is not None and plug.session.driver != contact.driver) or (
        plug.session is None and plug.status in _RUNNING
    ):
        yield Say("say_stuck_not_yours", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
    elif plug.session is not None:
        async for step in _stop_first(ports, contact, seen, plug):
            yield step
    else:
        async for step in free(ports, contact, seen, plug):
            yield step


async def woken(ports: Ports, contact: Contact, wake: Wake) -> Steps:
    """The plug came out, or did not; or the lock has had half a minute."""
    if wake.command is not None:
        command = await ports.chargers.command(wake.command)
        if command.finished and command.action == "unlock":
            async for step in _unlocked(ports, contact, command):
                yield step
        return
    seen = await look_at(ports, contact, max_age_s=5)
    yield saw(seen)
    plug, named = seen.plug, {"charger": seen.charger.label}
    if plug is None or not seen.charger.connected:
        return
    if wake.met or plug.status == "Available":
        yield Say("say_unlocked_free", named)
        yield End(Outcome.FIXED)
    elif wake.purpose == "unlock_again" and plug.session is None:
        async for step in _unlock(ports, contact, seen):
            yield step
    elif plug.session is None:
        async for step in _person(Say("say_stuck_still", named)):
            yield step


async def _stop_first(ports: Ports, contact: Contact, seen: Diagnosis, plug: Connector) -> Steps:
    """A running session holds the plug, and a normal end of it releases the lock (OCPP 1.6 section 4.10)."""
    assert plug.session is not None
    named = {"charger": seen.charger.label}
    yield Say("say_stuck_ending", named, first=True)
    command = await stop(ports, contact, plug.session, wait_s=20)
    yield tried(command)
    if command.state != "verified":
        async for step in _person(Say("say_stuck_not_ended", named), "a session that holds the plug does not end"):
            yield step
        return
    now = await look_at(ports, contact.at(seen.charger.id, seen.connector), max_age_s=0)
    yield saw(now)
    if now.plug is None:
        yield Say("say_connector_unclear", named)
        yield End(Outcome.NOT_FIXED, Offer.PERSON)
        return
    async for step in free(ports, contact, now, now.plug, ended=True):
        yield step


async def free(ports: Ports, contact: Contact, seen: Diagnosis, plug: Connector, *, ended: bool = False) -> Steps:
    """No session runs: what holds the plug now, and what may be done about it."""
    named = {"charger": seen.charger.label}
    if plug.status == "Available":
        told = contact.failures("advice")
        async for step in (
            _person(Say("say_stuck_still", named)) if told else _advise(ports, contact, seen, "say_stuck_not_seen")
        ):
            yield step
    elif plug.tethered:
        if contact.failures("advice"):
            async for step in _person(Say("say_stuck_still", named)):
                yield step
            return
        async for step in _advise(
            ports, contact, seen, "say_stuck_ended_car_holds" if ended else "say_stuck_car_holds"
        ):
            yield step
    elif (pending := contact.open_command("unlock")) is not None:
        async for step in _pending(ports, contact, await ports.chargers.command(pending)):
            yield step
    elif contact.failures("unlock") >= MOST_FAILURES:
        async for step in _person(Say("say_unlock_failed", named)):
            yield step
    elif (last := contact.last("unlock")) and ports.clock.now() - last < timedelta(seconds=AGAIN_S):
        async for step in _later(ports, contact, seen, "say_unlock_soon"):
            yield step
    elif not ended and not await _was_theirs(ports, contact, seen):
        # The gate opens a lock only for the driver whose session it was; a person can find out whose plug it is.
        async for step in _person(Say("say_unlock_refused", named), "whose plug it is cannot be told from here"):
            yield step
    else:
        if not ended:  # a lock that just had its session ended is seldom held: no advice that is old at once
            yield Say("say_unlocking", named, first=True)
        async for step in _unlock(ports, contact, seen):
            yield step


async def _was_theirs(ports: Ports, contact: Contact, seen: Diagnosis) -> bool:
    """Whether a session of the driver's ended here of late. The gate knows more, such as whether somebody came since."""
    since = ports.clock.now() - UNLOCK_WITHIN
    return any(
        one.charger == seen.charger.id and one.connector in (None, seen.connector) and (one.ended_at or since) >= since
        for one in await ports.chargers.ended_sessions(contact.driver)
    )


async def _pending(ports: Ports, contact: Contact, command: Command) -> Steps:
    """The lock was asked a moment ago, and whether the plug comes out is still watched."""
    if command.finished:
        async for step in _unlocked(ports, contact, command):
            yield step
        return
    named = {"charger": (await ports.chargers.charger(command.charger)).label}
    if _DISTRESS in contact.reported or contact.times("unlock") >= MOST_FAILURES:
        async for step in _person(Say("say_stuck_still", named)):
            yield step
        return
    yield Say("say_unlock_says_open" if command.answer == "Unlocked" else "say_unlock_soon", named)
    yield End(offer=Offer.PERSON)


async def _unlock(ports: Ports, contact: Contact, seen: Diagnosis) -> Steps:
    command = await ports.chargers.send(
        "unlock",
        seen.charger.id,
        {"connector": seen.connector},
        actor=contact.turn.actor,
        reason=contact.problem,
        key=contact.key("unlock"),
        wait_s=ANSWER_S,
    )
    if not command.finished and command.answer is None:
        command = await ports.chargers.command(command.id, WAIT_S - ANSWER_S)
    if command.finished:
        async for step in _unlocked(ports, contact, command):
            yield step
        return
    yield tried(command)
    waiting = await watch_command(ports, contact, command, "unlock")
    if waiting is not None:
        yield waiting
    named = {"charger": seen.charger.label}
    yield Say("say_unlock_pull" if command.answer == "Unlocked" and waiting else "say_unlock_soon", named)
    yield End(offer=Offer.RETRY)


async def _unlocked(ports: Ports, contact: Contact, command: Command) -> Steps:
    """What an unlock came to. "Unlocked" is an answer, not a free plug: only Available is."""
    yield tried(command)
    named = {"charger": (await ports.chargers.charger(command.charger)).label}
    failures, how = contact.failures_with("unlock", command.id), outcome_of(command)
    if how == "verified":
        yield Say("say_unlocked_free", named)
        yield End(Outcome.FIXED)
    elif how == "not_supported":
        contact = contact.at(command.charger, command.connector)
        async for step in _advise(ports, contact, await look_at(ports, contact), "say_stuck_car_holds"):
            yield step
    elif how == "once":
        yield Say("say_unlock_soon", named)
        yield End(offer=Offer.PERSON)
    elif command.state == "refused" and how != "rate":
        # The gate cannot know whose plug it is; a person can find out.
        async for step in _person(Say("say_unlock_refused", named), "the gate may not open the lock for this driver"):
            yield step
    elif failures >= MOST_FAILURES or how == "rate" or _DISTRESS in contact.reported:
        async for step in _person(Say("say_unlock_failed" if failures >= MOST_FAILURES else "say_stuck_still", named)):
            yield step
    elif (last := contact.last("unlock")) and ports.clock.now() - last >= timedelta(seconds=AGAIN_S):
        seen = await look_at(ports, contact.at(command.charger, command.connector), max_age_s=5)
        yield Say("say_unlock_once_more", named, first=True)
        async for step in _unlock(ports, contact, seen):
            yield step
    else:
        contact = contact.at(command.charger, command.connector)
        async for step in _later(ports, contact, await look_at(ports, contact), "say_unlock_retry"):
            yield step


async def _later(ports: Ports, contact: Contact, seen: Diagnosis, words: str) -> Steps:
    """Half a minute in which the driver relieves the cable; the bridge wakes us when it is over, or the plug is out."""
    waiting = await watch_plug(ports, contact, seen, "free", AGAIN_S + 1, "unlock_again")
    if waiting is None:
        async for step in _person(Say("say_stuck_still", {"charger": seen.charger.label})):
            yield step
        return
    yield waiting
    yield Say(words, {"charger": seen.charger.label})
    yield End(offer=Offer.RETRY)


async def _advise(ports: Ports, contact: Contact, seen: Diagnosis, words: str) -> Steps:
    """The car holds the plug: what its driver can do, and a look whether it came out."""
    plug = seen.plug
    if plug is not None and plug.status != "Available":
        waiting = await watch_plug(ports, contact, seen, "free", PULL_S, "pulled")
        if waiting is not None:
            yield waiting
    yield Say(words, {"charger": seen.charger.label})
    yield Tried("advice", None, "given", observed=words)  # counted: given once, it is a person's turn
    yield End(offer=Offer.PERSON)


async def _person(say: Say, why: str = "the plug is stuck") -> Steps:
    yield say
    yield End(Outcome.HANDED_OVER, handoff=why)
