"""A MongoDB server of one test alone, which may be killed, stopped and started again."""

import os
import shutil
import signal
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

import pytest

PASSWORD = "priv@te/word"
ADDRESS_PASSWORD = "priv%40te%2Fword"


class PrivateMongodb:
    """Keeps its port and its data over restarts."""

    def __init__(self) -> None:
        self._program = _program()
        self._folder = Path(tempfile.mkdtemp(prefix="vm-mongodb-"))
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    def address(self, *options: str, user: str = "") -> str:
        """That of its database `studio`."""
        return mongodb_address(self.port, *options, user=user)

    def start(self, *, auth: bool = False, standalone: bool = False) -> None:
        """Returns when it listens. `standalone`: it is no replica set."""
        flags = [*(["--auth"] if auth else []), *(["--standalone"] if standalone else [])]
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [self._program, "--host", "127.0.0.1", "--port", str(self.port), "--storage-path", self._folder / "wt",
                 "--cache-size", "64M", "--log-file-max", "8MB", "--sync-on-commit", *flags],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=self._folder,
            )  # fmt: skip
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        assert "listening on" in first, first + (self._folder / "log").read_text()[-3000:]
        self.port = int(first.rsplit(":", 1)[1])

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """It keeps its connections, and answers nothing."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def remove(self) -> None:
        if self._process is not None:
            self.resume()
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._send(number)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait()
        self._process = None


def mongodb_address(port: int, *options: str, user: str = "") -> str:
    given = "&".join(("directConnection=true", *options))
    return f"mongodb://{user}127.0.0.1:{port}/studio?{given}"


def _program() -> str:
    """The server that the environment names, or the one of the development packages."""
    named = os.environ.get("VIDEO_MANAGER_TEST_MONGODB_PROGRAM") or shutil.which("secantusd-rs")
    if named is not None:
        return named
    try:
        files = metadata.distribution("secantusdb").files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "secantusd-rs":
            return str(file.locate())
    pytest.skip("MONGODB NOT KILLED: no program of the server here; VIDEO_MANAGER_TEST_MONGODB_PROGRAM may name it")
