"""Begins work at once instead of in a task: most of what a charger says is handled without waiting for anything, and a task
each would cost more than the handling. What Python 3.12 has as eager tasks.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any


def begin(work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
    """Runs `work` until it waits for something; None where it came to its end, else what a task must go on with.

    Raises what `work` raises. There is no current task meanwhile, so `work` may not begin with `asyncio.timeout`.
    """
    try:
        first = work.send(None)
    except StopIteration:
        return None
    return _continued(work, first)


async def _continued(work: Coroutine[Any, Any, None], first: Any) -> None:
    await _rest(work, first)


@types.coroutine
def _rest(work: Coroutine[Any, Any, None], first: Any) -> Generator[Any, None, None]:
    """What `work` waits for, then the rest of it; how the waiting ended is `work`'s to know, a cancellation too."""
    try:
        yield first
    except BaseException as error:  # whatever it is, it is thrown where the work waits
        try:
            second = work.throw(error)
        except StopIteration:
            return
        yield from _rest(work, second)
        return
    yield from work
