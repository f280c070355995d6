"""Work folders below the data folder."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from video_manager.ports import WorkFolder


def work_folders(root: Path) -> WorkFolder:
    """Folders below `root`, on the file store's file system, so that results can be moved instead of copied."""

    @asynccontextmanager
    async def work_folder(name: str) -> AsyncIterator[Path]:
        folder = await asyncio.to_thread(_make, root, name)
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    return work_folder


def _make(root: Path, name: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60]
    return Path(tempfile.mkdtemp(prefix=f"{safe}.", dir=root))
