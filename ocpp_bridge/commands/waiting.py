"""Waiting for an event for a while, by the clock that was passed in."""

from __future__ import annotations

import asyncio

from chargeline.clock import Clock


async def wait_for(event: asyncio.Event, seconds: float, clock: Clock) -> bool:
    """True when the event was set within `seconds`."""
    if event.is_set() or seconds <= 0:
        return event.is_set()
    tasks = {asyncio.ensure_future(event.wait()), asyncio.ensure_future(clock.sleep(seconds))}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return event.is_set()
