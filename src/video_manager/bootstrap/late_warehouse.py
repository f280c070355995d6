"""The SQL warehouse, loaded after the start: importing SQLAlchemy takes a quarter of it, and nothing that a person
sees first needs it."""

import asyncio
import importlib
from pathlib import Path
from typing import Any, cast

from video_manager.analytics.warehouse_port import Warehouse
from video_manager.collector import no_collections
from video_manager.errors import Unavailable, VideoManagerError


class LateWarehouse:
    """Every question waits until `open` has been called and is done."""

    def __init__(self, place: str | Path, connect_seconds: float) -> None:
        self._place = place
        self._connect_seconds = connect_seconds
        self._decided = asyncio.Event()
        self._warehouse: Warehouse | None = None
        self._refusal: str | None = None

    async def open(self) -> None:
        """Raises SettingsError for a wrong address or a newer release's schema, Unavailable when there is no answer
        within `connect_seconds`."""
        try:
            await self._open()
        except VideoManagerError as error:
            self._refusal = error.detail
            raise
        finally:
            self._decided.set()

    async def look(self) -> None:
        """Raise what `open` would raise, and leave the database as it is."""
        warehouse = self._warehouse = await self._load()
        await warehouse.look()

    async def _open(self) -> None:
        self._warehouse = await self._load()
        await self._warehouse.open()

    async def _load(self) -> Any:
        with no_collections():
            # In a thread, so that the server answers meanwhile.
            module = await asyncio.to_thread(importlib.import_module, "video_manager.adapters.warehouse")
        url = module.sqlite_url(self._place) if isinstance(self._place, Path) else self._place
        return module.SqlWarehouse(url, connect_seconds=self._connect_seconds)

    async def close(self) -> None:
        if self._warehouse is not None:
            await self._warehouse.close()

    def __getattr__(self, name: str) -> Any:
        """The methods of the port are all asynchronous."""
        if name.startswith("_"):
            raise AttributeError(name)

        async def ask(*arguments: Any, **named: Any) -> Any:
            await self._decided.wait()
            if self._refusal is not None:  # the process is about to end; nobody's question keeps it from that
                raise Unavailable(self._refusal)
            return await getattr(self._warehouse, name)(*arguments, **named)

        return ask


def late_warehouse(place: str | Path, connect_seconds: float = 60.0) -> Warehouse:
    """At a SQLAlchemy address, or in a file. `open` waits so long for a server that does not answer yet."""
    return cast("Warehouse", LateWarehouse(place, connect_seconds))
