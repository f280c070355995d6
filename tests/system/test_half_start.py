"""A start whose last part fails is no start."""

import asyncio

import pytest

from video_manager.bootstrap import serving
from video_manager.bootstrap.system import System
from video_manager.settings import Settings


async def test_a_mistake_in_the_last_part_of_a_start_ends_the_process(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_system: System) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(System, "finish_start", fail)
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        async with asyncio.timeout(60):
            await serving._serve(settings)
