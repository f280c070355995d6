from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.contract.warehouse.backends import BACKENDS, warehouse_place

from video_manager.adapters.warehouse import SqlWarehouse


@pytest.fixture(params=BACKENDS)
def warehouse_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with warehouse_place(request.param, tmp_path) as address:
        yield address


@pytest.fixture
async def warehouse(warehouse_url: str) -> AsyncIterator[SqlWarehouse]:
    opened = SqlWarehouse(warehouse_url)
    await opened.open()
    yield opened
    await opened.close()
