"""A clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class VirtualClock:
    """Time passes only in `advance`, which wakes the sleepers in the order of their times."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._elapsed + seconds, woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on. Who wakes may go to sleep again within the same stretch, and is woken again."""
        end = self._elapsed + seconds
        while True:
            await _let_others_run()
            self._sleepers = [one for one in self._sleepers if not one[1].done()]
            due = min((one for one in self._sleepers if one[0] <= end), key=lambda one: one[0], default=None)
            if due is None:
                break
            self._elapsed = max(self._elapsed, due[0])
            due[1].set_result(None)
        self._elapsed = end
        await _let_others_run()

    @property
    def sleepers(self) -> int:
        return sum(not future.done() for _, future in self._sleepers)


async def _let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
