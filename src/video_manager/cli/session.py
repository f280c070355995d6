"""Runs the body of a command against the API."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from video_manager.cli.client import Api

ResultT = TypeVar("ResultT")


def with_api(work: Callable[["Api"], Awaitable[ResultT]], *, workers: bool = False) -> ResultT:
    """Connect to the running system of the data folder, or start one for this command, and do the work."""
    import asyncio

    from video_manager.collector import no_collections

    with no_collections():
        from video_manager.cli.connection import connect
        from video_manager.settings import read_settings

    settings = read_settings()

    async def session() -> ResultT:
        async with connect(settings, workers=workers) as api:
            return await work(api)

    return asyncio.run(session())
