"""Bluesky's own server (PDS), with the directory of identities that it needs: Node programs out of the npm registry.

Its directory keeps nothing on disk, so that a server which was restarted knows none of its accounts any more.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import ClassVar

from tests.servers.mongodb import CACHE
from tests.servers.server import Command, Server, ServerMissing

_PACKAGE = Path(__file__).parent / "bluesky"
_DONE = ".complete"


class BlueskyPDS(Server):
    name: ClassVar[str] = "BlueskyPDS"
    variable: ClassVar[str] = "VIDEO_MANAGER_TEST_BLUESKY_PDS_URL"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports['port']}"

    @property
    def _ports(self) -> dict[str, str]:
        return self._kept("port", "plc_port")

    def _prepare(self) -> None:
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def _command(self) -> Command:
        return Command(
            [
                _node(), str(_PACKAGE / "pds.mjs"), str(find_modules()), str(self.folder), self._ports["port"],
                self._ports["plc_port"],
            ],
            {"HOME": str(self.folder)},
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/xrpc/_health", timeout=2).close()  # noqa: S310 - our own address
        except (OSError, urllib.error.URLError):
            return False
        return True


def find_modules() -> Path:
    """The folder of the packages. Raises ServerMissing when they were not fetched."""
    folder = _folder()
    if not (folder / _DONE).is_file():
        raise ServerMissing("Bluesky's PDS was not fetched yet")
    return folder


def install() -> None:
    """Fetch the packages whose hashes are in the lock file; one of them is compiled here. Raises ServerMissing."""
    npm, folder = shutil.which("npm"), _folder()
    _node()
    if npm is None:
        raise ServerMissing("Bluesky's PDS needs npm: sudo apt-get install nodejs npm")
    print("Installing Bluesky's PDS ...", file=sys.stderr, flush=True)  # noqa: T201 - part of a program
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_PACKAGE / name, folder)
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    # npm 10 and older compile always, later ones what allowScripts names; some leave it out and report success.
    if done.returncode == 0 and not list(folder.glob("node_modules/**/better_sqlite3.node")):
        raise ServerMissing("npm did not compile better-sqlite3, so there is no PDS: it needs make and a C++ compiler")
    if done.returncode != 0:
        said = "\n".join(f"  | {line}" for line in done.stderr.strip().splitlines()[-5:])
        raise ServerMissing(f"npm could not fetch Bluesky's PDS. It said:\n{said}")
    (folder / _DONE).touch()


def _folder() -> Path:
    lock = hashlib.sha256((_PACKAGE / "package-lock.json").read_bytes()).hexdigest()[:12]
    return CACHE / f"bluesky-pds-{lock}"


def _node() -> str:
    """Raises ServerMissing: what this release was compiled for is Node 18 to 22."""
    node = shutil.which("node")
    if node is None:
        raise ServerMissing("Bluesky's PDS needs Node: sudo apt-get install nodejs npm")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if not 18 <= int(said.removeprefix("v").split(".")[0] or 0) <= 22:
        raise ServerMissing(f"Bluesky's PDS runs on Node 18 to 22, and this is {said or os.fspath(node)}")
    return node
