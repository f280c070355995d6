"""Uploads to real servers of their protocols: whole, broken off in the middle, and with the server killed."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.publishing.lone_context import client_of, context_of
from tests.platforms.posts import keep, post_of
from tests.platforms.world import HastyClock
from tests.servers.upload_servers import PeerTubeUploads, TusServer
from tests.services import private_server

from video_manager.plugins.api import Handle, PublisherContext
from video_manager.plugins.publishers.peertube import PeerTubeOptions, PeerTubePublisher
from video_manager.plugins.publishers.peertube_api import CHUNK_BYTES
from video_manager.plugins.publishers.vimeo_tus import TusUpload
from video_manager.publishing.context import Progress

SIZE = CHUNK_BYTES + CHUNK_BYTES // 2
PEERTUBE = PeerTubePublisher()


class Broken(Exception):
    """The upload was broken off on purpose."""


class Breaking(Progress):
    """Breaks the upload off when so much of it has gone."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self._at = at

    def report(self, fraction: float, stage: str) -> None:
        super().report(fraction, stage)
        if fraction >= self._at:
            raise Broken


@asynccontextmanager
async def context_in(
    folder: Path, handles: list[Handle], progress: Progress | None = None, earlier: Handle | None = None
) -> AsyncIterator[PublisherContext]:
    async with client_of() as http:
        yield context_of(
            folder, http, progress, save_handle=keep(handles), account={"channel_id": 1}, earlier=earlier,
            clock=HastyClock(),
        )  # fmt: skip


# ---- PeerTube's protocol ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peertube() -> Iterator[PeerTubeUploads]:
    with private_server(PeerTubeUploads) as server:
        yield server


async def _upload(
    server: PeerTubeUploads, folder: Path, id: str, handles: list[Handle], *, breaks_at: float = 2.0,
    earlier: Handle | None = None,
) -> dict[str, Any]:  # fmt: skip
    options = PeerTubeOptions(server=server.url, username="demo", password="demo")
    post = post_of(folder, SIZE, publication_id=id * 32)
    async with context_in(folder, handles, Breaking(breaks_at), earlier) as context:
        handle = await PEERTUBE.upload(post, options, context)
    video = await asyncio.to_thread(_video, server, handle["video"])
    assert video["sha256"] == post.video_sha256
    assert video["filename"] == f"{id * 32}.mp4"
    return video


def _video(server: PeerTubeUploads, id: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{server.url}/api/v1/videos/{id}").json()
    return found


def _starts(server: PeerTubeUploads) -> list[str]:
    """Where the parts began that were sent, newest upload last."""
    lines = [line.split() for line in server.log_lines() if line.startswith("PUT")]
    return [line[3].partition("-")[0] for line in lines]


async def test_a_video_arrives_by_uploadx(peertube: PeerTubeUploads, tmp_path: Path) -> None:
    await _upload(peertube, tmp_path, "a", [])
    assert _starts(peertube)[-2:] == [str(number * CHUNK_BYTES) for number in range(2)]


@pytest.mark.parametrize("is_killed", [False, True], ids=["same server", "server killed"])
async def test_an_upload_by_uploadx_goes_on_where_it_broke_off(
    peertube: PeerTubeUploads, tmp_path: Path, is_killed: bool
) -> None:
    id, handles = ("c" if is_killed else "b"), list[Handle]()
    with pytest.raises(Broken):
        await _upload(peertube, tmp_path, id, handles, breaks_at=0.7)  # within the second part
    if is_killed:
        peertube.restart()
    before = len(_starts(peertube))
    await _upload(peertube, tmp_path, id, [], earlier=handles[-1])
    asked, first, *_ = _starts(peertube)[before:]
    assert asked.startswith("*")
    assert int(first) >= CHUNK_BYTES  # the first part had come, and is not sent again


async def test_an_upload_by_uploadx_that_had_not_begun_goes_on_at_its_start(
    peertube: PeerTubeUploads, tmp_path: Path
) -> None:
    handles: list[Handle] = []
    with pytest.raises(Broken):
        await _upload(peertube, tmp_path, "d", handles, breaks_at=0.0)
    await _upload(peertube, tmp_path, "d", [], earlier=handles[-1])


async def test_a_finished_upload_by_uploadx_is_found_and_not_sent_again(
    peertube: PeerTubeUploads, tmp_path: Path
) -> None:
    handles: list[Handle] = []
    first = await _upload(peertube, tmp_path, "e", handles)
    sent = len(_starts(peertube))
    again = await _upload(peertube, tmp_path, "e", [], earlier=handles[0])  # all that was saved is the session
    assert again["uuid"] == first["uuid"]
    assert _starts(peertube)[sent:] == [f"*/{SIZE}"]


# ---- tus ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tus() -> Iterator[TusServer]:
    with private_server(TusServer) as server:
        yield server


def _begin(server: TusServer) -> str:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(SIZE)}
    return str(httpx.post(f"{server.url}/files", headers=headers).headers["Location"])


async def _send(folder: Path, link: str, *, begun: bool, breaks_at: float = 2.0) -> bool:
    post = post_of(folder, SIZE)
    async with context_in(folder, [], Breaking(breaks_at)) as context:
        return await TusUpload(link, post.video, SIZE, context, "the tus server").send(begun=begun)


def _has_arrived(server: TusServer, link: str, folder: Path) -> bool:
    stored = server.folder / "files" / link.rpartition("/")[2]
    with stored.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == post_of(folder, SIZE).video_sha256


async def test_a_video_arrives_by_tus(tus: TusServer, tmp_path: Path) -> None:
    link = _begin(tus)
    assert await _send(tmp_path, link, begun=False)
    assert _has_arrived(tus, link, tmp_path)
    assert await _send(tmp_path, link, begun=True, breaks_at=0.0)  # there is nothing to send


@pytest.mark.parametrize("is_killed", [False, True], ids=["same server", "server killed"])
async def test_an_upload_by_tus_goes_on_where_it_broke_off(tus: TusServer, tmp_path: Path, is_killed: bool) -> None:
    link = _begin(tus)
    with pytest.raises(Broken):
        await _send(tmp_path, link, begun=False, breaks_at=0.5)
    if is_killed:
        tus.restart()
    assert await _send(tmp_path, link, begun=True)
    assert _has_arrived(tus, link, tmp_path)


async def test_an_address_that_is_gone_is_told(tus: TusServer, tmp_path: Path) -> None:
    assert not await _send(tmp_path, f"{tus.url}/files/none", begun=True)
