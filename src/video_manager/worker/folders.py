"""Work folders: one for each attempt, removed after it, and swept when their owner was killed."""

import asyncio
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_LOCK_NAME = ".owner"


class WorkFolders:
    """Folders below `root`. Each holds a lock that lives as long as its owner, so that several processes may share
    the root, and what a killed one left behind can be told from what is in use."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[Path]:
        """An empty folder, named for people."""
        folder, lock = await asyncio.to_thread(self._make, name)
        try:
            yield folder
        finally:
            await asyncio.shield(asyncio.to_thread(_remove, folder, lock))

    async def sweep(self) -> int:
        """Remove folders whose owner is gone; returns how many."""
        return await asyncio.to_thread(self._sweep)

    def _make(self, name: str) -> tuple[Path, int]:
        self._root.mkdir(parents=True, exist_ok=True)
        safe = re.sub(r"[^A-Za-z0-9.-]", "_", name)[:80].lstrip(".") or "work"
        # Locked before it gets its place, so that no sweep can take it for an abandoned one.
        folder = Path(tempfile.mkdtemp(prefix=f".{safe}-", dir=self._root))
        lock = os.open(folder / _LOCK_NAME, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        placed = folder.with_name(folder.name.removeprefix("."))
        folder.rename(placed)
        work = placed / "work"
        work.mkdir()
        return work, lock

    def _sweep(self) -> int:
        if not self._root.is_dir():
            return 0
        return sum(_remove_if_abandoned(folder) for folder in self._root.iterdir() if folder.is_dir())


def _remove(work: Path, lock: int) -> None:
    try:
        shutil.rmtree(work.parent, ignore_errors=True)
    finally:
        os.close(lock)


def _remove_if_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK_NAME, os.O_RDWR)
    except FileNotFoundError:
        if folder.name.startswith("."):
            return False  # somebody is making it this moment
        shutil.rmtree(folder, ignore_errors=True)
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        shutil.rmtree(folder, ignore_errors=True)
        return True
    finally:
        os.close(lock)
