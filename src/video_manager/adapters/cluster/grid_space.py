"""How much room files take, and whether there is any left."""

import time
from typing import Any

from video_manager.adapters.cluster.grid_layout import Collection, Grid
from video_manager.errors import StorageFull
from video_manager.ports import StorageUse

_TRUSTED_SECONDS = 5.0
"""What other processes have written is measured so often while this one writes."""
_DISK_SHARE = 0.02
"""Of the time: the server adds up all its collections to answer how full its disk is, longer the more there is."""
_SHOWN_SECONDS = 1.0
"""Measuring reads the documents of all files, some 5 ms a thousand; every request for a video asks for it."""


class Space:
    """`quota_bytes` limits what files, unfinished uploads and unfinished writes of all processes take together. Another
    process that writes at the same time is seen with a delay of seconds, so they may go over it by what they write in
    that time."""

    def __init__(self, grid: Grid, quota_bytes: int | None, process: Any) -> None:
        self._grid = grid
        self._quota_bytes = quota_bytes
        self._process = process
        self._files = 0
        self._stored_bytes = 0
        self._disk_free_bytes: int | None = None
        self._disk_asked_again_at = float("-inf")
        self._measured_at = float("-inf")
        self._shown_at = float("-inf")
        self._under_way: dict[Any, int] = {}
        self._changes = 0
        self._own_files = 0
        self._own_bytes = 0

    async def use(self) -> StorageUse:
        """At most a second old where others write. What this process has done is always in it; what it does at the very
        moment of measuring may count twice for that second. How full the disk is, is as old as asking it is slow."""
        if time.monotonic() - self._shown_at > _SHOWN_SECONDS:
            changes = self._changes
            await self._measure()
            if time.monotonic() > self._disk_asked_again_at:
                await self._ask_disk()
            self._shown_at = self._measured_at if changes == self._changes else float("-inf")
        free_bytes = self._disk_free_bytes
        if self._quota_bytes is not None:
            left_bytes = max(0, self._quota_bytes - self._used_bytes)
            free_bytes = left_bytes if free_bytes is None else min(free_bytes, left_bytes)
        return StorageUse(max(0, self._files), self._used_bytes, free_bytes)

    def changed(self) -> None:
        """To be called when this process has changed what there is, and nobody can say by how much."""
        self._changes += 1
        self._shown_at = float("-inf")

    async def _measure(self) -> None:
        """What this process does meanwhile is put on top: nobody knows whether the server has seen it."""
        began, own_files, own_bytes = time.monotonic(), self._own_files, self._own_bytes
        files, stored_bytes = await _sum(self._grid.files, "length")
        uploads_bytes = (await _sum(self._grid.uploads, "length"))[1]
        written = {"state": "writing", "process": {"$ne": self._process}}
        others_bytes = (await _sum(self._grid.writes, "bytes", written))[1]
        self._files = files + self._own_files - own_files
        self._stored_bytes = stored_bytes + uploads_bytes + others_bytes + self._own_bytes - own_bytes
        self._measured_at = began

    async def take(self, what: str, key: Any, size_bytes: int) -> None:
        """Before writing so many bytes under the key. Raises StorageFull."""
        self._under_way[key] = self._under_way.get(key, 0) + size_bytes
        quota = self._quota_bytes
        if quota is None:
            return
        if time.monotonic() - self._measured_at > _TRUSTED_SECONDS or self._used_bytes > quota:
            await self._measure()
        if self._used_bytes > quota:
            self._under_way[key] -= size_bytes
            raise StorageFull(
                f"no space left for {what!r}: {self._used_bytes / 1e6:.1f} MB of the {quota / 1e6:.1f} MB that videos "
                "may take are used; delete videos or raise the quota"
            )

    def stored(self, key: Any, size_bytes: int, *, files: int) -> None:
        """So many of the bytes taken are in an upload, or in so many new files, where measuring finds them."""
        self._under_way[key] = self._under_way.get(key, 0) - size_bytes
        self._count(files, size_bytes)

    def removed(self, files: int, size_bytes: int) -> None:
        """So many files of this size together are gone."""
        self._count(-files, -size_bytes)

    def end(self, key: Any) -> None:
        """Of a write; what was taken and not stored is free again."""
        self._under_way.pop(key, None)

    def _count(self, files: int, size_bytes: int) -> None:
        self._files += files
        self._stored_bytes += size_bytes
        self._own_files += files
        self._own_bytes += size_bytes

    @property
    def _used_bytes(self) -> int:
        return max(0, self._stored_bytes + sum(self._under_way.values()))

    async def _ask_disk(self) -> None:
        """How much is free on the disk of the server, where it says so."""
        began = time.monotonic()
        stats = await self._grid.database.command("dbStats")
        ended = time.monotonic()
        self._disk_asked_again_at = ended + (ended - began) / _DISK_SHARE
        total, used = stats.get("fsTotalSize"), stats.get("fsUsedSize")
        self._disk_free_bytes = None if not total or used is None else max(0, int(total - used))


async def _sum(collection: Collection, field: str, where: dict[str, Any] | None = None) -> tuple[int, int]:
    """How many documents, and the sum of a field."""
    group = {"_id": None, "count": {"$sum": 1}, "sum": {"$sum": f"${field}"}}
    found = await (await collection.aggregate([{"$match": where or {}}, {"$group": group}])).to_list()
    return (found[0]["count"], found[0]["sum"]) if found else (0, 0)
