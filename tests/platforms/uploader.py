"""A process that publishes what waits in ROOT through GATEWAY until the publication has come to rest.

python -m tests.platforms.uploader ROOT GATEWAY PUBLICATION
"""

import asyncio
import sys
from pathlib import Path

from tests.platforms.world import open_platform, settle


async def upload(root: Path, gateway: str, id: str) -> None:
    async with open_platform(root, gateway) as world:
        await world.publishing.void_leases()
        await settle(world, id)


if __name__ == "__main__":
    asyncio.run(upload(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
