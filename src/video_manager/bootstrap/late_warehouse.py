"""The SQL warehouse, loaded after the start: importing SQLAlchemy takes a quarter of it, and nothing that a person
sees first needs it."""

import asyncio
import importlib
from pathlib import Path
from typing import Any, cast

from video_manager.analytics.warehouse_port import Warehouse


class LateWarehouse:
    """Every question waits until `open` has been called and is done."""

    def __init__(self, place: str | Path) -> None:
        self._place = place
        self._opened = asyncio.Event()
        self._warehouse: Warehouse | None = None

    async def open(self) -> None:
        """Raises SettingsError for a wrong address or another release's schema."""
        # In a thread, so that the server answers meanwhile.
        module = await asyncio.to_thread(importlib.import_module, "video_manager.adapters.warehouse")
        url = module.sqlite_url(self._place) if isinstance(self._place, Path) else self._place
        self._warehouse = cast("Warehouse", module.SqlWarehouse(url))
        await self._warehouse.open()
        self._opened.set()

    async def close(self) -> None:
        if self._warehouse is not None:
            await self._warehouse.close()

    def __getattr__(self, name: str) -> Any:
        """The methods of the port are all asynchronous."""
        if name.startswith("_"):
            raise AttributeError(name)

        async def ask(*arguments: Any, **named: Any) -> Any:
            await self._opened.wait()
            return await getattr(self._warehouse, name)(*arguments, **named)

        return ask


def late_warehouse(place: str | Path) -> Warehouse:
    """At a SQLAlchemy address, or in a file."""
    return cast("Warehouse", LateWarehouse(place))
