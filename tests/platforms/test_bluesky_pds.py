"""Bluesky against its own server (PDS): the bytes arrive as they are, and there is one post, whoever races or dies."""

import asyncio
import hashlib
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.publishing.lone_context import FixedAccess, client_of, context_of
from tests.platforms.killing import answer_lost, check, killed
from tests.platforms.posts import keep, post_of
from tests.platforms.racing import race
from tests.platforms.real_bluesky import RealAccount, case_of, new_account
from tests.servers.bluesky_pds import BlueskyPDS
from tests.services import private_server

from video_manager.errors import ActionRequiredError, RetryableError
from video_manager.fakes import bluesky as fake
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served
from video_manager.media.ffmpeg_binary import ffmpeg_path
from video_manager.plugins.api import Answer, Published, Token
from video_manager.plugins.publishers.bluesky import BlueskyOptions, BlueskyPublisher
from video_manager.publishing.context import PublishingContext

pytestmark = pytest.mark.timeout(1200)
"""The first test of a new checkout fetches the server and compiles a part of it: minutes on a busy machine."""

MB = 10**6
CALLS = 4


class Renewing(FixedAccess):
    """An access token that is renewed as soon as it is refused."""

    async def token(self, renew: Any, refused: str | None) -> str:
        if refused is not None:
            self.kept = await self.fresh()
        return self.kept

    fresh: Callable[[], Awaitable[str]]


@dataclass
class Visitor:
    """The publisher as one account's, without the ledger."""

    account: RealAccount
    folder: Path
    http: httpx.AsyncClient
    publisher: BlueskyPublisher = field(default_factory=BlueskyPublisher)

    @property
    def options(self) -> BlueskyOptions:
        account = self.account
        return BlueskyOptions(handle=account.handle, app_password=account.app_password, service=account.server)

    def context(self, access: FixedAccess | None = None) -> PublishingContext:
        facts = {"did": self.account.did, "handle": self.account.handle, "pds": self.account.server}
        return context_of(self.folder, self.http, save_handle=keep([]), account=facts, access=access)

    async def session(self) -> str:
        return (await self.publisher.renew(None, self.options, self.context())).access

    async def signed_in(self) -> PublishingContext:
        return self.context(FixedAccess(await self.session()))


@pytest.fixture
async def visitor(account: RealAccount, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with client_of() as http:
        yield Visitor(account, tmp_path, http)


@pytest.fixture(scope="module")
def pds() -> Iterator[str]:
    with private_server(BlueskyPDS) as server:
        yield server.url


@pytest.fixture
def account(pds: str) -> RealAccount:
    return new_account(pds)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A second of real video."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=180x320:rate=30:duration=1", "-pix_fmt", "yuv420p"]
    subprocess.run([ffmpeg_path(), "-v", "error", *source, str(path)], check=True)
    return path.read_bytes()


def video_of(clip: bytes, size: int, path: Path) -> Path:
    """A real MP4 of that size: what it lacks is a box that players pass over."""
    rest = size - len(clip)
    noise = hashlib.shake_256(b"video").digest(rest - 8)
    path.write_bytes(clip + rest.to_bytes(4) + b"free" + noise)
    return path


@pytest.mark.parametrize("size", [2 * MB, pytest.param(45 * MB, marks=pytest.mark.long)])
async def test_a_video_arrives_as_it_is(visitor: Visitor, clip: bytes, size: int, tmp_path: Path) -> None:
    post = post_of(tmp_path, video=video_of(clip, size, tmp_path / "video.mp4"), captions=b"WEBVTT\n\n")
    publisher, options, account = visitor.publisher, visitor.options, visitor.account
    context = await visitor.signed_in()

    connected = await publisher.connect(options, context)
    assert (connected.id, connected.name) == (account.did, account.handle)
    handle = await publisher.upload(post, options, context)
    assert account.records() == []
    assert (await publisher.ask(post, handle, options, context)).answer is Answer.ABSENT
    published = await publisher.publish(post, handle, options, context)

    (record,) = account.records()
    assert record["uri"] == published.external_id
    video = record["value"]["embed"]["video"]
    assert account.blob(record["value"]["embed"]["captions"][0]["file"]["ref"]["$link"]) == b"WEBVTT\n\n"
    assert (video["size"], video["mimeType"]) == (size, "video/mp4")
    assert hashlib.sha256(account.blob(video["ref"]["$link"])).hexdigest() == post.video_sha256
    asked = await publisher.ask(post, handle, options, context)
    assert (asked.answer, asked.published) == (Answer.PUBLISHED, published)

    await publisher.delete(published.external_id, options, context)
    await publisher.delete(published.external_id, options, context)
    assert account.records() == []


async def test_eight_that_race_make_one_post(visitor: Visitor, clip: bytes, tmp_path: Path) -> None:
    post = post_of(tmp_path, video=video_of(clip, 2 * MB, tmp_path / "video.mp4"))
    publisher, options = visitor.publisher, visitor.options
    contexts = [await visitor.signed_in() for _ in range(8)]
    handles = await asyncio.gather(*(publisher.upload(post, options, context) for context in contexts))
    ends = await asyncio.gather(
        *(publisher.publish(post, handle, options, context) for handle, context in zip(handles, contexts, strict=True)),
        return_exceptions=True,
    )
    made = [end for end in ends if isinstance(end, Published)]
    assert len(made) == 1, ends
    assert all(type(end) is RetryableError for end in ends if end is not made[0]), ends
    for handle, context in zip(handles, contexts, strict=True):
        assert (await publisher.ask(post, handle, options, context)).published == made[0]
    assert len(visitor.account.records()) == 1


