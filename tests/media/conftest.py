"""Clips made by ffmpeg once a session, and a plugin context on local folders."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from video_manager.media.ffmpeg import FfmpegTool, run_ffmpeg
from video_manager.plugins.api import MediaTool


@dataclass
class RecordingContext:
    """A plugin context that remembers the progress it was told."""

    work_folder: Path
    reports: list[tuple[float, str]] = field(default_factory=list)
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("test.plugin"))
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def media(self) -> MediaTool:
        return FfmpegTool(self.progress)

    def progress(self, fraction: float, stage: str) -> None:
        self.reports.append((fraction, stage))


@pytest.fixture
def make_context(tmp_path: Path) -> Callable[[str], RecordingContext]:
    def make(name: str = "work") -> RecordingContext:
        folder = tmp_path / name
        folder.mkdir()
        return RecordingContext(folder)

    return make


@pytest.fixture
def context(make_context: Callable[[str], RecordingContext]) -> RecordingContext:
    return make_context("work")


@dataclass(frozen=True)
class Clips:
    """Four seconds of a test pattern, right as it is, and the same made wrong in many ways."""

    folder: Path

    @property
    def right(self) -> Path:
        return self.folder / "right.mp4"

    def __getitem__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    folder = tmp_path_factory.mktemp("clips")
    asyncio.run(_make_clips(folder))
    whole = (folder / "right.mp4").read_bytes()
    (folder / "cut-off.mp4").write_bytes(whole[: len(whole) // 2])
    matroska = (folder / "right.mkv").read_bytes()
    (folder / "cut-off.mkv").write_bytes(matroska[: len(matroska) // 2])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_bytes(b"this is no video\n" * 500)
    middle = len(whole) // 2
    (folder / "headless.mp4").write_bytes(whole[:5000] + bytes(len(whole) - 10_000) + whole[-5000:])
    (folder / "scarred.mp4").write_bytes(
        whole[: middle // 4] + bytes((number * 37) % 256 for number in range(middle)) + whole[middle // 4 + middle :]
    )
    return Clips(folder)


async def _make_clips(folder: Path) -> None:
    pattern = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=30:d=4"]
    tone = ["-f", "lavfi", "-i", "sine=d=4:sample_rate=48000"]
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    right = str(folder / "right.mp4")
    await run_ffmpeg([*pattern, *tone, *encode, "-movflags", "+faststart", right])
    source = ["-i", right]
    for name, arguments in {
        "right.mkv": [*source, "-c", "copy"],
        "rotated.mp4": ["-display_rotation", "90", *source, "-c", "copy"],
        "variable.mp4": [*source, "-vf", "select='not(mod(n,7))+lt(mod(n,5),2)'", "-fps_mode", "vfr", *encode],
        "ten-bit.mkv": [*source, "-pix_fmt", "yuv420p10le", "-c:v", "libx264", "-an"],
        "odd.mkv": [*source, "-vf", "crop=301:175", "-c:v", "ffv1", "-an"],
        "wide-pixels.mp4": [*source, "-vf", "setsar=2", *encode],
        "sound.mp3": [*tone],
        "silent.mp4": [*source, "-an", "-c:v", "copy"],
    }.items():
        await run_ffmpeg([*arguments, str(folder / name)])
    await run_ffmpeg([
        "-f", "lavfi", "-i", "color=red:s=1x1:r=30:d=1", "-c:v", "ffv1", "-pix_fmt", "yuv444p", str(folder / "dot.mkv")
    ])  # fmt: skip
    await run_ffmpeg([*source, "-frames:v", "1", str(folder / "still.png")])
