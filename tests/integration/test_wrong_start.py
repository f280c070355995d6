"""What stops the start when the system is put together, beyond what the settings see by themselves."""

import gc
from pathlib import Path

import pytest
from pydantic import SecretStr

from video_manager.bootstrap.adapters import opened
from video_manager.bootstrap.system import System
from video_manager.errors import SettingsError
from video_manager.media.ffmpeg_binary import ffmpeg_path
from video_manager.settings import Settings


async def test_an_ffmpeg_that_is_not_there_stops_the_start(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_FFMPEG", "/nowhere/ffmpeg")
    ffmpeg_path.cache_clear()
    wrong = settings.model_copy(update={"ffmpeg": Path("/nowhere/ffmpeg")})
    async with opened(wrong) as adapters:
        with pytest.raises(SettingsError, match="VIDEO_MANAGER_FFMPEG names /nowhere/ffmpeg"):
            await System.build(wrong, adapters)


async def test_a_start_that_is_refused_late_closes_what_it_had_opened(settings: Settings) -> None:
    """A forgotten connection has a thread that would keep the process from ending; its warning fails this test."""
    weak = settings.model_copy(update={"admin_password": SecretStr("")})
    async with opened(weak) as adapters:
        with pytest.raises(SettingsError, match="VIDEO_MANAGER_ADMIN_PASSWORD"):
            await System.build(weak, adapters)
    gc.collect()
