"""A process that renews a token and is killed from outside meanwhile: python dying_renewer.py ROOT GATEWAY"""

import asyncio
import sys
from pathlib import Path

from tests.integration.publishing.access.access_world import OWNER, SkippingClock, open_access, renewal, tokens_of


async def main() -> None:
    clock = SkippingClock()
    async with open_access(Path(sys.argv[1]), sys.argv[2], clock) as world:
        await tokens_of(world, clock).token(OWNER, renewal(world, clock))


if __name__ == "__main__":
    asyncio.run(main())
