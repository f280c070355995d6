"""The bytes of one PATCH: in larger pieces, no more than announced, and checked where a checksum came along."""

import asyncio
import base64
import binascii
import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO

from starlette.requests import ClientDisconnect, Request

from video_manager.errors import StorageFull, TooLarge
from video_manager.gateway.upload_errors import ChecksumMismatch, SenderTooSlow, UnknownChecksum

PIECE_BYTES = 2**20
SILENCE_SECONDS = 30.0
"""A sender that is silent for so long is believed gone: its upload must not stay locked."""

ALGORITHMS = ("sha1", "sha256")
"""The tus protocol asks for sha1 at least."""

_IN_MEMORY_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Checksum:
    algorithm: str
    digest: bytes

    @classmethod
    def read(cls, header: str) -> "Checksum":
        """From `Upload-Checksum: sha256 BASE64`. Raises UnknownChecksum."""
        algorithm, _, text = header.strip().partition(" ")
        if algorithm not in ALGORITHMS:
            raise UnknownChecksum(f"checksum {algorithm!r} is not supported; use one of {', '.join(ALGORITHMS)}")
        try:
            return cls(algorithm, base64.b64decode(text.strip(), validate=True))
        except binascii.Error as error:
            raise UnknownChecksum("Upload-Checksum must be the algorithm, a space, and the digest in base64") from error


async def body_of(request: Request, silence_seconds: float = SILENCE_SECONDS) -> AsyncIterator[bytes]:
    """The body in pieces of about PIECE_BYTES. A connection that breaks ends it like a shorter body, so that what
    came is kept. Raises SenderTooSlow after giving out what came."""
    stream = request.stream()
    waiting = bytearray()
    silent = False
    while True:
        try:
            async with asyncio.timeout(silence_seconds):
                waiting += await anext(stream)
        except (StopAsyncIteration, ClientDisconnect):
            break
        except TimeoutError:
            silent = True
            break
        if len(waiting) >= PIECE_BYTES:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
    if silent:
        raise SenderTooSlow(f"nothing came for {silence_seconds:.0f} seconds; what came is kept, continue from there")


async def at_most(chunks: AsyncIterator[bytes], limit_bytes: int, name: str) -> AsyncIterator[bytes]:
    """Raises TooLarge instead of giving out more."""
    left = limit_bytes
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise TooLarge(f"more bytes came for {name!r} than its Upload-Length announced; they are not stored")
        yield chunk


async def checked(chunks: AsyncIterator[bytes], checksum: Checksum) -> AsyncIterator[bytes]:
    """The same bytes, the first of them after the last has come and all were right: a file of its own holds them
    meanwhile, since what is appended to an upload cannot be taken back. Raises ChecksumMismatch, StorageFull."""
    digest = hashlib.new(checksum.algorithm, usedforsecurity=False)
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as spool:
        async for chunk in chunks:
            digest.update(chunk)
            await _write(spool, chunk)
        if digest.digest() != checksum.digest:
            raise ChecksumMismatch("the bytes do not match Upload-Checksum; none of them is stored, send them again")
        spool.seek(0)
        while piece := await asyncio.to_thread(spool.read, PIECE_BYTES):
            yield piece


async def _write(spool: IO[bytes], chunk: bytes) -> None:
    try:
        await asyncio.to_thread(spool.write, chunk)
    except OSError as error:
        raise StorageFull(
            f"no space left for checking the bytes ({error.strerror}); free some, or send without checksums"
        ) from error
