"""Mastodon against what a real server of release 4.7.3 answered: the publisher understands it, and the fake answers in
the same shape."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from tests.integration.publishing.lone_context import client_of, context_of
from tests.platforms.posts import keep, post_of
from tests.platforms.recorded_mastodon import Recorded, recorded

from video_manager.fakes import mastodon as fake
from video_manager.fakes.network import Fake, FakeNetwork
from video_manager.fakes.serving import served
from video_manager.plugins.api import Answer, Asked
from video_manager.plugins.publishers.mastodon import MastodonOptions, MastodonPublisher
from video_manager.publishing.context import PublishingContext

VIDEO = "test_media_post[False]"
OPTIONS = MastodonOptions(server=f"https://{fake.HOST}", access_token=fake.TOKEN)


def differences(real: Any, faked: Any, where: str = "") -> list[str]:
    """Where the two have other fields or types. What is null in one of them is not judged, nor an empty list."""
    if real is None or faked is None:
        return []
    if isinstance(real, dict) and isinstance(faked, dict):
        odd = [f"{where}.{name}" for name in sorted(real.keys() ^ faked.keys())]
        both = sorted(real.keys() & faked.keys())
        return odd + [one for name in both for one in differences(real[name], faked[name], f"{where}.{name}")]
    if isinstance(real, list) and isinstance(faked, list):
        return differences(real[0], faked[0], f"{where}[0]") if real and faked else []
    numbers = isinstance(real, int | float) and isinstance(faked, int | float) and bool not in (type(real), type(faked))
    return [] if numbers or type(real) is type(faked) else [f"{where}: {real!r} and {faked!r}"]


def test_differences_are_seen() -> None:
    assert differences({"a": 1, "b": [{"c": None}]}, {"a": 1.5, "b": [{"c": "x"}]}) == []
    assert differences({"a": 1, "b": []}, {"a": True, "c": []}) == [".b", ".c", ".a: 1 and True"]
    assert differences([{"a": {"b": "x"}}], [{"a": {"b": 1}}]) == ["[0].a.b: 'x' and 1"]


async def test_the_fake_answers_in_the_shape_of_a_real_server() -> None:
    uploaded, ready, posted, deleted = recorded(VIDEO)
    (me, *_), (app,), (instance,) = (
        recorded(f"test_{name}") for name in ("verify_credentials", "app_verify_credentials", "instance")
    )
    scheduled, moved, planned, one, taken_back, none = recorded("test_scheduled_status")[:6]
    network = FakeNetwork([fake.MastodonFake])
    with served(network) as gateway:
        headers = {"Authorization": f"Bearer {fake.TOKEN}"}
        async with httpx.AsyncClient(base_url=f"{gateway}/{fake.HOST}", headers=headers) as client:

            async def same(one: Recorded, path: str | None = None, **request: Any) -> dict[str, Any]:
                answer = await client.request(one.method, path or one.path, **request)
                body: dict[str, Any] = answer.json()
                assert answer.status_code == one.status
                assert differences(one.body, body) == []
                return body

            await same(me)
            await same(app)
            await same(instance)
            files = {"file": ("video.mp4", b"MP4", "video/mp4")}
            media = await same(uploaded, files=files, data={"description": "me when a cat", "focus": "-0.5,0.3"})
            path = f"/api/v1/media/{media['id']}"
            while (await client.get(path)).status_code == 206:
                pass
            await same(ready, path)
            given = {"status": "LOL check this out", "sensitive": "0", "media_ids[]": [media["id"]]}
            status = await same(posted, data=given)
            assert (await client.get(path)).status_code == 404
            await same(deleted, f"/api/v1/statuses/{status['id']}")
            later = {"status": "headroom", "sensitive": "0", "scheduled_at": "4000-01-01T14:33:14+00:00"}
            made = await same(scheduled, data=later)
            path = f"/api/v1/scheduled_statuses/{made['id']}"
            await same(moved, path, data={"scheduled_at": "4000-01-01T14:23:14+00:00"})
            await same(planned)
            await same(one, path)
            await same(taken_back, path)
            assert await same(none) == none.body


async def test_media_that_belong_to_a_post_are_refused_as_a_real_server_does() -> None:
    refused, gone = recorded("test_status_delete_media")[6:8]
    assert (refused.status, gone.status) == (422, 404)
    network = FakeNetwork([fake.MastodonFake])
    with served(network) as gateway:
        headers = {"Authorization": f"Bearer {fake.TOKEN}"}
        async with httpx.AsyncClient(base_url=f"{gateway}/{fake.HOST}", headers=headers) as client:
            answer = await client.post(refused.path, data={"status": "x", "media_ids[]": ["1"]})
            assert (answer.status_code, answer.json().keys()) == (422, refused.body.keys())
            answer = await client.delete("/api/v1/statuses/1")
            assert (answer.status_code, answer.json()) == (404, gone.body)


class Replayed(Fake):
    """Answers what was recorded, call by call."""

    name: ClassVar[str] = "mastodon"
    hosts: ClassVar[tuple[str, ...]] = (fake.HOST,)

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.left: list[Recorded] = []

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])]

    async def _answer(self, request: Request) -> Response:
        async for _piece in request.stream():
            pass
        one = self.left.pop(0)
        if (request.method, request.url.path.removeprefix("/" + fake.HOST)) != (one.method, one.path):
            return JSONResponse({"error": f"recorded was {one.method} {one.path}, not {request.url.path}"}, 500)
        return JSONResponse(one.body, one.status)


async def _replay(answers: Sequence[Recorded], use: Any) -> Any:
    network = FakeNetwork([Replayed])
    replayed = network.fakes["mastodon"]
    assert isinstance(replayed, Replayed)
    replayed.left = list(answers)
    with served(network) as gateway:
        found = await use(gateway)
    assert replayed.left == []
    return found


async def test_the_publisher_understands_a_real_server(tmp_path: Path) -> None:
    uploaded, ready, posted, deleted = recorded(VIDEO)
    (me, *_), (app,), (instance,) = (
        recorded(f"test_{name}") for name in ("verify_credentials", "app_verify_credentials", "instance")
    )
    listed = Recorded("GET", f"/api/v1/accounts/{me.body['id']}/statuses", 200, [posted.body])
    publisher, post = MastodonPublisher(), post_of(tmp_path)

    async def use(gateway: str) -> None:
        async with client_of(gateway) as http:
            await calls(context_of(tmp_path, http, save_handle=keep([]), account={"id": me.body["id"]}))

    async def calls(context: PublishingContext) -> None:
        connected = await publisher.connect(OPTIONS, context)
        assert (connected.name, connected.id) == ("@mastodonpy_test@localhost:3000", me.body["id"])
        limits = ("characters", "characters_of_url", "video_bytes", "video_pixels", "video_frames_per_second")
        assert [connected.facts[name] for name in limits] == [500, 23, 103_809_024, 8_294_400, 120]
        assert "video/mp4" in connected.facts["video_types"]
        handle = await publisher.upload(post, OPTIONS, context)
        assert handle["media_id"] == uploaded.body["id"]
        published = await publisher.publish(post, handle, OPTIONS, context)
        assert (published.external_id, published.url) == (posted.body["id"], posted.body["url"])
        asked = await publisher.ask(post, handle, OPTIONS, context)
        assert (asked.answer, asked.published) == (Answer.PUBLISHED, published)
        await publisher.delete(published.external_id, OPTIONS, context)

    await _replay((me, app, instance, uploaded, ready, posted, listed, deleted), use)


async def test_the_publisher_understands_a_real_servers_schedule(tmp_path: Path) -> None:
    """Recorded was a post without a video: the video's id is put in where the source of the server has it."""
    scheduled, _, planned, _, taken_back, none = recorded("test_scheduled_status")[:6]
    (shown,) = planned.body
    with_video = {**shown, "params": {**shown["params"], "media_ids": ["7"]}}
    planned = Recorded("GET", planned.path, 200, [with_video])
    posts = Recorded("GET", "/api/v1/accounts/5/statuses", 200, [])
    publisher, post, handle = MastodonPublisher(), post_of(tmp_path), {"media_id": "7", "key": "k"}
    at = datetime.fromisoformat(scheduled.body["scheduled_at"])

    async def use(gateway: str) -> None:
        async with client_of(gateway) as http:
            context = context_of(tmp_path, http, save_handle=keep([]), account={"id": "5"})
            await publisher.hand_over(post, handle, at, OPTIONS, context)
            asked = await publisher.ask(post, handle, OPTIONS, context)
            assert asked == Asked(Answer.PENDING, detail=f"Mastodon posts it at {shown['scheduled_at']}")
            assert (await publisher.recall(post, handle, OPTIONS, context)).answer is Answer.ABSENT

    await _replay((none, scheduled, posts, planned, planned, taken_back), use)
