"""What stops the start when the system is put together, beyond what the settings see by themselves."""

from pathlib import Path

import pytest

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
