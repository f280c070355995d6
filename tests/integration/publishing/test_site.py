"""The public pages over HTTP: no sign-in, and counts that cannot be talked up."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import httpx
import pytest
from fastapi import FastAPI
from tests.fakes.clock import VirtualClock
from tests.integration.publishing.conftest import CONTENT, SITE, World, open_world

from video_manager.domain.metrics import Metric
from video_manager.domain.video import MediaRole
from video_manager.gateway.problems import install_problems
from video_manager.plugins.api import PublishedPost
from video_manager.plugins.collectors.site import SiteCollector, SiteCollectorOptions
from video_manager.publishing.routes import public_router

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def world(tmp_path: Path, clock: VirtualClock) -> AsyncIterator[World]:
    async with open_world(tmp_path, clock=clock) as opened:
        yield opened


@pytest.fixture
async def page_id(world: World) -> str:
    command = await world.command(
        channel=SITE, title="Ein <b>Tag</b>", description="Mehr: https://example.org/x?a=1&b=2"
    )
    await world.create(command)
    await world.run()
    return (await world.publication()).external_id or ""


Visitor = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def visitor(world: World) -> AsyncIterator[Visitor]:
    """Makes browsers, each with its own cookies."""
    app = FastAPI()
    install_problems(app)
    app.include_router(public_router(world.publishing.site))
    made: list[httpx.AsyncClient] = []

    def make(agent: str = BROWSER) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, base_url="http://testserver", headers={"User-Agent": agent})
        made.append(client)
        return client

    yield make
    for client in made:
        await client.aclose()


async def say(client: httpx.AsyncClient, page_id: str, **event: object) -> httpx.Response:
    return await client.post(f"/watch/{page_id}/events", json=event)


async def watch(client: httpx.AsyncClient, clock: VirtualClock, page_id: str, seconds: float) -> None:
    await client.get(f"/watch/{page_id}")
    assert (await say(client, page_id, kind="watch", seconds=0)).status_code == 204
    await clock.advance(seconds)
    assert (await say(client, page_id, kind="watch", seconds=seconds)).status_code == 204


async def test_the_pages_are_open_strict_and_complete(visitor: Visitor, page_id: str) -> None:
    someone = visitor()
    answer = await someone.get(f"/watch/{page_id}")
    assert answer.status_code == 200
    assert "Ein &lt;b&gt;Tag&lt;/b&gt;" in answer.text
    assert 'href="https://example.org/x?a=1&amp;b=2"' in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "set-cookie" not in (await someone.get(f"/watch/{page_id}")).headers
    assert f'href="/watch/{page_id}"' in (await someone.get("/watch")).text
    for name in ("watch.css", "watch.js", "icon.svg"):
        assert (await someone.get(f"/watch/assets/{name}")).status_code == 200
    for path in ("/watch/assets/pages.py", "/watch/assets/..%2fpages.py", "/watch/0000000000000000/video"):
        assert (await someone.get(path)).status_code == 404
    assert (await someone.get("/watch/0000000000000000")).status_code == 404
    assert (await someone.head(f"/watch/{page_id}")).status_code == 200


async def test_the_files_of_a_page(visitor: Visitor, page_id: str) -> None:
    someone = visitor()
    for name, role in (
        ("video", MediaRole.MASTER), ("video.mp4", MediaRole.MASTER), ("thumbnail", MediaRole.THUMBNAIL),
        ("thumbnail.jpg", MediaRole.THUMBNAIL), ("captions.vtt", MediaRole.CAPTIONS),
    ):  # fmt: skip
        answer = await someone.get(f"/watch/{page_id}/{name}")
        assert (answer.status_code, answer.content) == (200, CONTENT[role]), name
    part = await someone.get(f"/watch/{page_id}/video", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, CONTENT[MediaRole.MASTER][10:20])
    assert (await someone.get(f"/watch/{page_id}/video.exe")).status_code == 404


async def test_the_feed_lists_it(visitor: Visitor, page_id: str) -> None:
    answer = await visitor().get("/watch/feed.xml")
    root = ET.fromstring(answer.content)  # noqa: S314 - our own
    enclosure = root.find("./channel/item/enclosure")
    assert enclosure is not None
    assert enclosure.get("url") == f"http://127.0.0.1:8800/watch/{page_id}/video.mp4"
    assert enclosure.get("length") == str(len(CONTENT[MediaRole.MASTER]))


async def test_views_watch_time_and_likes_are_counted_once_a_visitor(
    visitor: Visitor, clock: VirtualClock, world: World, page_id: str
) -> None:
    first, second, third = visitor(), visitor(), visitor()
    await watch(first, clock, page_id, 5)
    await watch(first, clock, page_id, 5)
    await watch(second, clock, page_id, 2.5)
    await watch(third, clock, page_id, 20)
    answer = await say(first, page_id, kind="like", liked=True)
    assert answer.json() == {"liked": True, "likes": 1}
    await say(first, page_id, kind="like", liked=True)
    await say(second, page_id, kind="like", liked=True)
    await say(second, page_id, kind="like", liked=False)
    assert await world.publishing.site_counts.counts(page_id) == {"views": 2.0, "watch_seconds": 32.0, "likes": 1.0}
    assert 'aria-pressed="true"' in (await first.get(f"/watch/{page_id}")).text
    assert 'aria-pressed="false"' in (await second.get(f"/watch/{page_id}")).text


async def test_the_counts_cannot_be_talked_up(
    visitor: Visitor, clock: VirtualClock, world: World, page_id: str
) -> None:
    liar, bot, stranger = visitor(), visitor("curl/8.1"), visitor()
    await watch(liar, clock, page_id, 0)
    for _ in range(10):
        await say(liar, page_id, kind="watch", seconds=3600)
    await watch(bot, clock, page_id, 10)
    await say(stranger, page_id, kind="watch", seconds=0)  # without our cookie: it gets one, and is not counted
    assert await world.publishing.site_counts.counts(page_id) == {"views": 0.0, "watch_seconds": 0.0, "likes": 0.0}
    await clock.advance(4)
    await say(liar, page_id, kind="watch", seconds=3600)
    assert await world.publishing.site_counts.counts(page_id) == {"views": 1.0, "watch_seconds": 14.0, "likes": 0.0}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b'"watch"', b"{}", b'{"kind":"watch"}', b'{"kind":"watch","seconds":-1}',
        b'{"kind":"watch","seconds":NaN}', b'{"kind":"watch","seconds":Infinity}', b'{"kind":"watch","seconds":1e9}',
        b'{"kind":"watch","seconds":"5"}', b'{"kind":"watch","seconds":1,"views":9}', b'{"kind":"like","liked":1}',
        b'{"kind":"view"}', b"\xff\xfe", b"{" * 500,
    ],
)  # fmt: skip
async def test_nonsense_is_refused(visitor: Visitor, page_id: str, body: bytes) -> None:
    someone = visitor()
    await someone.get(f"/watch/{page_id}")
    answer = await someone.post(f"/watch/{page_id}/events", content=body)
    assert answer.status_code == 422


async def test_large_foreign_and_too_many_events_are_refused(
    visitor: Visitor, clock: VirtualClock, page_id: str
) -> None:
    someone = visitor()
    await someone.get(f"/watch/{page_id}")
    address = f"/watch/{page_id}/events"
    assert (await someone.post(address, content=b" " * 2000)).status_code == 413
    event = {"kind": "watch", "seconds": 0}
    foreign = await someone.post(address, json=event, headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert (await someone.post("/watch/0000000000000000/events", json=event)).status_code == 404
    answers = [(await someone.post(address, json=event)).status_code for _ in range(65)]
    assert answers == [204] * 60 + [429] * 5
    await clock.advance(60)
    assert (await someone.post(address, json=event)).status_code == 204


async def test_the_index_is_paged(visitor: Visitor, world: World, clock: VirtualClock) -> None:
    for number in range(26):
        await world.create(await world.command(id=f"{number:032}", channel=SITE, title=f"Nummer {number}"))
        await clock.advance(1)
        await world.run()
    someone = visitor()
    first = (await someone.get("/watch")).text
    assert "Nummer 25" in first
    assert "Nummer 1<" not in first
    following = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = (await someone.get(following)).text
    assert "Nummer 1<" in second
    assert "Nummer 0<" in second
    assert "Nummer 25<" not in second
    assert (await someone.get("/watch?cursor=nonsense")).status_code == 422


async def test_the_collector_brings_the_numbers_back(
    visitor: Visitor, clock: VirtualClock, world: World, page_id: str
) -> None:
    await watch(visitor(), clock, page_id, 7)
    collector, now = SiteCollector(), clock.now()
    posts = [PublishedPost("p", page_id, now), PublishedPost("gone", "0" * 16, now)]
    context = SimpleNamespace(site_counts=world.publishing.site_counts)
    payloads = await collector.collect(posts, SiteCollectorOptions(), context)  # type: ignore[arg-type]
    assert set(payloads) == {"p"}
    snapshot = collector.read("p", json.loads(json.dumps(payloads["p"])), now)
    assert snapshot.values == {Metric.VIEWS: 1, Metric.WATCH_SECONDS: 7, Metric.LIKES: 0}


async def test_deleting_a_page_frees_its_files(world: World, page_id: str, visitor: Visitor) -> None:
    await world.publishing.shelves.remove(page_id)
    assert {file.id async for file in world.files.list()} == {"file-master", "file-thumbnail", "file-captions"}
    assert (await visitor().get(f"/watch/{page_id}")).status_code == 404
    assert await world.publishing.site_counts.counts(page_id) is None


COUNTING = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.integration.publishing.conftest import open_world

async def main():
    async with open_world(Path(sys.argv[1])) as world:
        page = await world.publishing.site.page(sys.argv[2])
        for number in range(40):
            await world.publishing.site.like(page, f"{number:032x}", "a", liked=True)
            print(number, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_an_answered_beacon_survives_kill_9(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await world.create(await world.command(channel=SITE))
        await world.run()
        page_id = (await world.publication()).external_id or ""
    done = subprocess.run(  # noqa: ASYNC221 - a child process of the test
        [sys.executable, "-c", COUNTING, str(tmp_path), page_id], cwd=REPOSITORY, capture_output=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr.decode()
    async with open_world(tmp_path) as world:
        counts = await world.publishing.site_counts.counts(page_id)
        assert counts is not None
        assert counts["likes"] == len(done.stdout.split()) == 40
