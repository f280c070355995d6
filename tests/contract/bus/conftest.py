from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.contract.bus.backends import BACKENDS, Backend

from video_manager.ports import MessageBus


@pytest.fixture(params=sorted(BACKENDS))
def backend_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(backend_name: str) -> Backend:
    return BACKENDS[backend_name]


@pytest.fixture
def place(backend: Backend, tmp_path: Path) -> Iterator[str]:
    with backend.place(tmp_path) as place:
        yield place


@pytest.fixture
async def bus(backend: Backend, place: str) -> AsyncIterator[MessageBus]:
    opened = backend.connect(place)
    await opened.open()
    yield opened
    await opened.close()
