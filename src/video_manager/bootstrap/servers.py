"""Looks whether the stores and the broker that the settings name can be used."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from video_manager.bootstrap.adapters import open_bus, open_stores
from video_manager.bootstrap.late_warehouse import LateWarehouse
from video_manager.errors import VideoManagerError
from video_manager.settings import Settings

PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class ServerState:
    """`problem` is what a start would say; None when all is well."""

    name: str
    problem: str | None = None


async def look_at_servers(settings: Settings) -> list[ServerState]:
    """One state for each server that the settings name: nothing for the laptop profile."""
    hasty = settings.model_copy(update={"connect_seconds": min(PATIENCE_SECONDS, settings.connect_seconds)})
    looks: list[tuple[str, bool, Callable[[Settings], Awaitable[None]]]] = [
        ("mongodb", settings.uses_mongodb or settings.uses_gridfs, _try_stores),
        ("rabbitmq", settings.uses_rabbitmq, _try_bus),
        ("warehouse", settings.warehouse_url is not None, _try_warehouse),
    ]
    return [await _state(name, look, hasty) for name, used, look in looks if used]


async def _state(name: str, look: Callable[[Settings], Awaitable[None]], settings: Settings) -> ServerState:
    try:
        await look(settings)
    except VideoManagerError as error:
        return ServerState(name, error.detail)
    return ServerState(name)


async def _try_stores(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        await open_stores(settings, stack)


async def _try_bus(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        await open_bus(settings, stack)


async def _try_warehouse(settings: Settings) -> None:
    assert settings.warehouse_url is not None, "only then it is looked at"  # noqa: S101
    warehouse = LateWarehouse(settings.warehouse_url.get_secret_value(), settings.connect_seconds)
    try:
        await warehouse.look()  # opening would move the schema to this release, under the feet of a running older one
    finally:
        await warehouse.close()
