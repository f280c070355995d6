"""The warehouses that the contract is held against. A second database joins by its address alone."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from video_manager.adapters.warehouse import SqlWarehouse, sqlite_url
from video_manager.analytics.warehouse_port import Facts

POSTGRES = os.environ.get("VIDEO_MANAGER_TEST_POSTGRES_URL")
"""An empty database whose tables these tests may drop: postgresql+asyncpg://..."""

BACKENDS = ["sqlite"] if POSTGRES is None else ["sqlite", "postgresql"]


@pytest.fixture(params=BACKENDS)
def warehouse_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "warehouse.sqlite")
    assert POSTGRES is not None
    return POSTGRES


@pytest.fixture
async def warehouse(warehouse_url: str) -> AsyncIterator[SqlWarehouse]:
    opened = SqlWarehouse(warehouse_url)
    await opened.open()
    await opened.rebuild(_nothing())
    yield opened
    await opened.close()


async def _nothing() -> AsyncIterator[Facts]:
    return
    yield
