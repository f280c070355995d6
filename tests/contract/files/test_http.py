"""Stored files over HTTP: ranges, conditions and caching are the same from every store."""

import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from tests.contract.files.streams import stream

from video_manager.errors import NotFound
from video_manager.ports import FileStore
from video_manager.web_files import ByteRange, Unsatisfiable, file_response, parse_range

BODY = bytes(range(256)) * 8192
SIZE = len(BODY)
ETAG = f'"{hashlib.sha256(BODY).hexdigest()}"'


@pytest.fixture
async def http(files: FileStore) -> AsyncIterator[httpx.AsyncClient]:
    await files.put("f", stream(BODY))
    await files.put("empty", stream(b""))
    app = FastAPI()

    @app.api_route("/{id}", methods=["GET", "HEAD"])
    async def get(id: str, request: Request, name: str | None = None) -> Response:
        return await file_response(files, id, request, "video/mp4", download_name=name)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
        yield client


async def test_the_whole_file(http: httpx.AsyncClient) -> None:
    answer = await http.get("/f")
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == ETAG
    assert answer.headers["content-type"] == "video/mp4"


async def test_one_range(http: httpx.AsyncClient) -> None:
    for header, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=100-", 100, SIZE),
        ("bytes=-5", SIZE - 5, SIZE),
        (f"bytes=-{SIZE * 2}", 0, SIZE),
        (f"bytes={SIZE - 1}-{SIZE + 99}", SIZE - 1, SIZE),
        ("bytes=1048000-1050000", 1048000, 1050001),
        (f"bytes=0-{'9' * 400}", 0, SIZE),
    ):
        answer = await http.get("/f", headers={"Range": header})
        assert (answer.status_code, answer.content) == (206, BODY[start:end]), header
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
        assert answer.headers["content-length"] == str(end - start)
        head = await http.head("/f", headers={"Range": header})
        assert (head.status_code, head.content) == (206, b"")
        assert head.headers == answer.headers


async def test_a_range_behind_the_end(http: httpx.AsyncClient) -> None:
    for header in (f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0", f"bytes={'9' * 400}-"):
        answer = await http.get("/f", headers={"Range": header})
        assert (answer.status_code, answer.content) == (416, b""), header
        assert answer.headers["content-range"] == f"bytes */{SIZE}"


async def test_what_is_no_single_range_gives_the_whole_file(http: httpx.AsyncClient) -> None:
    for header in ("items=0-5", "bytes=5-2", "bytes=a-b", "bytes=0-1,5-6", "bytes=", "bytes=-", "x"):
        answer = await http.get("/f", headers={"Range": header})
        assert (answer.status_code, len(answer.content)) == (200, SIZE), header


async def test_head_has_the_headers_without_the_bytes(http: httpx.AsyncClient) -> None:
    answer = await http.head("/f", headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (206, b"", "10")


async def test_known_bytes_are_not_sent_again(http: httpx.AsyncClient) -> None:
    first = await http.get("/f")
    for headers in (
        {"If-None-Match": ETAG}, {"If-None-Match": f'"x", W/{ETAG}'}, {"If-None-Match": "*"},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):  # fmt: skip
        answer = await http.get("/f", headers={**headers, "Range": "bytes=0-5"})
        assert (answer.status_code, answer.content) == (304, b"")
    for headers in (
        {"If-None-Match": '"other"', "If-Modified-Since": first.headers["last-modified"]},
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"}, {"If-Modified-Since": "yesterday"},
    ):  # fmt: skip
        assert (await http.get("/f", headers=headers)).status_code == 200
    assert (await http.get("/f", headers={"If-Match": '"other"'})).status_code == 412


async def test_a_part_only_of_the_bytes_one_has(http: httpx.AsyncClient) -> None:
    modified = (await http.get("/f")).headers["last-modified"]
    for condition, status in ((ETAG, 206), (modified, 206), ('"other"', 200), (f"W/{ETAG}", 200), ("nonsense", 200)):
        answer = await http.get("/f", headers={"Range": "bytes=0-9", "If-Range": condition})
        assert answer.status_code == status, condition


async def test_an_empty_file(http: httpx.AsyncClient) -> None:
    assert (await http.get("/empty")).status_code == 200
    assert (await http.get("/empty", headers={"Range": "bytes=0-"})).status_code == 416
    assert (await http.get("/empty", headers={"Range": "bytes=-5"})).status_code == 416


async def test_a_name_for_saving(http: httpx.AsyncClient) -> None:
    answer = await http.get("/f", params={"name": 'Größe "1"\r\nX: y.mp4'})
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Gr__e _1___X_ y.mp4\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22%0D%0AX%3A%20y.mp4"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_file_that_is_gone(http: httpx.AsyncClient) -> None:
    with pytest.raises(NotFound, match="gone"):
        await http.get("/nothing")


def test_a_range_by_itself() -> None:
    assert parse_range("bytes=1-2", 10) == ByteRange(1, 3)
    with pytest.raises(Unsatisfiable):
        parse_range("bytes=10-", 10)
