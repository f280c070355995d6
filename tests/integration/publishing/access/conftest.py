"""A strict platform with a sign-in desk whose refresh tokens work once."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.fakes.desk_platform import DeskFake
from tests.integration.publishing.access.access_world import SkippingClock, open_access
from tests.integration.publishing.conftest import World

from video_manager.fakes.desk import Desk
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork([DeskFake])


@pytest.fixture
def platform(network: FakeNetwork) -> DeskFake:
    fake = network.fakes["deskgram"]
    assert isinstance(fake, DeskFake)
    return fake


@pytest.fixture
def desk(platform: DeskFake) -> Desk:
    return platform.desk


@pytest.fixture
def gateway(network: FakeNetwork) -> Iterator[str]:
    with served(network) as url:
        yield url


@pytest.fixture
def clock() -> SkippingClock:
    return SkippingClock()


@pytest.fixture
async def world(tmp_path: Path, gateway: str, clock: SkippingClock) -> AsyncIterator[World]:
    async with open_access(tmp_path, gateway, clock) as opened:
        yield opened
