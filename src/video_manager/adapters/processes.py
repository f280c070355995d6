"""Runs plugin calls in processes of their own (`video_manager.plugins.host`)."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic import ValidationError

from video_manager.adapters.process_groups import end_group
from video_manager.errors import ActionRequiredError, PermanentError, RetryableError, StorageFull, WorkError
from video_manager.plugins.calls import ErrorKind, Failure, HostCall, HostLine, Task
from video_manager.ports import PluginCall, ProgressCallback

_LINE_LIMIT_BYTES = 32 * 1024 * 1024
_LOG_TAIL_BYTES = 16 * 1024
_LOG_EXCERPT_CHARACTERS = 3000
_DRAIN_SECONDS = 1.0
_KEPT_SETTINGS = frozenset({"VIDEO_MANAGER_FFMPEG"})
_OUR_PREFIX = "VIDEO_MANAGER_"


class ProcessRunner:
    """A PluginRunner (see ports.py). `threads` is how many threads number crunching libraries may use in one call."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads

    async def run(self, call: PluginCall, on_progress: ProgressCallback) -> Mapping[str, Any]:
        message = HostCall(
            task=Task(call.task),
            payload=dict(call.payload),
            work_folder=call.work_folder,
            environment=dict(call.environment),
        )
        async with self._started(message) as (process, answers):
            log: deque[bytes] = deque()
            drain = asyncio.create_task(_keep_tail(process.stdout, log))
            try:
                await _feed(process, message.model_dump_json().encode())
                last = await _read_answer(answers, on_progress)
                if last is None:
                    await process.wait()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(asyncio.shield(drain), _DRAIN_SECONDS)
                    raise _death(process.returncode or 0, b"".join(log))
            finally:
                drain.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await drain
        if last.error is not None:
            raise _raised(last.error)
        return last.result or {}

    @contextlib.asynccontextmanager
    async def _started(
        self, message: HostCall
    ) -> AsyncIterator[tuple[asyncio.subprocess.Process, asyncio.StreamReader]]:
        """The child and its answers; on leaving, nothing of its process group is alive."""
        async with answers_of_child() as (answers, childs_end):
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", "-m", "video_manager.plugins.host",
                    "--answer-fd", str(childs_end.fileno()), "--parent", str(os.getpid()),
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                    pass_fds=(childs_end.fileno(),), start_new_session=True, cwd=message.work_folder,
                    env=self._environment(),
                )  # fmt: skip
            except OSError as error:
                raise PermanentError(f"the plugin process could not be started: {error}") from error
            finally:
                childs_end.close()
            try:
                yield process, answers
            finally:
                await end_group(process)

    def _environment(self) -> dict[str, str]:
        """Ours without our settings, which hold secrets that are no plugin's business."""
        kept = {
            name: value for name, value in os.environ.items()
            if not name.startswith(_OUR_PREFIX) or name in _KEPT_SETTINGS
        }  # fmt: skip
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
        return {**dict.fromkeys(names, str(self._threads)), "PYTHONUNBUFFERED": "1", **kept}


@contextlib.asynccontextmanager
async def answers_of_child() -> AsyncIterator[tuple[asyncio.StreamReader, socket.socket]]:
    """What a child writes into the second one; the caller closes it once the child has it.

    Sockets, because they are what every event loop takes over whole. Of a pipe (`connect_read_pipe`) uvloop 0.23 closes
    the file descriptor, and then its file object once more, which hits whatever another thread opened in between.
    """
    ours, childs = socket.socketpair()
    with ours, childs:
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LINE_LIMIT_BYTES)
        try:
            yield reader, childs
        finally:
            writer.transport.abort()


async def _feed(process: asyncio.subprocess.Process, message: bytes) -> None:
    if process.stdin is None or process.stdin.is_closing():  # it died early: its exit status says why
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(message)
        await process.stdin.drain()
    process.stdin.close()


async def _read_answer(answers: asyncio.StreamReader, on_progress: ProgressCallback) -> HostLine | None:
    """The last line, or None when the child ended without one."""
    while True:
        try:
            line = await answers.readline()
        except ValueError as error:
            raise PermanentError("the plugin's answer is too large; results hold facts and paths, no data") from error
        if not line.endswith(b"\n"):
            return None
        try:
            message = HostLine.model_validate_json(line)
        except ValidationError as error:
            raise PermanentError(
                "the plugin wrote over its own answer", line[:500].decode("utf-8", "replace")
            ) from error
        if message.progress is None:
            return message
        on_progress(message.progress, message.stage)


async def _keep_tail(stream: asyncio.StreamReader | None, log: deque[bytes]) -> None:
    """Read all that the plugin prints, so that it never blocks, and keep only the end."""
    if stream is None:
        return
    size = 0
    while chunk := await stream.read(8192):
        log.append(chunk)
        size += len(chunk)
        while size - len(log[0]) > _LOG_TAIL_BYTES:
            size -= len(log.popleft())


def _raised(failure: Failure) -> WorkError | StorageFull:
    match failure.kind:
        case ErrorKind.RETRYABLE:
            return RetryableError(failure.detail, failure.retry_after_seconds)
        case ErrorKind.ACTION_REQUIRED:
            return ActionRequiredError(failure.detail)
        case ErrorKind.STORAGE_FULL:
            return StorageFull(failure.detail)
        case ErrorKind.PERMANENT:
            return PermanentError(failure.detail, failure.log_excerpt)


def _death(return_code: int, log: bytes) -> PermanentError:
    """Why a child ended without an answer, as far as its exit status and last words tell."""
    excerpt = log.decode("utf-8", "replace").strip()[-_LOG_EXCERPT_CHARACTERS:] or None
    if return_code < 0:
        name = signal.Signals(-return_code).name
        hint = " (out of memory? Render fewer videos at once, or smaller ones)" if name == "SIGKILL" else ""
        return PermanentError(f"the plugin's process was killed by {name}{hint}", excerpt)
    return PermanentError(f"the plugin's process ended with exit status {return_code} and no answer", excerpt)
