"""The application behind a real uvicorn on a free loopback port."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from tests.integration.gateway.world import World


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
        while not server.started:
            await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{world.settings.port}"
    finally:
        server.should_exit = True
        await running
