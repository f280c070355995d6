from collections.abc import AsyncIterator

import pytest
from tests.contract.backend_fixtures import fixtures_of
from tests.contract.documents.backends import BACKENDS, THINGS, Backend

from video_manager.ports import DocumentStore

backend_name, backend, place = fixtures_of(BACKENDS)


@pytest.fixture
async def store(backend: Backend, place: str) -> AsyncIterator[DocumentStore]:
    """Open, with the collection `things`."""
    opened = backend.connect(place)
    await opened.open()
    await opened.register(THINGS)
    yield opened
    await opened.close()
