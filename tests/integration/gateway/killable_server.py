"""The gateway as a process of its own, to be killed: `python -m tests.integration.gateway.killable_server DIR PORT`."""

import asyncio
import sys
from pathlib import Path

import uvicorn
from tests.integration.gateway.world import started_world

from video_manager.settings import Settings


async def main() -> None:
    settings = Settings(data_dir=Path(sys.argv[1]), port=int(sys.argv[2]))
    async with started_world(settings, people=False) as world:
        await uvicorn.Server(uvicorn.Config(world.app, port=settings.port, lifespan="off", log_config=None)).serve()


if __name__ == "__main__":
    asyncio.run(main())
