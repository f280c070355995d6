"""What the three servers have in common: a folder, a port on loopback, and a life that tests can end brutally."""

import json
import os
import secrets
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.servers import processes

READY_SECONDS = 90.0
"""A bound against hanging; a server is ready in 1 to 8 s."""
_POLL_SECONDS = 0.03
_LOG_LINES = 15


class ServerFailed(Exception):
    """A server could not be started; the text has the end of its log."""


class ServerMissing(Exception):
    """Its programs are not on this machine; the text says how to get them."""


@dataclass(frozen=True)
class Command:
    arguments: Sequence[str]
    environment: Mapping[str, str]
    user: str | None = None
    """Whose rights it runs with, when not ours."""


class Server(ABC):
    """A server in a folder of its own. Any number of handles may name the same folder, also in other processes."""

    name: ClassVar[str]
    variable: ClassVar[str]
    """The environment variable that names an address of such a server for tests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._child: subprocess.Popen[bytes] | None = None

    # ---- what each server says about itself ---------------------------------------------------------------

    @property
    @abstractmethod
    def url(self) -> str:
        """Its address, with name and password, without a database."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the first start needs."""

    @abstractmethod
    def _command(self) -> Command: ...

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it serves clients now. Never blocks for longer than two seconds."""

    _stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    # ---- life ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to start, on the port it had before. Without effect when it runs; `wait_ready` tells when it serves."""
        if self.is_running():
            return
        self.kill()  # what a killed one left behind
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prepare()
        command = self._command()
        environment = {
            "PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **command.environment,
            processes.MARK: str(self.folder),
        }  # fmt: skip
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command.arguments, env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, user=command.user, group=command.user,
                extra_groups=[] if command.user else None,
            )  # fmt: skip
        self._process_file.write_text(f"{self._child.pid} {processes.started_at(self._child.pid)}", encoding="utf-8")

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Until it serves clients. Raises ServerFailed when it ended or takes too long."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            ended = self._child.poll() if self._child is not None else None
            if ended is not None or (self._child is None and not self.is_running()):
                raise ServerFailed(f"{self.name} in {self.folder} ended while it was starting.{self._last_words()}")
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{self.name} in {self.folder} is not ready after {seconds:.0f} s.{self._last_words()}"
                )
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """SIGKILL to all processes of the server."""
        processes.kill(self.folder)
        if self._child is not None:
            self._child.wait(timeout=10)
            self._child = None

    def stop(self, seconds: float = 20) -> None:
        """Ask it to end; kill what is left after that time."""
        main = self._main()
        if main is not None:
            processes.send([main], self._stop_signal)
            processes.wait_until_ended([main], seconds)
        self.kill()

    def restart(self) -> None:
        """Kill -9, start on the same port and folder, and wait until it serves again."""
        self.kill()
        self.start()
        self.wait_ready()

    def pause(self) -> None:
        """It stands still and keeps its connections, as an overloaded or swapping machine does."""
        processes.pause(self.folder)

    def resume(self) -> None:
        processes.send(processes.marked(self.folder), signal.SIGCONT)

    def is_running(self) -> bool:
        return self._main() is not None

    def is_ready(self) -> bool:
        return self.is_running() and self._answers()

    @property
    def log(self) -> Path:
        return self.folder / "log"

    # ---- what is kept in the folder -----------------------------------------------------------------------

    def _kept(self, *ports: str) -> dict[str, str]:
        """The ports of these names and the password, chosen once for a folder."""
        path = self.folder / "server.json"
        try:
            kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self.folder.mkdir(parents=True, exist_ok=True)
            kept = {name: str(processes.free_port()) for name in ports} | {"password": secrets.token_urlsafe(12)}
            new = path.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_text(json.dumps(kept), encoding="utf-8")
            new.replace(path)
        return kept

    @property
    def _process_file(self) -> Path:
        return self.folder / "process"

    def _main(self) -> int | None:
        """The process that was started, while it runs."""
        try:
            number, _, started = self._process_file.read_text(encoding="utf-8").partition(" ")
        except FileNotFoundError:
            return None
        if not number or not processes.is_running(int(number)):
            return None
        return int(number) if str(processes.started_at(int(number))) == started else None

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return " It said nothing."
        told = "\n".join(f"  | {line}" for line in lines[-_LOG_LINES:] if line.strip())
        return f" The end of {self.log}:\n{told}"
