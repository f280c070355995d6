"""How many jobs run at once in one process. Waiting work gets a free slot in the order of arrival."""

import asyncio
from collections import deque

from video_manager.errors import RetryableError


class Slots:
    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"a worker needs at least one slot, not {count}")
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False

    @property
    def free(self) -> int:
        return self._free

    async def take(self, patience_seconds: float) -> bool:
        """Take a slot, waiting for one at most so long; False when none became free.

        Raises RetryableError when the slots are closed: the message goes back to its queue.
        """
        if self._closed:
            raise RetryableError("this worker is shutting down")
        if self._free > 0:
            self._free -= 1
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(patience_seconds):
                await turn
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()  # the slot was handed over in the very moment we were cancelled
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
        return True

    def release(self) -> None:
        """Hand the slot to the longest waiting work, or free it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def close(self) -> None:
        """Nobody gets a slot any more; those who wait are sent away."""
        self._closed = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(RetryableError("this worker is shutting down"))
