"""Clocks: manual time wakes sleepers in order; fast time agrees over processes that share speed and epoch."""

from __future__ import annotations

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from chargeline.clock import FastClock, ManualClock
from chargeline.ids import new_id


async def test_manual_clock_wakes_sleepers_in_the_order_of_their_time() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(name, seconds)) for name, seconds in (("late", 30), ("soon", 5), ("mid", 12))]
    await clock.advance(4.9)
    assert woken == []
    await clock.advance(20)
    assert woken == [("soon", 5), ("mid", 12)]
    await clock.advance(100)
    assert woken[-1] == ("late", 30)
    await asyncio.gather(*tasks)


async def test_manual_clock_survives_a_cancelled_sleeper() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    task.cancel()
    await clock.advance(10)
    assert clock.monotonic() == 10


def test_fast_clocks_with_one_epoch_agree_and_run_fast() -> None:
    epoch = time.time() - 1
    first, second = FastClock(60, epoch), FastClock(60, epoch)
    assert abs((first.now() - second.now()).total_seconds()) < 1
    assert first.now().timestamp() - epoch >= 60


@given(st.integers(0, 2**80 - 1), st.integers(0, 2**80 - 1))
def test_ids_sort_by_time_whatever_the_random_part(early: int, late: int) -> None:
    clock = ManualClock()
    first = new_id("in", clock.now(), lambda _: early)
    clock._elapsed = 0.001
    second = new_id("in", clock.now(), lambda _: late)
    assert first < second
    assert len(first) == len("in_") + 26
