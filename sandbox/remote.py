"""What a remote hand can ask of a station: start, unlock, availability, reservations. Answers are words; versions spell them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import structlog

from chargeline.logs import masked
from sandbox import cures
from sandbox.connector import Authorisation, Connector, Reservation
from sandbox.station import Station

log = structlog.get_logger(__name__)

UnlockResult = Literal["Unlocked", "UnlockFailed", "NotSupported"]


def accepts_start(station: Station, numbers: Sequence[int], token: str) -> Connector | None:
    """The connector of `numbers` that a remote start would use, or None: rejected. One with a waiting car goes first."""
    there = [station.connectors[number] for number in numbers if number in station.connectors]
    for connector in sorted(there, key=lambda each: each.car is None):
        if station.faults.has("start_rejected", connector.number):
            continue
        if connector.transaction is None and station.why_no_start(connector, token, None) is None:
            return connector
    return None


async def start(station: Station, connector: Connector, token: str, remote_start: int | None = None) -> None:
    """What follows an accepted remote start."""
    if station.faults.has("accepted_then_nothing", connector.number):
        return
    if (late := station.faults.get("start_delayed", connector.number)) is not None:
        await station.clock.sleep(late["seconds"])
    parent = None
    if station.behaviour.authorize_remote_starts:
        info = await station.authorise(token)
        if info.status != "Accepted":
            log.info("remote_start_refused", charger=station.charger, token=masked(token), status=info.status)
            return
        parent = info.parent
    if connector.transaction is None and station.why_no_start(connector, token, parent) is None:
        station.authorised(connector, Authorisation(token, parent, station.clock.monotonic(), remote_start))


def unlock(station: Station, connector: Connector) -> UnlockResult:
    """What the lock does. Whether a transaction keeps it from being tried, or is ended by it, is the version's."""
    fault = station.faults.get("unlock", connector.number)
    if fault is None:
        return "NotSupported" if connector.plan.tethered else "Unlocked"
    connector.unlocks += 1
    if 0 < fault["after"] <= connector.unlocks:
        station.faults.clear("unlock")
        return "Unlocked"
    result: UnlockResult = fault["result"]
    return result


def change_availability(
    station: Station, numbers: Sequence[int] | None, operative: bool
) -> Literal["Accepted", "Rejected", "Scheduled"]:
    """`numbers` None is the whole charger. A running transaction goes on; the change shows when it has ended."""
    if numbers is not None and not set(numbers) <= set(station.connectors):
        return "Rejected"
    touched = [station.connectors[number] for number in station.connectors if numbers is None or number in numbers]
    if numbers is None:
        station.operative = operative
    for connector in touched:
        connector.operative = operative
    if operative:
        cures.put_into_service(station.faults, numbers)
    waits = not operative and any(connector.transaction is not None for connector in touched)
    station.refresh()
    return "Scheduled" if waits else "Accepted"


def reserve(
    station: Station, number: int, reservation: Reservation
) -> Literal["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"]:
    connector = station.connectors.get(number)
    if connector is None or reservation.expires_at <= station.clock.now():
        return "Rejected"
    status = station.shown(number).status
    if status == "Faulted" or status == "Unavailable":
        return status
    same = connector.reservation is not None and connector.reservation.number == reservation.number
    if status != "Available" and not (status == "Reserved" and same):
        return "Occupied"
    cancel_reservation(station, reservation.number)  # the same number moves, it is not held twice
    station.reservations.hold(connector, reservation)
    return "Accepted"


def cancel_reservation(station: Station, number: int) -> bool:
    for connector in station.connectors.values():
        if connector.reservation is not None and connector.reservation.number == number:
            station.reservations.free(connector)
            return True
    return False