@pytest.mark.long
async def test_eight_uploaders_that_take_each_other_for_dead_make_one_post(
    account: RealAccount, tmp_path: Path
) -> None:
    [ended] = await race(tmp_path, case_of(account, 2 * MB), 8)
    check(ended, remembers=True)


def _points() -> Iterator[Any]:
    for number in range(1, CALLS + 1):
        for when in ("before", "after"):
            marks = [] if (number, when) == (CALLS, "after") else [pytest.mark.long]
            yield pytest.param(number, when, marks=marks, id=f"{when} {number}")


@pytest.mark.parametrize(("number", "when"), list(_points()))
async def test_a_killed_uploader_makes_one_post(
    account: RealAccount, number: int, when: str, tmp_path: Path
) -> None:  # fmt: skip
    check(await killed(tmp_path, case_of(account, 2 * MB), number, when), remembers=True)


@pytest.mark.parametrize("acted", [True, False])
async def test_a_lost_answer_makes_one_post(account: RealAccount, acted: bool, tmp_path: Path) -> None:
    check(await answer_lost(tmp_path, case_of(account, 2 * MB), "createRecord", acted=acted), remembers=True)


async def test_a_session_is_renewed_and_a_new_one_begun_only_after_it(visitor: Visitor) -> None:
    publisher, options, context = visitor.publisher, visitor.options, visitor.context()
    first = await publisher.renew(None, options, context)
    second = await publisher.renew(first, options, context)
    assert second.refresh != first.refresh
    assert first.expires_at is not None
    hours = (first.expires_at - context.now()).total_seconds() / 3600
    assert 1.9 < hours < 2.1
    third = await publisher.renew(Token("gone", refresh="gone"), options, context)
    assert third.refresh not in (first.refresh, second.refresh)
    with pytest.raises(ActionRequiredError, match="make a new one and enter it"):
        await publisher.renew(None, options.model_copy(update={"app_password": "another-one"}), context)


async def test_a_call_whose_session_is_over_is_made_again(visitor: Visitor) -> None:
    """The server says so with 400."""
    access = Renewing("a.b.c")
    access.fresh = visitor.session
    connected = await visitor.publisher.connect(visitor.options, visitor.context(access))
    assert connected.id == visitor.account.did


async def test_the_fake_refuses_as_the_server_does(account: RealAccount, tmp_path: Path) -> None:
    real = await _refusals(account.server, account.did, account.handle, account.app_password)
    network = FakeNetwork([fake.BlueskyFake])
    with served(network) as gateway:
        faked = await _refusals(f"{gateway}/bsky.social", fake.DID, fake.HANDLE, fake.APP_PASSWORD)
    assert faked == real


async def _refusals(server: str, did: str, handle: str, password: str) -> dict[str, tuple[int, str]]:
    """What a server says to calls that are wrong: status and error."""
    found: dict[str, tuple[int, str]] = {}
    async with httpx.AsyncClient(base_url=f"{server}/xrpc/", timeout=60) as client:

        async def call(name: str, verb: str, method: str, token: str | None = None, **request: Any) -> Any:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            answer = await client.request(verb, method, headers={**headers, **request.pop("headers", {})}, **request)
            found[name] = (answer.status_code, str(answer.json().get("error", "")))
            return answer.json()

        sign_in = "com.atproto.server.createSession"
        await call("wrong password", "POST", sign_in, json={"identifier": handle, "password": "no"})
        session = await call("right password", "POST", sign_in, json={"identifier": handle, "password": password})
        token, refresh = session["accessJwt"], session["refreshJwt"]
        await call("no token", "GET", "com.atproto.server.getSession")
        await call("wrong token", "GET", "com.atproto.server.getSession", "a.b.c")
        await call("renewed", "POST", "com.atproto.server.refreshSession", refresh)
        upload = "com.atproto.repo.uploadBlob"
        blob = (await call("blob", "POST", upload, token, content=b"0", headers={"Content-Type": "video/mp4"}))["blob"]
        large = b"0" * (50 * 2**20 + 1)
        await call("large blob", "POST", upload, token, content=large, headers={"Content-Type": "video/mp4"})

        def record(**changes: Any) -> dict[str, Any]:
            embed = {"$type": "app.bsky.embed.video", "video": {**blob, **changes.pop("blob", {})}}
            made = {"$type": "app.bsky.feed.post", "text": "x", "createdAt": "2026-11-23T02:00:00.000Z", "embed": embed}
            return made | changes

        async def create(name: str, key: str, **changes: Any) -> None:
            given = {"repo": did, "collection": "app.bsky.feed.post", "rkey": key, "record": record(**changes)}
            await call(name, "POST", "com.atproto.repo.createRecord", token, json=given)

        await create("wrong key", "not-a-tid")
        await create("long text", "3zzzzzzzzzzz2", text="x" * 301)
        await create("long by graphemes only in bytes", "3zzzzzzzzzzz3", text="👩‍👩‍👧‍👦" * 150)
        await create("no instant", "3zzzzzzzzzzz2", createdAt="yesterday")
        await create("unknown blob", "3zzzzzzzzzzz2", embed=record(blob={"ref": {"$link": _OTHER}})["embed"])
        await create("wrong size", "3zzzzzzzzzzz2", embed=record(blob={"size": 2})["embed"])
        await create("first", "3zzzzzzzzzzz2")
        await create("second", "3zzzzzzzzzzz2")
        there = {"repo": did, "collection": "app.bsky.feed.post", "rkey": "3zzzzzzzzzzz2"}
        await call("there", "GET", "com.atproto.repo.getRecord", params=there)
        await call("deleted", "POST", "com.atproto.repo.deleteRecord", token, json=there)
        await call("deleted again", "POST", "com.atproto.repo.deleteRecord", token, json=there)
        await call("gone", "GET", "com.atproto.repo.getRecord", params=there)
    return found


_OTHER = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
