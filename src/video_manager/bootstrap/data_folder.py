"""The data folder: in the laptop profile one system at a time, and a note of where it is to be reached. In the cluster
profile it holds nothing that lasts, and processes may share it."""

import asyncio
import fcntl
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from video_manager.errors import SettingsError

WAIT_SECONDS = 5.0
"""How long a start waits for a command that is just using the folder."""
FORMAT = 1
"""Of the whole folder; the stores inside carry schema versions of their own."""


@asynccontextmanager
async def locked(data_dir: Path) -> AsyncIterator[None]:
    """Hold the folder for this process. The kernel lets go of the lock however the process ends.

    Raises SettingsError when another process has it, or when the folder cannot be used.
    """
    descriptor = _open(data_dir)
    try:
        await _take(descriptor, data_dir)
        _check_format(data_dir)
        yield
    finally:
        os.close(descriptor)


@asynccontextmanager
async def shared(data_dir: Path) -> AsyncIterator[None]:
    """Make the folder for work that does not last. Raises SettingsError when it cannot be used."""
    os.close(_open(data_dir))
    yield


def _open(data_dir: Path) -> int:
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(
            f"VIDEO_MANAGER_DATA_DIR: {data_dir} cannot be used ({error.strerror}); choose a folder you may write to"
        ) from error


async def _take(descriptor: int, data_dir: Path) -> None:
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() > deadline:
                raise SettingsError(
                    f"another video-manager uses the data folder {data_dir}: stop it, or choose another folder with "
                    "VIDEO_MANAGER_DATA_DIR"
                ) from None
            await asyncio.sleep(0.05)
        else:
            return


def _check_format(data_dir: Path) -> None:
    path = data_dir / "format"
    if not path.exists():
        path.write_text(f"{FORMAT}\n")
    found = path.read_text().strip()
    if found != str(FORMAT):
        raise SettingsError(f"{data_dir} was made by another release (format {found}, this one reads {FORMAT})")


def announce(data_dir: Path, url: str) -> None:
    """Write where this process listens, for the command line. Complete before it is visible."""
    path = data_dir / "server.json"
    made = path.with_suffix(".new")
    made.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    made.replace(path)


def withdraw(data_dir: Path) -> None:
    """The server is going."""
    (data_dir / "server.json").unlink(missing_ok=True)
