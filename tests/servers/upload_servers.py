"""Real servers of the upload protocols that platforms speak, from npm: tus (Vimeo) and uploadx (PeerTube)."""

import hashlib
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import ClassVar

from tests.servers.mongodb import CACHE
from tests.servers.server import Command, Server, ServerMissing

_SOURCES = Path(__file__).resolve().parent / "uploads"


class NodeServer(Server):
    """A program of `uploads/`, which gets a folder and a port."""

    variable: ClassVar[str] = ""
    program: ClassVar[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._kept('port')['port']}"

    def log_lines(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def _prepare(self) -> None:
        (self.folder / "files").mkdir(exist_ok=True)

    def _command(self) -> Command:
        node, program = shutil.which("node") or "node", find_modules() / self.program
        return Command([node, str(program), str(self.folder / "files"), self._kept("port")["port"]], {})

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", int(self._kept("port")["port"])), timeout=2):
                return True
        except OSError:
            return False


class TusServer(NodeServer):
    name: ClassVar[str] = "tus"
    program: ClassVar[str] = "tus.mjs"


class PeerTubeUploads(NodeServer):
    name: ClassVar[str] = "uploadx"
    program: ClassVar[str] = "peertube.mjs"


def find_modules(sources: Path = _SOURCES) -> Path:
    """Where the programs lie beside their packages. Raises ServerMissing."""
    folder = CACHE / f"{sources.name}-{_digest(sources)}"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise ServerMissing("no Node: sudo apt-get install nodejs npm")
    if not folder.is_dir():
        raise ServerMissing(f"the packages of the {sources.name} servers were not fetched yet")
    return folder


def install(sources: Path = _SOURCES) -> None:
    """By npm, from the lock file. Raises ServerMissing."""
    npm = shutil.which("npm")
    if npm is None:
        raise ServerMissing("no Node: sudo apt-get install nodejs npm")
    new = CACHE / f"new-{sources.name}-{os.getpid()}"
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(sources, new)
    try:
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=new, capture_output=True, text=True,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            raise ServerMissing(f"npm ci failed, so there are no {sources.name} servers: {done.stderr[-500:]}")
        new.rename(CACHE / f"{sources.name}-{_digest(sources)}")
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _digest(sources: Path) -> str:
    """Of the programs and the lock file: other ones get a folder of their own."""
    content = b"".join(path.read_bytes() for path in sorted(sources.iterdir()) if path.is_file())
    return hashlib.sha256(content).hexdigest()[:16]
