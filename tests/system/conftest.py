"""The whole system as people start it: its own process, data folder and port, driven over HTTP."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.no_tls import NO_TLS
from tests.servers.processes import free_port

START_SECONDS = 120.0
"""A bound against hanging, not a claim: the machine may be busy with other things."""
PASSWORD = "correct-horse-battery"


class RunningSystem:
    """Starts, kills and starts again `video-manager up` on one data folder."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.data_dir = folder / "data"
        self.log_path = folder / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIDEO_MANAGER_")},
            "VIDEO_MANAGER_DATA_DIR": str(self.data_dir),
            "VIDEO_MANAGER_PORT": str(self.port),
            "VIDEO_MANAGER_ADMIN_PASSWORD": PASSWORD,
            "VIDEO_MANAGER_SAMPLE_VIDEO": "false",
            **{f"VIDEO_MANAGER_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RunningSystem":
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "video_manager", "up"], env=self._environment, stdout=log, stderr=log
            )
        return self

    def wait_ready(self) -> "RunningSystem":
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, f"the system ended by itself:\n{self.log()[-3000:]}"
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=2, verify=NO_TLS).status_code == 200:
                    return self
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready after {START_SECONDS} s:\n{self.log()[-3000:]}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def client(self, timeout: float = 10) -> httpx.Client:
        """Signed in as this machine's owner."""
        token = (self.data_dir / "cli-token").read_text().strip()
        return httpx.Client(
            base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {token}"}, timeout=timeout, verify=NO_TLS
        )


def wait_for(what: Callable[[], Any], seconds: float, message: str) -> Any:
    """The first true answer of `what`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = what()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(message)


@pytest.fixture
def start_system(tmp_path: Path) -> Iterator[Callable[..., RunningSystem]]:
    """Makes systems on folders of their own; all are stopped at the end."""
    yield from _systems_below(tmp_path)


@pytest.fixture(scope="module")
def start_module_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningSystem]]:
    """The same for all tests of a file."""
    yield from _systems_below(tmp_path_factory.mktemp("systems"))


def _systems_below(root: Path) -> Iterator[Callable[..., RunningSystem]]:
    made: list[RunningSystem] = []

    def make(**settings: str) -> RunningSystem:
        folder = root / f"system{len(made)}"
        folder.mkdir()
        made.append(RunningSystem(folder, **settings))
        return made[-1].start().wait_ready()

    yield make
    for system in made:
        if system._process is not None and system._process.poll() is None:
            system.kill()
