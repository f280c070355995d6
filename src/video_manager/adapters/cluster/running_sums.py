"""Checksums of unfinished uploads, as far as this process has received them itself."""

import hashlib
from collections import OrderedDict
from typing import Any

_KEPT = 256


class RunningSum:
    """The sha256 of the first `length_bytes` bytes."""

    def __init__(self) -> None:
        self.length_bytes = 0
        self._digest = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self._digest.update(data)
        self.length_bytes += len(data)

    def sha256(self) -> str:
        return self._digest.hexdigest()


class RunningSums:
    """Spares reading a large upload again when it is completed where all of it arrived. Forgets the oldest."""

    def __init__(self) -> None:
        self._sums: OrderedDict[Any, RunningSum] = OrderedDict()

    def take(self, key: Any, length_bytes: int) -> RunningSum | None:
        """For going on at `length_bytes`; None when part of that arrived elsewhere."""
        known = self._sums.pop(key, None)
        if length_bytes == 0:
            return RunningSum()
        return known if known is not None and known.length_bytes == length_bytes else None

    def keep(self, key: Any, running: RunningSum) -> None:
        self._sums[key] = running
        while len(self._sums) > _KEPT:
            self._sums.popitem(last=False)

    def forget(self, key: Any) -> None:
        self._sums.pop(key, None)
