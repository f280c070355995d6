"""Several uploaders of the same publications at once. On the laptop profile each takes the others for dead; on the
cluster they hear of the publications over RabbitMQ."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from starlette.types import Receive, Scope, Send
from tests.integration.publishing.conftest import message
from tests.platforms.case import Case
from tests.platforms.killing import Ended, ended
from tests.platforms.uploaders import UploaderProcess
from tests.platforms.world import approved, connect, open_platform, settle

from video_manager.fakes.network import Fake, FakeNetwork
from video_manager.fakes.serving import served
from video_manager.settings import Settings

_SECONDS = 240.0
"""A bound against hanging."""


class Gate(FakeNetwork):
    """Calls to `path` wait for each other, until there are so many: more than one process makes at once."""

    def __init__(self, kinds: Sequence[type[Fake]], path: str, calls: int) -> None:
        super().__init__(kinds)
        self._path = path
        self._missing = calls
        self._open = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith(self._path):
            self._missing -= 1
            if self._missing <= 0:
                self._open.set()
            await asyncio.wait_for(self._open.wait(), _SECONDS)
        await super().__call__(scope, receive, send)


async def race(
    root: Path, case: Case, uploaders: int, publications: int = 1, network: FakeNetwork | None = None
) -> list[Ended]:
    """On the laptop each voids all leases when it starts, so that several upload and try to publish the same. One more
    comes to an end after them, should the last have been robbed of its lease."""
    network = network or FakeNetwork([case.fake])
    with served(network) as gateway:
        async with open_platform(root, gateway) as world:
            await connect(world, case, network)
            commands = [await approved(world, case, number) for number in range(1, publications + 1)]
            ids = [command.publication_id for command in commands]
            if Settings().uses_rabbitmq:
                subscription = world.publishing.subscription()
                await world.bus.declare(subscription.queue, subscription.types)
                await world.bus.publish([message(command, command.publication_id) for command in commands])
            else:
                for command in commands:
                    await world.create(command)
        running = [UploaderProcess(root, gateway, *ids) for _ in range(uploaders)]
        assert [process.wait(_SECONDS) for process in running] == [0] * uploaders
        async with open_platform(root, gateway) as world:
            return [ended(case, network, await settle(world, id)) for id in ids]
