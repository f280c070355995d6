"""A process that uploads what is due and kills itself, without a word, at a named point.

    python dying_uploader.py ROOT POINT [KIND]

POINT is one of the uploader's checkpoints, or `rename:N`: before the Nth rename of the folder publisher.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.integration.publishing.conftest import open_world


def main() -> None:
    root, point = Path(sys.argv[1]), sys.argv[2]

    def checkpoint(name: str) -> None:
        if name == point:
            die()

    if point.startswith("rename:"):
        die_at_rename(int(point.partition(":")[2]))
    asyncio.run(upload(root, checkpoint))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_rename(number: int) -> None:
    rename, seen = Path.replace, 0

    def counted(self: Path, target: Any) -> Path:
        nonlocal seen
        if ".video-manager" in self.parts:
            seen += 1
            if seen == number:
                die()
        return rename(self, target)

    Path.replace = counted  # type: ignore[method-assign]


async def upload(root: Path, checkpoint: Any) -> None:
    async with open_world(root, checkpoint=checkpoint) as world:
        await world.publishing.void_leases()
        await world.run(3)


if __name__ == "__main__":
    main()
