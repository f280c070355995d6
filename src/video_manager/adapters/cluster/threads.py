"""Blocking work of the file store, local files and checksums, off the event loop."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_THREADS = 4


class Threads:
    """A few threads; `close` waits for what runs in them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="gridfs")

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """A cancelled caller waits for the thread first: nothing goes on with a file that is about to be closed."""
        running = asyncio.get_running_loop().run_in_executor(self._pool, functools.partial(function, *args, **kwargs))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise


async def to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """Tidying up that a cancellation does not interrupt: it is raised again afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # the cancellation is what the caller gets
        raise
