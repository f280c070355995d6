"""Bytes as they arrive at a fake platform: counted and hashed, never kept, so that a large file needs no memory."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request


@dataclass
class Arrived:
    """A file that comes in parts, in order."""

    size_bytes: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)

    def add(self, piece: bytes) -> None:
        self._hash.update(piece)
        self.size_bytes += len(piece)

    def copy(self) -> "Arrived":
        """As it is now: what comes to one of the two is not in the other."""
        return Arrived(self.size_bytes, self._hash.copy())

    @property
    def sha256(self) -> str:
        return str(self._hash.hexdigest())


async def take(request: Request, arrived: Arrived, most_bytes: int | None = None) -> int:
    """The request's body, added as it comes; how many bytes it had. More than `most_bytes` raises ValueError, and what
    came until then stays: as on a platform whose connection breaks half-way."""
    taken = 0
    async for piece in request.stream():
        if most_bytes is not None and taken + len(piece) > most_bytes:
            raise ValueError(f"more than {most_bytes} bytes")
        arrived.add(piece)
        taken += len(piece)
    return taken
