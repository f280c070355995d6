"""The servers that one run of the tests shares: started once, in one folder, found again by every process of it."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import processes
from tests.servers.installing import ensure_programs
from tests.servers.mongodb import MongoDB
from tests.servers.postgres import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.server import Server, ServerFailed, ServerMissing

KINDS: tuple[type[Server], ...] = (MongoDB, RabbitMQ, PostgreSQL)
_ROOT = Path(__file__).resolve().parents[2]
_PREFIX = "video-manager-services-"


@dataclass(frozen=True)
class Outcome:
    kind: type[Server]
    url: str | None = None
    given: bool = False
    """By the environment: it is somebody else's, and neither started nor stopped here."""
    missing: str | None = None
    """Why there is none: nothing to start, and nothing allowed or possible to install."""
    failed: str | None = None


def missing_variable(kind: type[Server]) -> str:
    """Says why there is none, so that not every process of a run looks for it and tries to install it."""
    return f"{kind.variable.removesuffix('_URL')}_MISSING"


def default_folder() -> Path:
    """The same for every call of this person in this checkout, and not below it: a server that runs as another user
    must be able to enter all folders above its own."""
    checkout = hashlib.sha256(os.fsencode(_ROOT)).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"{_PREFIX}{os.geteuid()}-{checkout}"


def new_folder() -> Path:
    """An empty one for servers of its own. They end with this process, at the latest when others are started."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    _open_to_others(folder)
    write_owner(folder, os.getpid())
    return folder


class Fleet:
    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def server(self, kind: type[Server]) -> Server:
        return kind(self.folder / kind.name.lower())

    def start(self, kinds: Sequence[type[Server]] = KINDS, owner: int | None = None) -> list[Outcome]:
        """Start what does not run yet, all at once, and wait until they serve. Several callers wait for each other."""
        sweep()
        with self._exclusive():
            if owner is not None:
                write_owner(self.folder, owner)
            with ThreadPoolExecutor(len(kinds)) as pool:
                return list(pool.map(self._start, kinds))

    def stop(self) -> None:
        """End all of them at once and remove their data. Without effect when there is nothing."""
        if not self.folder.exists():
            return
        with self._exclusive():
            for kind in KINDS:
                self.server(kind).kill()
            shutil.rmtree(self.folder)

    def running(self) -> list[Server]:
        servers = [self.server(kind) for kind in KINDS]
        return [server for server in servers if server.is_running()]

    def _start(self, kind: type[Server]) -> Outcome:
        if url := os.environ.get(kind.variable):
            return Outcome(kind, url=url, given=True)
        server = self.server(kind)
        try:
            ensure_programs(kind)
            server.start()
            server.wait_ready()
        except ServerMissing as error:
            return Outcome(kind, missing=str(error))
        except (ServerFailed, OSError, TimeoutError) as error:
            return Outcome(kind, failed=str(error))
        return Outcome(kind, url=server.url)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        while True:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.folder.stat().st_uid != os.geteuid():
                raise PermissionError(f"{self.folder} belongs to somebody else; choose another with --folder")
            _open_to_others(self.folder)
            path = self.folder / "lock"
            with path.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not _is_same(path, lock.fileno()):
                    continue  # a stop removed the folder while this one waited
                yield
                return


def write_owner(folder: Path, process: int) -> None:
    """The servers in the folder have no purpose after this process."""
    (folder / "owner").write_text(f"{process} {processes.started_at(process)}", encoding="utf-8")


def sweep() -> None:
    """End the servers of this person whose owner was killed before it could do so."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if folder.stat().st_uid != os.geteuid():
                continue
            number, _, started = (folder / "owner").read_text(encoding="utf-8").partition(" ")
        except FileNotFoundError:
            continue
        if not processes.is_running(int(number)) or str(processes.started_at(int(number))) != started:
            for server in [path for path in folder.iterdir() if path.is_dir()]:
                processes.kill(server)
            shutil.rmtree(folder, ignore_errors=True)  # another sweep may be at it


def _open_to_others(folder: Path) -> None:
    folder.chmod(0o711)


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
