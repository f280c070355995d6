"""Meta's fake is strict: what the real one refuses, it refuses too."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from video_manager.fakes import meta
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served
from video_manager.plugins.publishers import facebook, instagram

GRAPH = "graph.facebook.com/v26.0"
BYTES = b"MP4 " * 100


@dataclass
class Caller:
    """Calls the fake with a token of its Page."""

    client: httpx.AsyncClient
    fake: meta.MetaFake
    token: str

    async def __call__(
        self, method: str, path: str, *, scheme: str = "Bearer", headers: dict[str, str] | None = None, **request: Any
    ) -> tuple[int, Any]:
        signed = {"Authorization": f"{scheme} {self.token}", **(headers or {})}
        answer = await self.client.request(method, f"/{path}", headers=signed, **request)
        return answer.status_code, answer.json()

    async def container(self) -> tuple[str, str]:
        """A new one, and the path of its bytes."""
        fields = {"media_type": "REELS", "upload_type": "resumable", "caption": "Am Meer"}
        _, made = await self("POST", f"{GRAPH}/{meta.ACCOUNT}/media", data=fields)
        return made["id"], made["uri"].removeprefix("https://")

    async def send(self, path: str, content: bytes = BYTES, offset: int = 0, scheme: str = "OAuth") -> tuple[int, Any]:
        headers = {"offset": str(offset), "file_size": str(len(BYTES))}
        return await self("POST", path, scheme=scheme, headers=headers, content=content)

    async def finished(self) -> str:
        id, path = await self.container()
        await self.send(path)
        while (await self("GET", f"{GRAPH}/{id}?fields=status_code"))[1]["status_code"] != "FINISHED":
            pass
        return id

    async def publish(self, id: str) -> tuple[int, Any]:
        return await self("POST", f"{GRAPH}/{meta.ACCOUNT}/media_publish", data={"creation_id": id})


@pytest.fixture
async def call() -> AsyncIterator[Caller]:
    network = FakeNetwork([meta.MetaFake])
    fake = cast("meta.MetaFake", network.fakes["meta"])
    with served(network) as gateway:
        async with httpx.AsyncClient(base_url=gateway, trust_env=False) as client:
            yield Caller(client, fake, fake.page_token(meta.PAGE, {*instagram.NEEDED, *facebook.NEEDED}))


def error_of(answer: tuple[int, Any]) -> tuple[int, int, int | None]:
    status, body = answer
    return status, body["error"]["code"], body["error"].get("error_subcode")


async def test_the_bytes_want_the_word_oauth(call: Caller) -> None:
    _, path = await call.container()
    status, body = await call.send(path, scheme="Bearer")
    assert (status, body["debug_info"]["message"]) == (401, "unauthorized user request")


@pytest.mark.parametrize("offset", [1, 399, 400])
async def test_the_offset_must_be_the_number_of_bytes_that_are_there(call: Caller, offset: int) -> None:
    _, path = await call.container()
    status, body = await call.send(path, BYTES[offset:] or b"x", offset)
    assert (status, body["debug_info"]["type"]) == (400, "OffsetInvalidError")


async def test_bytes_that_are_there_are_not_taken_again(call: Caller) -> None:
    _, path = await call.container()
    assert (await call.send(path))[0] == 200
    assert (await call.send(path))[1]["debug_info"]["type"] == "OffsetInvalidError"


async def test_a_container_is_not_published_before_it_is_finished(call: Caller) -> None:
    id, path = await call.container()
    assert error_of(await call.publish(id)) == (400, 9007, 2207027)
    await call.send(path)
    assert error_of(await call.publish(id)) == (400, 9007, 2207027)
    assert error_of(await call.publish("17890000000000000")) == (400, 24, 2207006)


async def test_a_second_call_is_a_second_post(call: Caller) -> None:
    id = await call.finished()
    first, second = await call.publish(id), await call.publish(id)
    assert {first[1]["id"], second[1]["id"]} == set(call.fake.posts)
    assert len(call.fake.public_posts("Am Meer")) == 2


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"media_type": "VIDEO"}, (400, 100, 2207023)),
        ({"upload_type": ""}, (400, 100, None)),
        ({"caption": "x" * 2201}, (400, 36004, 2207010)),
        ({"caption": "#a " * 31}, (400, 100, None)),
        ({"caption": "@a " * 21}, (400, 100, None)),
        ({"thumb_offset": "-1"}, (400, 1, 2207057)),
        ({"collaborators": '["a", "b", "c", "d"]'}, (400, 100, None)),
        ({"trial_params": '{"graduation_strategy": "SOON"}'}, (400, 100, None)),
        ({"privacy": "private"}, (400, 100, None)),
    ],
)
async def test_what_a_container_refuses(
    call: Caller, fields: dict[str, str], expected: tuple[int, int, int | None]
) -> None:
    usual = {"media_type": "REELS", "upload_type": "resumable", "caption": "Am Meer"}
    answer = await call("POST", f"{GRAPH}/{meta.ACCOUNT}/media", data={**usual, **fields})
    assert error_of(answer) == expected


async def test_what_finishing_a_reel_refuses(call: Caller) -> None:
    path = f"{GRAPH}/{meta.PAGE}/video_reels"
    _, begun = await call("POST", path, data={"upload_phase": "start"})
    finish = {"upload_phase": "finish", "video_id": begun["video_id"], "video_state": "PUBLISHED"}
    assert error_of(await call("POST", path, data=finish)) == (400, 6000, 1363030)
    await call.send(begun["upload_url"].removeprefix("https://"))
    for fields in ({"video_state": "PRIVATE"}, {"video_state": "SCHEDULED", "scheduled_publish_time": "1"},
                   {"video_id": "1"}, {"privacy": "private"}):  # fmt: skip
        assert error_of(await call("POST", path, data={**finish, **fields})) == (400, 100, None)
    assert error_of(await call("POST", path, data={"upload_phase": "transfer"})) == (400, 100, None)
    assert not call.fake.posts


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"graph.facebook.com/v3.0/{meta.PAGE}", (400, 2635, None)),
        (f"{GRAPH}/{meta.PAGE}?fields=id,secret", (400, 100, None)),
        (f"{GRAPH}/999", (400, 100, 33)),
        (f"{GRAPH}/{meta.OTHER_PAGE}", (400, 100, 33)),
        (f"{GRAPH}/{meta.PAGE}/videos", (400, 2500, None)),
    ],
)
async def test_what_reading_refuses(call: Caller, path: str, expected: tuple[int, int, int | None]) -> None:
    assert error_of(await call("GET", path)) == expected


async def test_a_token_is_worth_what_was_granted(call: Caller) -> None:
    call.token = call.fake.page_token(meta.PAGE, ["instagram_basic"])
    assert error_of(await call.publish("1")) == (403, 10, None)
    call.fake.desk.revoke(meta.PAGE)
    assert error_of(await call.publish("1")) == (400, 190, 463)


async def test_signing_in_gives_a_short_token_that_is_exchanged_for_a_long_one(call: Caller) -> None:
    query = {"client_id": "demo-client", "redirect_uri": "https://vm.example/oauth/instagram/callback",
             "state": "s", "scope": ",".join(instagram.NEEDED), "response_type": "code", "decide": "allow"}  # fmt: skip
    back = await call.client.get("/www.facebook.com/v26.0/dialog/oauth", params=query)
    code = parse_qs(urlsplit(back.headers["Location"]).query)["code"][0]
    app = {"client_id": "demo-client", "client_secret": "demo-secret"}
    redeem = {**app, "grant_type": "authorization_code", "code": code, "redirect_uri": query["redirect_uri"]}
    status, short = await call("POST", f"{GRAPH}/oauth/access_token", data=redeem)
    assert (status, set(short), short["expires_in"]) == (200, {"access_token", "token_type", "expires_in"}, 3600)
    assert error_of(await call("POST", f"{GRAPH}/oauth/access_token", data=redeem)) == (400, 100, 36009)
    exchange = {**app, "grant_type": "fb_exchange_token", "fb_exchange_token": short["access_token"]}
    _, long = await call("POST", f"{GRAPH}/oauth/access_token", data=exchange)
    assert long["expires_in"] == 60 * 24 * 3600
    wrong = {**exchange, "client_secret": "guessed"}
    assert error_of(await call("POST", f"{GRAPH}/oauth/access_token", data=wrong)) == (400, 101, None)
