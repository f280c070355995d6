"""The Docker engine and compose of Debian 13, run out of a folder, where the machine has no engine that answers."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from standins.commands import run
from standins.debian import make_root

PACKAGES = ("docker.io", "docker-cli", "docker-compose", "iptables")
_START_SECONDS = 60
_STOP_SECONDS = 30
_SCRIPT = """
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/run"
mkdir -p "$1/run/engine" "$1/var/lib/docker" "$1/$4" "$1/old"
mount --bind "$2" "$1/var/lib/docker"
mount --bind "$3" "$1/run/engine"
mount --bind "$4" "$1/$4"
cd "$1"
pivot_root . old
umount -l /old
exec dockerd --host unix:///run/engine/docker.sock
"""
"""Its own root, and not only a chroot: the engine makes its root read-only for a moment while it unpacks."""


@dataclass(frozen=True)
class Engine:
    """How to call its two programs."""

    docker: tuple[str, ...]
    compose: tuple[str, ...]
    is_ours: bool


@contextmanager
def engine(folder: Path, shared: Path) -> Iterator[Engine]:
    """One that answers is taken as it is; else one is started, which sees `shared` as well. As root only. Raises
    SystemExit."""
    found = Engine(("docker",), ("docker", "compose"), is_ours=False)
    if shutil.which("docker") and _succeeds(*found.docker, "info") and _succeeds(*found.compose, "version"):
        yield found
        return
    root, socket = make_root(folder / "engine", PACKAGES), folder / "socket"
    for needed in (socket, folder / "data"):
        needed.mkdir(parents=True, exist_ok=True)
    os.environ["DOCKER_HOST"] = f"unix://{socket}/docker.sock"
    compose = root / "usr/libexec/docker/cli-plugins/docker-compose"
    ours = Engine((str(root / "usr/bin/docker"),), (str(compose),), is_ours=True)
    with (folder / "engine.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            ["unshare", "--mount", "sh", "-c", _SCRIPT, "engine", root, folder / "data", socket, shared],  # noqa: S607 - of the system
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _succeeds(*ours.docker, "info"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the Docker engine does not start:\n{(folder / 'engine.log').read_text()[-3000:]}")
            time.sleep(0.5)
        yield ours
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _succeeds(*command: str) -> bool:
    try:
        run(*command)
    except SystemExit:
        return False
    return True
