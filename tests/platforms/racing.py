"""Several uploaders of one publication at once, each of which takes the others for dead."""

from pathlib import Path

from tests.platforms.case import Case
from tests.platforms.killing import Ended, _ended, _start
from tests.platforms.world import approve, connect, open_platform, settle

from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served

_SECONDS = 240.0
"""A bound against hanging."""


async def race(root: Path, case: Case, uploaders: int) -> Ended:
    """Each voids all leases when it starts, so that several upload and try to publish the same. One more comes to an
    end after them, should the last have been robbed of its lease."""
    network = FakeNetwork([case.fake])
    with served(network) as gateway:
        async with open_platform(root, gateway) as world:
            await connect(world, case, network)
            id = await approve(world, case)
        running = [_start(root, gateway, id) for _ in range(uploaders)]
        try:
            for process in running:
                process.wait(_SECONDS)
        finally:
            for process in running:
                process.kill()
                process.wait()
        async with open_platform(root, gateway) as world:
            publication = await settle(world, id)
    return _ended(case, network, publication)
