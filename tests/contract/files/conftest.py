from collections.abc import AsyncIterator

import pytest
from tests.contract.backend_fixtures import fixtures_of
from tests.contract.files.backends import BACKENDS, Backend

from video_manager.ports import FileStore

backend_name, backend, place = fixtures_of(BACKENDS)


@pytest.fixture
async def files(backend: Backend, place: str) -> AsyncIterator[FileStore]:
    opened = backend.connect(place)
    await opened.open()
    yield opened
    await opened.close()
