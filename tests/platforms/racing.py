"""Several uploaders of one publication at once, each of which takes the others for dead."""

import subprocess
from pathlib import Path

from tests.platforms.case import Case
from tests.platforms.killing import Ended, _ended, _start, _wait
from tests.platforms.world import approve, connect, open_platform

from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served


async def race(root: Path, case: Case, uploaders: int) -> Ended:
    """Each voids all leases when it starts, so that several upload and try to publish the same."""
    network = FakeNetwork([case.fake])
    with served(network) as gateway:
        async with open_platform(root, gateway) as world:
            await connect(world, case, network)
            id = await approve(world, case)
        running: list[subprocess.Popen[bytes]] = [_start(root, gateway, id) for _ in range(uploaders)]
        for process in running:
            _wait(process)
        assert [process.returncode for process in running] == [0] * uploaders
        async with open_platform(root, gateway) as world:
            publication = await world.publication(id)
    return _ended(case, network, publication)
