"""Resumable uploads, by a client library of others and by hand, through real and breaking connections."""

import asyncio
import base64
import hashlib
import io
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.integration.gateway.server import served, until
from tests.integration.gateway.world import World, started_world
from tusclient.client import TusClient

from video_manager.domain.access import Actor, Role
from video_manager.errors import Conflict, NotFound
from video_manager.gateway.upload import HANDOVER
from video_manager.settings import Settings

PRODUCER = Actor(id=f"key-{Role.PRODUCER}", name="key producer", role=Role.PRODUCER)
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}


def some_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


async def stored_bytes(world: World, id: str) -> bytes:
    return b"".join([chunk async for chunk in world.files.read(id)])


async def announce(client: httpx.AsyncClient, size: int, name: str = "clip.mp4", **headers: str) -> str:
    metadata = "filename " + base64.b64encode(name.encode()).decode()
    sent = TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata} | headers
    answer = await client.post("/api/v1/uploads", headers=sent)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def patch(client: httpx.AsyncClient, url: str, offset: int, body: Any, **headers: str) -> httpx.Response:
    sent = PIECE | {"Upload-Offset": str(offset)} | {key.replace("_", "-"): value for key, value in headers.items()}
    return await client.patch(url, content=body, headers=sent)


async def offset_of(client: httpx.AsyncClient, url: str) -> int:
    answer = await client.head(url, headers=TUS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


async def test_a_foreign_client_library_sends_a_file(world: World) -> None:
    content = some_bytes(3_500_000)
    name = "Zürich lake.mov"

    def send(base: str) -> str:
        client = TusClient(f"{base}/api/v1/uploads", {"Authorization": f"Bearer {world.keys[Role.PRODUCER]}"})
        uploader = client.uploader(
            file_stream=io.BytesIO(content), chunk_size=1_000_000, upload_checksum=True,
            metadata={"filename": name, "filetype": "video/quicktime"},
        )  # fmt: skip
        uploader.upload()
        return str(uploader.url).rsplit("/", 1)[1]

    async with served(world) as base:
        id = await asyncio.to_thread(send, base)
    file = await world.parts.uploads.completed_file(id)
    assert (file.name, file.content_type, file.size_bytes) == (name, "video/quicktime", len(content))
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert await stored_bytes(world, id) == content


async def test_a_file_is_the_result_of_one_job(world: World) -> None:
    """The first job's end deletes it: named for a second one, that would lose its video."""
    async with world.client(Role.WORKER) as client:
        url = await announce(client, 4)
        assert (await patch(client, url, 0, b"data")).status_code == 204
    id, uploads = url.rsplit("/", 1)[1], world.parts.uploads
    for _ in range(2):  # the answer to the first may have been lost
        assert (await uploads.completed_file(id, result_of="a.1.render")).size_bytes == 4
    with pytest.raises(Conflict, match="in use already"):
        await uploads.completed_file(id, result_of="b.1.render")


async def test_a_connection_that_breaks_in_the_middle_is_resumed(world: World) -> None:
    content = some_bytes(6_000_000)
    async with served(world) as base, world.client(Role.PRODUCER) as quick:
        url = await announce(quick, len(content))
        sent = 0
        breaks = 0
        busy = world.parts.uploads._busy
        while sent < len(content):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.settings.port)
            head = f"PATCH {url} HTTP/1.1\r\nHost: {base[7:]}\r\nAuthorization: Bearer {world.keys[Role.PRODUCER]}\r\n"
            head += "Tus-Resumable: 1.0.0\r\nContent-Type: application/offset+octet-stream\r\n"
            head += f"Upload-Offset: {sent}\r\nContent-Length: {len(content) - sent}\r\n\r\n"
            writer.write(head.encode() + content[sent : sent + 1_700_000])
            await writer.drain()
            if sent + 1_700_000 >= len(content):
                assert b" 204 " in await reader.readline()
                writer.close()
                break
            await until(lambda: bool(busy))
            writer.transport.abort()
            breaks += 1
            # The server keeps what came, and lets go of the upload when it notices.
            await until(lambda: not busy)
            sent = await offset_of(quick, url)
    assert breaks >= 2
    assert await stored_bytes(world, url.rsplit("/", 1)[1]) == content


