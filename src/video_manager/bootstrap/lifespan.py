"""What runs while a process answers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from video_manager.bootstrap.system import System


@asynccontextmanager
async def running(system: System, *, workers: bool) -> AsyncIterator[None]:
    """With `workers` also the handlers and timers of the services of this process."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(system.close)
        if workers:
            await system.start(stack)
        yield
