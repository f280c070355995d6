"""How our videos are encoded, and ffmpeg fed with frames made in this process.

The settings name the number of threads and leave out every date, so that the same frames give the same file.
"""

import asyncio
import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from video_manager.errors import StorageFull
from video_manager.media.ffmpeg import failure, ffmpeg_command, is_disk_full
from video_manager.media.frame_size import FrameSize
from video_manager.media.guarded_process import spawn_guarded

FRAME_RATE = Fraction(30)

COLOUR_PARAMETERS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
"""Filter that names the colours of raw frames; without it ffmpeg converts them once more, and wrongly."""

_FORMAT_ARGUMENTS = (
    "-profile:v", "high", "-pix_fmt", "yuv420p", "-threads", "4", "-g", "60", "-colorspace", "bt709",
    "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv",
)  # fmt: skip
VIDEO_ARGUMENTS = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "21", *_FORMAT_ARGUMENTS)
DRAWN_VIDEO_ARGUMENTS = (
    "-c:v", "libx264", "-preset", "superfast", "-crf", "20",
    "-x264-params", "mbtree=1:rc-lookahead=10", *_FORMAT_ARGUMENTS,
)  # fmt: skip
"""For drawn pictures: soft, and moving slowly. A finer search for motion finds nothing in them, and the next preset
would spend a third more time on it for larger files of no better quality (docs/decisions/0003-media.md)."""
AUDIO_ARGUMENTS = ("-c:a", "aac", "-b:a", "160k", "-ar", "48000", "-ac", "2")
FILE_ARGUMENTS = (
    "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
    "-movflags", "+faststart",
)  # fmt: skip


@dataclass(frozen=True)
class RawFrames:
    """What is piped: `count` frames of `size` in ffmpeg's `pixel_format`."""

    size: FrameSize
    pixel_format: str
    count: int
    frame_rate: Fraction = FRAME_RATE

    @property
    def input_arguments(self) -> list[str]:
        return [
            "-f", "rawvideo", "-pix_fmt", self.pixel_format, "-s", f"{self.size.width}x{self.size.height}",
            "-r", str(self.frame_rate), "-thread_queue_size", "16", "-i", "pipe:0",
        ]  # fmt: skip


FrameBytes = bytes | bytearray | memoryview


async def encode_frames(
    frames: Iterable[FrameBytes], raw: RawFrames, arguments: Sequence[str], on_progress: Callable[[float], None]
) -> str:
    """Pipe the frames to one ffmpeg as its first input, followed by `arguments`; returns its log.

    `on_progress` gets 0..1 with every few frames. Cancelling kills ffmpeg. Raises PermanentError, StorageFull.
    """
    with tempfile.TemporaryFile() as log_file:
        process = spawn_guarded(
            ffmpeg_command([*raw.input_arguments, *arguments]),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log_file.fileno(),
        )  # fmt: skip
        try:
            await _feed(process, frames, raw.count, on_progress)
            return_code = await asyncio.to_thread(process.wait)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        log_file.seek(0)
        log = log_file.read().decode("utf-8", "replace")
    if return_code != 0 or "No space left on device" in log:
        raise failure(return_code, log)
    return log


async def _feed(
    process: "subprocess.Popen[bytes]",
    frames: Iterable[FrameBytes],
    count: int,
    on_progress: Callable[[float], None],
) -> None:
    """Write all frames. A pipe that breaks is no error here: ffmpeg's return code and log tell why."""
    if process.stdin is None:
        raise RuntimeError("the process was started without a pipe")
    with contextlib.suppress(BrokenPipeError):
        try:
            for number, frame in enumerate(frames):
                process.stdin.write(frame)
                if number % 4 == 0:
                    on_progress(number / count)
                    await asyncio.sleep(0)  # lets a cancellation in
        finally:
            process.stdin.close()


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file of the work folder. Raises StorageFull."""
    try:
        path.write_bytes(content)
    except OSError as error:
        if is_disk_full(error):
            raise StorageFull(f"The disk is full: {path.name} could not be written. Free some space.") from error
        raise
    return path
