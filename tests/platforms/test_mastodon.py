"""Mastodon: what its errors ask for, what goes on after an interruption, and how a lost post is found."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.platforms.alone import Alone, alone
from tests.platforms.posts import post_of

from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    StillUploaded,
    WorkError,
)
from video_manager.fakes import mastodon as fake
from video_manager.fakes.network import Fault
from video_manager.plugins.api import Answer, Asked, Post, Published
from video_manager.plugins.publishers.mastodon import MastodonOptions, MastodonPublisher
from video_manager.plugins.publishers.mastodon_api import USUAL, characters, facts_of

POST = "POST .*/api/v1/statuses"
OPTIONS = MastodonOptions(server=f"https://{fake.HOST}/", access_token=fake.TOKEN)


class Lone(Alone):
    @property
    def fake(self) -> fake.MastodonFake:
        return self.fake_of(fake.MastodonFake)

    async def codes(self, post: Post) -> list[str]:
        return [one.code for one in await self.publisher.check(post, self.options, self.context())]

    def uploads(self) -> int:
        return len(self.calls(f"POST {fake.HOST}/api/v2/media"))


@pytest.fixture
async def lone(tmp_path: Path) -> AsyncIterator[Lone]:
    account = {"id": fake.ACCOUNT}
    async with alone(fake.MastodonFake, tmp_path, MastodonPublisher(), OPTIONS, kind=Lone, account=account) as found:
        yield found


# ---- connecting ---------------------------------------------------------------------------------------------


async def test_the_account_and_the_instances_limits_are_read(lone: Lone) -> None:
    account = await lone.publisher.connect(lone.options, lone.context())
    assert (account.name, account.id) == (f"@demo@{fake.HOST}", fake.ACCOUNT)
    assert account.url == f"https://{fake.HOST}/@demo"
    assert account.facts == USUAL | {"video_types": list(fake.VIDEO_TYPES), "description_characters": 10_000}


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        ({"read", "write", "profile"}, None),
        ({"profile", "read:statuses", "write:media", "write:statuses"}, None),
        ({"profile", "read", "write:media"}, "write:statuses"),
        ({"profile", "write"}, "read:statuses"),
    ],
)
async def test_the_scopes_are_checked(lone: Lone, granted: set[str], missing: str | None) -> None:
    lone.fake.tokens[fake.TOKEN] = granted
    if missing is None:
        await lone.publisher.connect(lone.options, lone.context())
        return
    with pytest.raises(ActionRequiredError, match=missing):
        await lone.publisher.connect(lone.options, lone.context())


async def test_a_token_that_is_not_taken_asks_the_person_and_is_not_repeated(lone: Lone) -> None:
    body = {"error": f"unknown: {fake.TOKEN}"}
    lone.network.faults.append(Fault("answer", "verify_credentials", status=401, body=body))
    with pytest.raises(ActionRequiredError, match="make a new access token") as raised:
        await lone.publisher.connect(lone.options, lone.context())
    assert fake.TOKEN not in raised.value.detail


def test_an_instance_is_reached_encrypted_only() -> None:
    with pytest.raises(ValidationError):
        MastodonOptions(server="http://a.example", access_token="12345678")


def test_an_instance_that_says_little_has_the_usual_limits() -> None:
    assert facts_of({}) == USUAL
    odd = {"configuration": {"statuses": {"max_characters": "many"}, "media_attachments": {"video_size_limit": -1}}}
    assert facts_of(odd) == USUAL
    assert facts_of({"configuration": {"statuses": {"max_characters": 5000}}})["characters"] == 5000


# ---- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, []),
        ({"title": "", "tags": (), "description": "x" * 500}, []),
        ({"title": "", "tags": (), "description": "x" * 501}, ["text_too_long"]),
        ({"title": "", "tags": (), "description": "x" * 500, "extra": {"spoiler_text": "!"}}, ["text_too_long"]),
        ({"video_bytes": 103_809_025}, ["too_large"]),
        ({"width": 2160, "height": 3840}, []),
        ({"width": 2160, "height": 3841}, ["picture_too_large"]),
        ({"frame_rate": "120/1"}, []),
        ({"frame_rate": "240000/1001"}, ["too_many_frames"]),
        ({"video_type": "video/x-matroska"}, ["wrong_type"]),
    ],
)
async def test_what_the_instance_would_refuse_is_said_before(
    lone: Lone, facts: dict[str, Any], codes: list[str], tmp_path: Path
) -> None:
    assert await lone.codes(post_of(tmp_path, **facts)) == codes
    lone.account |= {"characters": 5000, "video_bytes": 10**9, "video_pixels": 10**9, "video_frames_per_second": 1000}
    assert await lone.codes(post_of(tmp_path, **facts)) == [code for code in codes if code == "wrong_type"]
    assert lone.network.calls == []


@pytest.mark.parametrize(
    ("text", "length"),
    [("", 0), ("👩‍👩‍👧‍👦ä", 2), (f"https://a.example/{'x' * 200}", 23), ("@a@long.example b", 4), ("a@b.example", 11)],
)
def test_how_long_a_text_is(text: str, length: int) -> None:
    assert characters(text, 23) == length


# ---- uploading and posting ----------------------------------------------------------------------------------


async def test_the_post_says_what_people_chose(lone: Lone, tmp_path: Path) -> None:
    extra = {"visibility": "unlisted", "spoiler_text": "Wasser", "language": "en", "alt_text": "Wellen"}
    picture = tmp_path / "thumbnail.jpg"
    picture.write_bytes(b"JPEG")
    post = post_of(tmp_path, extra=extra, thumbnail=picture)
    handle = await lone.upload(post)
    assert lone.fake.posts == {}
    assert lone.handles == [handle]
    assert lone.access.spent == [("video uploads", 1), ("posts", 1)]
    published = await lone.publish(handle, post)
    (made,) = lone.fake.posts.values()
    assert (made.sha256, made.text) == (post.video_sha256, "Ein Tag am Meer\n\nAm Meer.\n\n#meer #sommer")
    status = made.extra["status"]
    assert (status["visibility"], status["spoiler_text"], status["language"]) == ("unlisted", "Wasser", "en")
    assert status["sensitive"]
    media = lone.fake.media[str(handle["media_id"])]
    assert (media["description"], media["thumbnail"]) == ("Wellen", True)
    assert (published.external_id, published.url, published.warning) == (made.id, status["url"], None)


async def test_bytes_that_have_arrived_are_not_sent_again(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    lone.network.faults.append(Fault("answer", "GET .*/media"))
    with pytest.raises(RetryableError):
        await lone.upload(post)
    handle = await lone.upload(post, earlier=lone.handles[-1])
    assert lone.uploads() == 1
    assert handle["media_id"] in lone.fake.media


async def test_a_video_that_is_not_known_any_more_is_sent_again(lone: Lone, tmp_path: Path) -> None:
    handle = await lone.upload(post_of(tmp_path), earlier={"media_id": "1"})
    assert lone.uploads() == 1
    assert handle["media_id"] != "1"


async def test_a_video_that_cannot_be_processed_fails(lone: Lone, tmp_path: Path) -> None:
    lone.fake.fails_processing = True
    with pytest.raises(PermanentError, match="Error processing"):
        await lone.upload(post_of(tmp_path))


async def test_a_post_whose_video_is_not_ready_is_a_later_time_in_any_language(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    handle = await lone.upload(post)
    lone.fake.media[str(handle["media_id"])]["polls"] = 0
    with pytest.raises(NotPublished) as raised:
        await lone.publish(handle, post)
    assert type(raised.value.cause) is StillUploaded


async def test_the_same_post_sent_again_within_the_hour_is_the_same(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    handle = await lone.upload(post)
    assert await lone.publish(handle, post) == await lone.publish(handle, post)
    assert len(lone.fake.posts) == 1


async def test_a_post_that_was_made_less_public_is_told(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    handle = await lone.upload(post)
    body = {"id": "7", "url": None, "uri": "https://a.example/7", "visibility": "unlisted"}
    lone.network.faults.append(Fault("answer", POST, status=200, body=body))
    published = await lone.publish(handle, post)
    assert published == Published("7", "https://a.example/7", "Mastodon made it unlisted, and public was asked for")


# ---- what its answers ask for -------------------------------------------------------------------------------


def _refusals() -> Iterator[Any]:
    certain = [
        (400, PermanentError), (401, ActionRequiredError), (403, ActionRequiredError), (404, PermanentError),
        (413, PermanentError), (422, PermanentError), (429, LimitReached),
    ]  # fmt: skip
    for status, kind in certain:
        yield pytest.param(status, kind, True, id=str(status))
    for status in (500, 502, 503, 504):
        yield pytest.param(status, RetryableError, False, id=str(status))


@pytest.mark.parametrize(("status", "kind", "certain"), list(_refusals()))
async def test_what_a_refused_post_asks_for(lone: Lone, status: int, kind: type[WorkError], certain: bool) -> None:
    fault = Fault("answer", POST, status=status, body={"error": "in the server's own words"})
    cause, is_certain = await lone.refused_with(await lone.upload(), fault)
    assert is_certain is certain
    assert type(cause) is kind
    assert "in the server's own words" in cause.detail


async def test_the_limit_of_uploads_is_a_later_time(lone: Lone, tmp_path: Path) -> None:
    for _ in range(30):
        await lone.upload(post_of(tmp_path))
    with pytest.raises(LimitReached) as reached:
        await lone.upload(post_of(tmp_path))
    assert 1600 < (reached.value.retry_after_seconds or 0) <= 1800


# ---- asking and deleting ------------------------------------------------------------------------------------


async def test_a_post_is_found_by_its_video_among_others(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    handle = await lone.upload(post)
    assert (await lone.ask(handle, post)).answer is Answer.ABSENT
    published = await lone.publish(handle, post)
    (mine,) = lone.fake.statuses.values()
    for number in range(95):  # newer ones, with the same text: two full pages of them
        id = str(int(mine["id"]) + 1 + number)
        lone.fake.statuses[id] = {**mine, "id": id, "media_attachments": []}
    lone.network.calls.clear()
    assert await lone.ask(handle, post) == Asked(Answer.PUBLISHED, published)
    assert len(lone.network.calls) == 3


async def test_a_video_that_has_gone_and_shows_nowhere_is_unknown(lone: Lone, tmp_path: Path) -> None:
    """A server that answers 404 may have attached it to a post or thrown it away."""
    post = post_of(tmp_path)
    asked = await lone.ask({"media_id": "1"}, post)
    assert asked.answer is Answer.UNKNOWN
    assert "does not wait" in asked.detail


async def test_a_post_can_be_deleted_and_deleting_it_again_is_no_fault(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    published = await lone.publish(await lone.upload(post), post)
    for _ in range(2):
        await lone.publisher.delete(published.external_id, lone.options, lone.context())
        assert lone.fake.posts == {}
