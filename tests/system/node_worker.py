"""The example of a worker in another language, as its author would run it: Node, its packages, and two addresses."""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
from tests.system.conftest import wait_for

from video_manager.media.ffmpeg_binary import ffmpeg_path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "node-generator"
_STAMP = EXAMPLE / "node_modules" / ".made-from"


@cache
def node() -> str:
    """The path of Node, with the example's packages installed. Skips the test, loudly, where that cannot be."""
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None or npm is None:
        pytest.skip("no Node: sudo apt-get install nodejs npm")
    lock = hashlib.sha256((EXAMPLE / "package-lock.json").read_bytes()).hexdigest()
    if not _STAMP.is_file() or _STAMP.read_text() != lock:
        made = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund"], cwd=EXAMPLE, capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            pytest.skip(f"npm ci failed, so the example in Node cannot run: {made.stderr[-500:]}")
        _STAMP.write_text(lock)
    return program


class NodeWorker:
    def __init__(self, url: str, key: str, log: Path, **environment: str) -> None:
        self._log = log
        self._environment: Mapping[str, str] = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIDEO_MANAGER_")},
            "VIDEO_MANAGER_URL": url,
            "VIDEO_MANAGER_KEY": key,
            "FFMPEG": ffmpeg_path(),
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "NodeWorker":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [node(), "worker.mjs"], cwd=EXAMPLE, env=self._environment, stdout=log, stderr=log
            )
        return self

    def wait_for_log(self, words: str) -> None:
        wait_for(lambda: words in self.log(), 60, f"it never said {words!r}:\n{self.log()}")

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """As Kubernetes does; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=30)

    def end(self) -> None:
        """Whatever became of it."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def log(self) -> str:
        return self._log.read_text(errors="replace")
