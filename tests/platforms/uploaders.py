"""Starts uploader processes, waits for them and kills them; what they do is in uploader.py."""

import atexit
import functools
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]


class _Parent:
    """The process that the uploaders are forked off."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.platforms.uploader"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT,
        )  # fmt: skip
        self._turn = threading.Lock()
        atexit.register(self._end)

    def ask(self, question: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def _end(self) -> None:
        self._process.communicate()


@functools.cache
def _parent() -> _Parent:
    return _Parent()


class UploaderProcess:
    """One that publishes these publications."""

    def __init__(self, root: Path, gateway: str, *ids: str) -> None:
        self._id = _parent().ask([str(root), gateway, ids, dict(os.environ)])
        self._ended = os.pidfd_open(self._id)

    def kill(self) -> None:
        """`kill -9`, and it is gone when this returns."""
        signal.pidfd_send_signal(self._ended, signal.SIGKILL)
        select.select([self._ended], [], [])

    def wait(self, seconds: float) -> int:
        """Its exit code, or the negative number of the signal that ended it; after so long it is killed."""
        if not select.select([self._ended], [], [], seconds)[0]:
            self.kill()
        return os.waitstatus_to_exitcode(_parent().ask(self._id))

    def __del__(self) -> None:
        os.close(self._ended)  # not before: another thread may wait for it in `kill`
