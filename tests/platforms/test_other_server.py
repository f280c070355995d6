"""Secrets are for the server that they were entered for, and are never sent to another."""

from pathlib import Path

import pytest
from tests.integration.publishing.conftest import RITA
from tests.platforms.cases import CASES
from tests.platforms.world import CHANNEL, connect, open_platform

from video_manager.errors import Conflict, InvalidInput
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served
from video_manager.plugins.publishers import PUBLISHERS
from video_manager.publishing.channels import ChannelEdit

SERVERS = {publisher.name: publisher.server_option for publisher in PUBLISHERS if publisher.server_option}


@pytest.mark.parametrize("platform", SERVERS)
async def test_another_server_gets_no_secret_of_the_one_before(platform: str, tmp_path: Path) -> None:
    case = CASES[platform]
    network = FakeNetwork([case.fake])
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, case, network)
            service = world.publishing.service
            moved = {**case.options, SERVERS[platform]: "https://elsewhere.example"}
            with pytest.raises(InvalidInput, match=next(iter(case.secrets))):
                await service.edit_channel(RITA, CHANNEL, ChannelEdit(options=moved))
            assert network.calls == []
            with pytest.raises(Conflict, match="does not answer"):
                await service.edit_channel(RITA, CHANNEL, ChannelEdit(options={**moved, **case.secrets}))
            assert {call.host for call in network.calls} == {"elsewhere.example"}, "entered anew, it is"
            assert (await service.channels.get(RITA, CHANNEL)).value.options == dict(case.options)
