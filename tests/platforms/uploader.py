"""An uploader: publishes what waits in a folder (or on the servers that its environment names) until some publications
have come to rest. Each is a process of its own, forked off this one (python -m tests.platforms.uploader), because
importing everything takes 2 s of a processor and hundreds are started. tests/platforms/uploaders.py talks to it.
"""

import asyncio
import gc
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.integration.publishing.conftest import registry_of
from tests.platforms.world import open_platform, settle

from video_manager.adapters.clock import SystemClock
from video_manager.settings import Settings


async def upload(root: Path, gateway: str, ids: Sequence[str]) -> None:
    async with open_platform(root, gateway) as world:
        if Settings().keeps_data:  # the only process there is: on the cluster, leases have to run out
            await world.publishing.void_leases()
        else:
            await world.bus.consume(world.publishing.subscription())
        for id in ids:
            while await world.publishing.repositories[0].get(id) is None:
                await SystemClock().sleep(0.02)  # the command is on its way, or another uploader's
            await settle(world, id)


def forked(root: str, gateway: str, ids: Sequence[str], environment: Mapping[str, str]) -> int:
    """The id of a new process that uploads."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # stdout is where this process answers
        os.environ.clear()
        os.environ.update(environment)
        asyncio.run(upload(Path(root), gateway, ids))
        code = 0
    except BaseException:  # noqa: BLE001 - it ends here, and must not go on in its parent's loop
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def main() -> None:
    """Each line of stdin asks for a process, or for the exit code of one that has ended."""
    registry_of()
    gc.freeze()  # what is here now is shared by all
    for line in sys.stdin:
        asked = json.loads(line)
        answer = forked(*asked) if isinstance(asked, list) else os.waitpid(asked, 0)[1]
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
