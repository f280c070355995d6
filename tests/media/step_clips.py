"""Clips and contexts for the tests of steps and checks: small, real, made by ffmpeg."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from video_manager.media.ffmpeg import run_ffmpeg
from video_manager.plugins.context import LocalContext

TONE = "sine=frequency=440:sample_rate=48000"


def clip(path: Path, **options: Any) -> Path:
    """`write_clip` for tests that are not async."""
    return asyncio.run(write_clip(path, **options))


async def write_clip(
    path: Path, *, size: str = "320x240", seconds: float = 2.0, picture: str | None = None,
    sound: str | None = TONE, sound_filter: str = "volume=0.5", more: Sequence[str] = (), rate: int = 30,
) -> Path:  # fmt: skip
    """An MP4 with a moving test picture and a tone, or other lavfi sources."""
    picture = picture or f"testsrc2=size={size}:rate={rate}"
    arguments = ["-f", "lavfi", "-t", str(seconds), "-i", picture]
    if sound is not None:
        arguments += [
            "-f",
            "lavfi",
            "-t",
            str(seconds),
            "-i",
            sound,
            "-af",
            sound_filter,
            "-c:a",
            "aac",
            "-ar",
            "48000",
        ]
        arguments += ["-ac", "2"]
    arguments += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", *more, str(path)]
    await run_ffmpeg(arguments)
    return path


def context(folder: Path) -> LocalContext:
    work = folder / "step-work"
    work.mkdir(exist_ok=True)
    return LocalContext("test", work, lambda fraction, stage: None)
