"""A process that begins a sign-in at a Mastodon server, and may be killed meanwhile:

python lone_registrar.py ROOT GATEWAY SERVER
"""

import asyncio
import sys
from pathlib import Path

from tests.integration.publishing.access.web import web_of
from tests.integration.publishing.conftest import open_world


async def main() -> None:
    async with open_world(Path(sys.argv[1]), platform_gateway=sys.argv[2]) as world:
        await web_of(world, "mastodon").begin(options={"server": sys.argv[3]})


if __name__ == "__main__":
    asyncio.run(main())
