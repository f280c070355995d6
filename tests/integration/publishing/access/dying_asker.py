"""A process that finds a dead token and dies when it has paused the channel, before it asks: python dying_asker.py ROOT
GATEWAY"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.integration.publishing.access.access_world import SkippingClock, open_access


def checkpoint(name: str) -> None:
    if name == "paused":
        os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    async with open_access(Path(sys.argv[1]), sys.argv[2], SkippingClock(), checkpoint=checkpoint) as world:
        await world.run(3)


if __name__ == "__main__":
    asyncio.run(main())
