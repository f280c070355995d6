"""The application behind a real uvicorn on a free loopback port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import uvicorn
from tests.integration.gateway.world import World


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 5.0) -> None:
    """Wait for something that only looking can tell. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """The base URL. The lifespan already runs in the world, so the server leaves it alone."""
    config = uvicorn.Config(
        world.app, port=world.settings.port, lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    # Without its signal handlers: the test run keeps its own.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    running = asyncio.create_task(server.serve())
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{world.settings.port}"
    finally:
        server.should_exit = True
        await running
