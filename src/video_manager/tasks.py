"""Ending background tasks, and pausing in them."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from video_manager.ports import Clock

_PATIENCE_SECONDS = 5.0

_log = logging.getLogger(__name__)


async def end_tasks(tasks: Iterable[asyncio.Task[Any]], patience_seconds: float = _PATIENCE_SECONDS) -> None:
    """Cancel endless loops and return when they have ended, however they end.

    One that is still there after `patience_seconds` is cancelled again: what a loop waits for may swallow a
    cancellation, as `asyncio.wait_for` of Python 3.11 does when its answer comes at that very moment, and a driver that
    calls it by its own error. The loop would then go on, and whoever ends it would wait for ever.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=patience_seconds)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                _log.warning("%s failed while it was ended: %s", task.get_name(), error, exc_info=error)
        for task in pending:
            _log.warning(
                "%s has not ended %g s after its cancellation; cancelled again", task.get_name(), patience_seconds
            )


async def pause(clock: Clock, seconds: float, woken: asyncio.Event) -> None:
    """Return after so many seconds, or at once when the event is set."""
    waits = [asyncio.ensure_future(clock.sleep(seconds)), asyncio.ensure_future(woken.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
