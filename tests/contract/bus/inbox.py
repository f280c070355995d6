"""A handler that remembers what it got."""

import asyncio
import time
from collections.abc import Callable

from video_manager.contracts.envelope import Envelope


async def until(holds: Callable[[], bool], timeout_seconds: float = 10.0) -> None:
    """Wait until it holds; fails after the timeout."""
    deadline = time.monotonic() + timeout_seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.005)


async def quiet(seconds: float = 0.15) -> None:
    """Long enough for something wrong to arrive."""
    await asyncio.sleep(seconds)


class Inbox:
    """Fails as often as told: each call takes the next of `failures` and raises it, if there is one left."""

    def __init__(self, *failures: Exception) -> None:
        self.got: list[Envelope] = []
        self.times: list[float] = []
        self._failures = list(failures)

    async def __call__(self, envelope: Envelope) -> None:
        self.got.append(envelope)
        self.times.append(time.monotonic())
        if self._failures:
            raise self._failures.pop(0)

    @property
    def ids(self) -> list[str]:
        return [envelope.id for envelope in self.got]
