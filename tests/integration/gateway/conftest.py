from collections.abc import AsyncIterator

import pytest
from tests.integration.gateway.world import World, started_world

from video_manager.settings import Settings


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with started_world(settings) as world:
        yield world
