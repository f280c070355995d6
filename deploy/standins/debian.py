"""Folders with a Debian 13 in them, made by debootstrap and kept for the next time."""

import os
import shutil
from pathlib import Path

from standins.commands import run

RELEASE = "trixie"


def make_root(folder: Path, packages: tuple[str, ...]) -> Path:
    """A folder with these packages installed and none of them started. One that was not finished is made anew."""
    done = folder.with_name(f"{folder.name}.packages")
    if done.is_file() and done.read_text() == " ".join(packages):
        return folder
    done.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    run("debootstrap", "--variant=minbase", "--include=ca-certificates", RELEASE, str(folder))
    policy = folder / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "-qq", "install", "-y", "--no-install-recommends")
    run("mount", "-t", "proc", "proc", str(folder / "proc"))
    try:
        run("chroot", str(folder), *install, *packages, environment=environment)
    finally:
        run("umount", str(folder / "proc"))
    for useless in ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(folder / useless, ignore_errors=True)
        (folder / useless).mkdir()
    done.write_text(" ".join(packages))
    return folder
