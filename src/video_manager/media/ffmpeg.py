"""Runs ffmpeg: with progress, at once cancellable, never left behind, and with its own words in the error."""

import asyncio
import contextlib
import errno
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

from video_manager.errors import PermanentError, StorageFull
from video_manager.media.ffmpeg_binary import ffmpeg_path
from video_manager.media.guarded_process import guarded_command

__all__ = ["Ffmpeg", "FfmpegTool", "failure", "ffmpeg_command", "ffmpeg_path", "is_disk_full", "run_ffmpeg"]

ProgressListener = Callable[[float], None]


class Ffmpeg(Protocol):
    """What the functions of this package need of the media tool that a plugin is handed."""

    async def ffmpeg(
        self, arguments: Sequence[str], *, total_seconds: float | None = None, stage: str | None = None
    ) -> str: ...


_DISK_FULL_WORDS = ("No space left on device", "Disk quota exceeded", "File too large")
_DISK_FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LOG_EXCERPT_LINES = 20
_LOG_LIMIT_BYTES = 32 * 1024 * 1024


def ffmpeg_command(arguments: Sequence[str], *, progress: bool = False) -> list[str]:
    """The full command line for `arguments` (inputs, filters, outputs), to be started by `guarded_command`.

    With `progress`, ffmpeg writes `key=value` lines about its position to its standard output four times a second,
    so outputs must then be files. Standard input is only read when an input names it (`pipe:0`).
    """
    reads_stdin = any(argument in {"-", "pipe:", "pipe:0"} for argument in arguments)
    return [
        ffmpeg_path(),
        "-hide_banner",
        "-y",
        *([] if reads_stdin else ["-nostdin"]),
        "-nostats",
        *(["-progress", "pipe:1", "-stats_period", "0.25"] if progress else []),
        *arguments,
    ]


async def run_ffmpeg(
    arguments: Sequence[str], *, total_seconds: float | None = None, on_progress: ProgressListener | None = None
) -> str:
    """Run ffmpeg to its end and return its log (stderr).

    `on_progress` is called with 0..1 when `total_seconds`, the length of the output, is known. Cancelling the task
    kills ffmpeg at once. Raises PermanentError with ffmpeg's last lines, or StorageFull.
    """
    watched = on_progress is not None and total_seconds is not None and total_seconds > 0
    try:
        process = await asyncio.create_subprocess_exec(
            *guarded_command(ffmpeg_command(arguments, progress=watched)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if watched else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise PermanentError(f"ffmpeg could not be started: {error}. Run `video-manager doctor`.") from error
    try:
        readers = [_read_log(process.stderr)]
        if watched and on_progress is not None and total_seconds is not None:
            readers.append(_read_progress(process.stdout, total_seconds, on_progress))
        log, *_ = await asyncio.gather(*readers)
        return_code = await process.wait()
    finally:
        await _end(process)
    if return_code != 0 or any(words in log for words in _DISK_FULL_WORDS):
        raise failure(return_code, log)
    return log


def failure(return_code: int, log: str) -> PermanentError | StorageFull:
    """The error that says in words why ffmpeg ended with `return_code` after writing `log`."""
    if any(words in log for words in _DISK_FULL_WORDS) or return_code == -int(getattr(signal, "SIGXFSZ", 25)):
        return StorageFull("The disk is full: ffmpeg could not write its output. Free some space, then try again.")
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    excerpt = "\n".join(lines[-_LOG_EXCERPT_LINES:])
    if return_code == -int(signal.SIGKILL):
        return PermanentError(
            "ffmpeg was killed from outside, most likely because the machine ran out of memory. Render fewer videos "
            "at once, or a smaller one.",
            excerpt,
        )
    if return_code < 0:
        return PermanentError(f"ffmpeg crashed (signal {-return_code}).", excerpt)
    return PermanentError(f"ffmpeg failed: {_reason(lines)}", excerpt)


def is_disk_full(error: OSError) -> bool:
    return error.errno in _DISK_FULL_ERRORS


class FfmpegTool:
    """The media tool handed to plugins. `report` gets (fraction of this run, stage) for runs that name a stage."""

    def __init__(self, report: Callable[[float, str], None] | None = None) -> None:
        self._report = report

    async def ffmpeg(
        self, arguments: Sequence[str], *, total_seconds: float | None = None, stage: str | None = None
    ) -> str:
        report = self._report
        if report is None or stage is None:
            return await run_ffmpeg(arguments, total_seconds=total_seconds)
        return await run_ffmpeg(
            arguments, total_seconds=total_seconds, on_progress=lambda fraction: report(fraction, stage)
        )


def _reason(lines: Sequence[str]) -> str:
    """The most telling of the last lines: the first that names an error, without ffmpeg's component prefix."""
    telling = ("error", "invalid", "no such", "not found", "unable", "cannot", "could not", "does not", "failed")
    closing = ("Conversion failed!", "Error opening output files", "Error opening input files")
    tail = lines[-_LOG_EXCERPT_LINES:]
    file = next(
        (line for line in tail if line.startswith(("Error opening input file ", "Error opening output file "))), ""
    )
    for line in tail:
        if line != file and any(word in line.lower() for word in telling) and not line.startswith(closing):
            return " - ".join(part for part in (line.split("] ", 1)[-1], file) if part)
    return tail[-1] if tail else "it gave no reason"


async def _read_log(stream: asyncio.StreamReader | None) -> str:
    """All of the log, but of an endless one only its last part."""
    if stream is None:
        return ""
    log = bytearray()
    while chunk := await stream.read(65536):
        log += chunk
        if len(log) > _LOG_LIMIT_BYTES:
            del log[: len(log) - _LOG_LIMIT_BYTES // 2]
    return log.decode("utf-8", "replace")


async def _read_progress(stream: asyncio.StreamReader | None, total_seconds: float, listener: ProgressListener) -> str:
    if stream is None:
        return ""
    async for line in stream:
        key, _, value = line.decode("ascii", "replace").strip().partition("=")
        if key == "out_time_us" and value.lstrip("-").isdigit():
            listener(min(1.0, max(0.0, int(value) / 1e6 / total_seconds)))
        elif key == "progress" and value == "end":
            listener(1.0)
    return ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what still runs and wait for it, also while our own task is being cancelled."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    await asyncio.shield(process.wait())
