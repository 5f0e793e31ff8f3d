"""Waiting for an event for a while, by the clock that was passed in."""

from __future__ import annotations

import asyncio

from chargeline.clock import Clock


async def wait_for(event: asyncio.Event, seconds: float, clock: Clock) -> bool:
    """True when the event was set within `seconds`."""
    if event.is_set() or seconds <= 0:
        return event.is_set()
    try:
        async with asyncio.timeout(
            clock.real_seconds(seconds)
        ):  # a sleeping task beside it would cost ten times as much
            await event.wait()
    except TimeoutError:
        return False
    return True
