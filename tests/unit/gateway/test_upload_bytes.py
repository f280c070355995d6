import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request
from starlette.types import Message

from video_manager.errors import TooLarge
from video_manager.gateway.upload import clean_content_type, clean_file_name
from video_manager.gateway.upload_bytes import PIECE_BYTES, Checksum, at_most, body_of, checked
from video_manager.gateway.upload_errors import ChecksumMismatch, SenderTooSlow, UnknownChecksum


def request(*messages: Message) -> Request:
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.sleep(60)
        return waiting.pop(0)

    return Request({"type": "http", "method": "PATCH", "headers": []}, receive)


def part(body: bytes, more: bool = True) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def collect(chunks: AsyncIterator[bytes]) -> list[bytes]:
    return [chunk async for chunk in chunks]


async def test_small_pieces_become_larger_ones() -> None:
    pieces = [part(bytes(65536)) for _ in range(40)] + [part(b"", more=False)]
    sizes = [len(chunk) for chunk in await collect(body_of(request(*pieces)))]
    assert sizes == [PIECE_BYTES, PIECE_BYTES, 40 * 65536 - 2 * PIECE_BYTES]


async def test_what_came_before_a_break_is_given_out() -> None:
    assert await collect(body_of(request(part(b"abc"), {"type": "http.disconnect"}))) == [b"abc"]


async def test_what_came_before_a_silence_is_given_out() -> None:
    body = body_of(request(part(b"abc")), silence_seconds=0.05)
    assert await anext(body) == b"abc"
    with pytest.raises(SenderTooSlow):
        await anext(body)


async def _two() -> AsyncIterator[bytes]:
    yield b"abc"
    yield b"def"


async def test_no_more_than_announced() -> None:
    assert await collect(at_most(_two(), 6, "clip")) == [b"abc", b"def"]
    short = at_most(_two(), 5, "clip")
    assert await anext(short) == b"abc"
    with pytest.raises(TooLarge):
        await anext(short)


async def test_checked_bytes_come_all_or_none() -> None:
    right = base64.b64encode(hashlib.sha256(b"abcdef").digest()).decode()
    assert b"".join(await collect(checked(_two(), Checksum.read(f"sha256 {right}")))) == b"abcdef"
    with pytest.raises(ChecksumMismatch):
        await anext(checked(_two(), Checksum.read("sha256 " + base64.b64encode(b"x" * 32).decode())))


@pytest.mark.parametrize("header", ["", "md5 abcd", "sha256 ???", "sha256abc"])
def test_unknown_checksums(header: str) -> None:
    with pytest.raises(UnknownChecksum):
        Checksum.read(header)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "passwd"),
        ("a\x00b\u202e.mp4", "ab.mp4"),
        ("", "file"),
        ("dir/", "file"),
        ("x" * 500, "x" * 200),
    ],
)
def test_names(name: str, clean: str) -> None:
    assert clean_file_name(name) == clean


@pytest.mark.parametrize(
    ("given", "name", "clean"),
    [
        ("Video/MP4; codecs=x", "a", "video/mp4"),
        (None, "a.png", "image/png"),
        ("<script>", "a.mov", "video/quicktime"),
        (None, "a", "application/octet-stream"),
    ],
)
def test_types(given: str | None, name: str, clean: str) -> None:
    assert clean_content_type(given, name) == clean