async def test_discovery(world: World) -> None:
    async with world.client(Role.PRODUCER) as client:
        answer = await client.options("/api/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(world.settings.max_upload_bytes)
    assert {"creation", "creation-with-upload", "termination", "expiration", "checksum"} == set(
        answer.headers["tus-extension"].split(",")
    )
    assert "sha256" in answer.headers["tus-checksum-algorithm"]


async def test_the_first_bytes_may_come_with_the_announcement(world: World) -> None:
    content = some_bytes(1000)
    async with world.client(Role.PRODUCER) as client:
        sent = PIECE | {"Upload-Length": "1000"}
        answer = await client.post("/api/v1/uploads", headers=sent, content=content[:600])
        assert (answer.status_code, answer.headers["upload-offset"]) == (201, "600")
        assert answer.headers["upload-expires"].endswith("GMT")
        url = answer.headers["location"]
        assert (await patch(client, url, 600, content[600:])).status_code == 204
        facts = (await client.get(url)).json()
    assert facts["offset_bytes"] == 1000
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()


async def test_wrong_offsets_versions_types_and_lengths(world: World) -> None:
    async with world.client(Role.PRODUCER) as client:
        url = await announce(client, 100)
        assert (await patch(client, url, 5, b"x")).status_code == 409
        wrong = await patch(client, url, 0, b"x", Tus_Resumable="0.2.2")
        assert (wrong.status_code, wrong.headers["tus-version"]) == (412, "1.0.0")
        assert wrong.headers["content-type"] == "application/problem+json"
        assert (await patch(client, url, 0, b"x", Content_Type="video/mp4")).status_code == 415
        assert (await client.patch(url, headers=PIECE, content=b"x")).status_code == 422
        assert (await patch(client, url, 0, b"x" * 101)).status_code == 413
        assert (await client.head("/api/v1/uploads/unknown", headers=TUS)).status_code == 404
        for length, status in (("0", 422), ("-1", 422), ("many", 422), (str(2**50), 413)):
            answer = await client.post("/api/v1/uploads", headers=TUS | {"Upload-Length": length})
            assert answer.status_code == status
            assert answer.headers["tus-resumable"] == "1.0.0"
        bad = TUS | {"Upload-Length": "5", "Upload-Metadata": "filename ???"}
        assert (await client.post("/api/v1/uploads", headers=bad)).status_code == 422


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
async def test_checksums(world: World, algorithm: str) -> None:
    content = some_bytes(5_000_000)
    right = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    async with world.client(Role.PRODUCER) as client:
        url = await announce(client, len(content))
        damaged = await patch(client, url, 0, content[:-1] + b"?", Upload_Checksum=f"{algorithm} {right}")
        assert (damaged.status_code, damaged.json()["code"]) == (460, "checksum_mismatch")
        assert await offset_of(client, url) == 0
        assert (await patch(client, url, 0, content, Upload_Checksum="md5 eA==")).status_code == 400
        assert (await patch(client, url, 0, content, Upload_Checksum=f"{algorithm} {right}")).status_code == 204
        assert await offset_of(client, url) == len(content)


async def test_two_connections_at_once_are_told_apart(world: World) -> None:
    go_on = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b"a" * 50
        await go_on.wait()
        yield b"b" * 50

    async with served(world) as base, world.client(Role.PRODUCER) as quick:
        url = await announce(quick, 100)
        async with httpx.AsyncClient(base_url=base, headers=quick.headers) as slow:
            first = asyncio.create_task(patch(slow, url, 0, slowly()))
            await until(lambda: bool(world.parts.uploads._busy))
            answer = await patch(quick, url, 0, b"")
            assert answer.status_code == 423
            assert answer.headers["retry-after"] == "1"
            assert (await quick.delete(url)).status_code == 423
            go_on.set()
            assert (await first).status_code == 204
        assert (await quick.get(url)).json()["completed_at"]


async def test_patch_may_come_as_post(world: World) -> None:
    async with world.client(Role.PRODUCER) as client:
        url = await announce(client, 3)
        headers = PIECE | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
        assert (await client.post(url, headers=headers, content=b"abc")).status_code == 204
        assert await offset_of(client, url) == 3


async def test_uploads_belong_to_their_sender(world: World) -> None:
    async with world.client(Role.PRODUCER) as owner, world.client(Role.REVIEWER) as other:
        url = await announce(owner, 10)
        for answer in (
            await other.head(url, headers=TUS), await patch(other, url, 0, b"x"), await other.delete(url),
            await other.get(url),
        ):  # fmt: skip
            assert answer.status_code == 404
        async with world.client(Role.ADMIN) as admin:
            assert (await admin.get(url)).status_code == 200
        async with world.client(Role.VIEWER) as viewer:
            assert (await viewer.get("/api/v1/uploads")).status_code == 403
        assert [item["name"] for item in (await owner.get("/api/v1/uploads")).json()["items"]] == ["clip.mp4"]
        assert (await other.get("/api/v1/uploads")).json()["items"] == []


async def test_giving_up_frees_the_space(world: World) -> None:
    async with world.client(Role.PRODUCER) as client:
        url = await announce(client, 2_000_000)
        assert (await patch(client, url, 0, some_bytes(1_500_000))).status_code == 204
        assert (await world.files.use()).used_bytes >= 1_500_000
        assert (await client.delete(url, headers=TUS)).status_code == 204
        assert (await client.head(url, headers=TUS)).status_code == 404
    assert (await world.files.use()).used_bytes == 0


async def test_names_and_types_are_cleaned(world: World) -> None:
    async with world.client(Role.PRODUCER) as client:
        url = await announce(client, 3, "C:\\secret\\..\\my\n clip.webm")
        facts = (await client.get(url)).json()
    assert (facts["name"], facts["content_type"]) == ("my clip.webm", "video/webm")


async def test_a_repeated_announcement_is_the_same_upload(world: World) -> None:
    async with world.client(Role.PRODUCER) as client:
        once = await announce(client, 10, **{"Idempotency-Key": "k1"})
        again = await announce(client, 10, **{"Idempotency-Key": "k1"})
        assert once == again
        changed = TUS | {"Upload-Length": "11", "Idempotency-Key": "k1"}
        assert (await client.post("/api/v1/uploads", headers=changed)).status_code == 409


async def test_no_room(settings: Settings) -> None:
    async with (
        started_world(settings.model_copy(update={"min_free_bytes": 2**60})) as world,
        world.client(Role.PRODUCER) as client,
    ):
        answer = await client.post("/api/v1/uploads", headers=TUS | {"Upload-Length": "10"})
    assert answer.status_code == 507
    assert "delete videos first" in answer.json()["detail"]


async def test_a_disk_that_fills_up_in_between(settings: Settings) -> None:
    settings = settings.model_copy(update={"storage_quota_bytes": 3_000_000, "min_free_bytes": 0})
    async with started_world(settings) as world, world.client(Role.PRODUCER) as client:
        one, two = await announce(client, 2_900_000), await announce(client, 2_900_000)
        assert (await patch(client, one, 0, some_bytes(2_000_000))).status_code == 204
        full = await patch(client, two, 0, some_bytes(2_900_000))
        assert (full.status_code, full.json()["code"]) == (507, "storage_full")
        kept = await offset_of(client, two)
        assert (await client.delete(one)).status_code == 204
        assert (await patch(client, two, kept, some_bytes(2_900_000)[kept:])).status_code == 204
        assert await stored_bytes(world, two.rsplit("/", 1)[1]) == some_bytes(2_900_000)


# ---- crashes: the states a killed process can leave -----------------------------------------------------------


async def test_bytes_stored_but_not_noted(world: World) -> None:
    content = some_bytes(1000)

    async def chunks(part: bytes) -> AsyncIterator[bytes]:
        yield part

    async with world.client(Role.PRODUCER) as client:
        url = await announce(client, 1000)
        id = url.rsplit("/", 1)[1]
        await world.files.append(id, 0, chunks(content[:400]))
        assert await offset_of(client, url) == 400
        await world.files.append(id, 400, chunks(content[400:]))
        assert (await world.parts.uploads.completed_file(id)).sha256 == hashlib.sha256(content).hexdigest()
        assert (await client.get(url)).json()["completed_at"]


@pytest.mark.parametrize("asked_by", ["head", "patch", "service"])
async def test_file_complete_but_not_noted(world: World, asked_by: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 10

    async with world.client(Role.PRODUCER) as client:
        url = await announce(client, 10)
        id = url.rsplit("/", 1)[1]
        await world.files.append(id, 0, chunks())
        await world.files.complete(id, id)
        if asked_by == "head":
            assert await offset_of(client, url) == 10
        elif asked_by == "patch":
            assert (await patch(client, url, 10, b"")).status_code == 204
        else:
            assert (await world.parts.uploads.completed_file(id)).size_bytes == 10
        facts = (await client.get(url)).json()
    assert facts["completed_at"]
    assert facts["sha256"] == hashlib.sha256(b"x" * 10).hexdigest()


# ---- lifetimes ------------------------------------------------------------------------------------------------


async def test_what_nobody_continues_goes(settings: Settings) -> None:
    settings = settings.model_copy(update={"upload_expiry_hours": 0.3 / 3600})
    async with started_world(settings) as world, world.client(Role.PRODUCER) as client:
        url = await announce(client, 10)
        assert (await patch(client, url, 0, b"12345")).status_code == 204
        await asyncio.sleep(0.4)
        assert (await client.head(url, headers=TUS)).status_code == 410
        assert (await patch(client, url, 5, b"6")).status_code == 410
        assert await world.parts.uploads.sweep() == 1
        assert (await client.head(url, headers=TUS)).status_code == 404
        assert (await world.files.use()).used_bytes == 0


async def test_a_finished_file_that_no_video_uses_goes(settings: Settings) -> None:
    settings = settings.model_copy(update={"upload_expiry_hours": 0.3 / 3600})
    async with started_world(settings) as world, world.client(Role.PRODUCER) as client:
        uploads = world.parts.uploads
        url = await announce(client, 5)
        await patch(client, url, 0, b"12345")
        id = url.rsplit("/", 1)[1]
        assert await uploads.references([id]) == [id]
        assert await uploads.sweep() == 0
        await asyncio.sleep(0.4)
        assert await uploads.references([id]) == []
        assert await uploads.sweep() == 1
        assert await world.files.stat(id) is None


async def test_a_file_in_use_stays_until_its_user_forgets_it(settings: Settings) -> None:
    settings = settings.model_copy(update={"upload_expiry_hours": 0.3 / 3600})
    async with started_world(settings) as world, world.client(Role.PRODUCER) as client:
        uploads = world.parts.uploads
        url = await announce(client, 5)
        with pytest.raises(Conflict):
            await uploads.completed_file(url.rsplit("/", 1)[1])
        await patch(client, url, 0, b"12345")
        id = url.rsplit("/", 1)[1]
        await uploads.completed_file(id)
        assert await uploads.references([id]) == [id], "while it is handed over"
        assert (await client.delete(url)).status_code == 409
        await asyncio.sleep(0.4)
        assert await uploads.sweep() == 0
        assert await world.files.stat(id) is not None
        await uploads.forget(id)
        assert await world.files.stat(id) is None
        with pytest.raises(NotFound):
            await uploads.completed_file(id)
    assert timedelta(seconds=1) < HANDOVER < timedelta(minutes=1)
