from collections.abc import AsyncIterator

import pytest
from tests.contract.backend_fixtures import fixtures_of
from tests.contract.bus.backends import BACKENDS, Backend

from video_manager.ports import MessageBus

backend_name, backend, place = fixtures_of(BACKENDS)


@pytest.fixture
async def bus(backend: Backend, place: str) -> AsyncIterator[MessageBus]:
    opened = backend.connect(place)
    await opened.open()
    yield opened
    await opened.close()
