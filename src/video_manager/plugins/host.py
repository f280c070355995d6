"""The process that runs plugins: `python -m video_manager.plugins.host --answer-fd N --parent PID`.

It reads one HostCall as JSON from standard input, and writes HostLines to the file descriptor: progress, then one
result (RenderAnswer for `render`, ProcessAnswer for `process`, see calls.py) or one error. Standard output and error
belong to the plugins; what they print is kept only for a failure's log.

The process ends with its parent, is nicer than it, and is the first that the kernel takes when memory runs out.
"""

import argparse
import asyncio
import contextlib
import ctypes
import errno
import logging
import os
import resource
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from video_manager.errors import ActionRequiredError, PermanentError, RetryableError, StorageFull, VideoManagerError
from video_manager.plugins.calls import ErrorKind, Failure, HostCall, HostLine, ProcessCall, RenderCall, Task

_NICE_LEVEL = 10
_GROUP_NICE_LEVEL = 19
_OOM_SCORE = 500
_PROGRESS_INTERVAL_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TRACEBACK_CHARACTERS = 3000
_KINDS: tuple[tuple[type[VideoManagerError], ErrorKind], ...] = (
    (RetryableError, ErrorKind.RETRYABLE), (StorageFull, ErrorKind.STORAGE_FULL),
    (ActionRequiredError, ErrorKind.ACTION_REQUIRED),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs one plugin call; started by the workers, not by people.")
    parser.add_argument("--answer-fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id of the worker")
    arguments = parser.parse_args()
    _tie_to(arguments.parent)
    _limit_ourselves()
    os.set_inheritable(arguments.answer_fd, False)
    with os.fdopen(arguments.answer_fd, "wb", buffering=0) as answers:
        line = _answer(Answers(answers))
        answers.write(line.model_dump_json(exclude_none=True).encode() + b"\n")
    sys.stdout.flush()
    # A plugin's own threads must not keep an answered call alive.
    os._exit(0)


class Answers:
    """The way back to the worker; progress is thinned out to ten lines a second."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._last: tuple[float, str] = (-1.0, "")

    def progress(self, fraction: float, stage: str) -> None:
        now = time.monotonic()
        with self._lock:
            written_at, last_stage = self._last
            if now - written_at < _PROGRESS_INTERVAL_SECONDS and stage == last_stage:
                return
            self._last = (now, stage)
            line = HostLine.of_progress(fraction, stage[:200])
            self._stream.write(line.model_dump_json(exclude_none=True).encode() + b"\n")


def _answer(answers: Answers) -> HostLine:
    """Run the call on standard input; every way in which it can fail becomes an answer."""
    try:
        call = HostCall.model_validate_json(sys.stdin.buffer.read())
        os.environ.update(call.environment)
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
        return HostLine(result=asyncio.run(_run(call, answers)))
    except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - the answer carries it to the worker
        return HostLine(error=_failure(error))


async def _run(call: HostCall, answers: Answers) -> dict[str, Any]:
    from video_manager.plugins import tasks  # noqa: PLC0415 - loads plugins, after the limits are set

    folder, secrets = call.work_folder, call.environment
    if call.task is Task.RENDER:
        rendered = await tasks.render(RenderCall.model_validate(call.payload), folder, answers.progress, secrets)
        return rendered.model_dump(mode="json")
    processed = await tasks.process(ProcessCall.model_validate(call.payload), folder, answers.progress, secrets)
    return processed.model_dump(mode="json")


def _failure(error: BaseException) -> Failure:
    """The answer for an exception; what nobody foresaw keeps its traceback."""
    retry_after: float | None = None
    kind, detail = ErrorKind.PERMANENT, f"the plugin crashed: {type(error).__name__}: {error}"
    if isinstance(error, VideoManagerError):
        detail = error.detail
        kind = next((kind for raised, kind in _KINDS if isinstance(error, raised)), ErrorKind.PERMANENT)
        retry_after = error.retry_after_seconds if isinstance(error, RetryableError) else None
    elif isinstance(error, OSError) and error.errno in _DISK_FULL:
        kind, detail = ErrorKind.STORAGE_FULL, f"the disk is full: {error}"
    elif isinstance(error, MemoryError):
        detail = "the plugin ran out of memory"
    excerpt = error.log_excerpt if isinstance(error, PermanentError) else None
    return Failure(
        kind=kind, detail=detail[:2000], log_excerpt=excerpt or _trace(error), retry_after_seconds=retry_after
    )


def _trace(error: BaseException) -> str | None:
    """The traceback of what nobody foresaw. An error of ours has said in words what a person needs."""
    if isinstance(error, VideoManagerError):
        return None
    return "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]


def _tie_to(parent: int) -> None:
    """Die with the worker, even when it is killed without a chance to clean up."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the worker that started this process is gone")


def _limit_ourselves() -> None:
    """Nicer than the server, no core dumps (they hold people's media), and the first choice when memory is short."""
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    _be_nice()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))


def _be_nice() -> None:
    """Give way to the process that answers people. Desktop kernels share the processors between sessions first
    (autogroup), and a plugin has a session of its own, so that its group has to be nice as well."""
    os.nice(_NICE_LEVEL)
    with contextlib.suppress(OSError):  # a kernel without autogroups needs no more than the above
        Path("/proc/self/autogroup").write_text(f"{_GROUP_NICE_LEVEL}\n")


if __name__ == "__main__":
    sys.exit(main())
