"""A receiver of one's own: what is signed, what is sent, what its answers mean."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.platforms.alone import WHOLE, Alone, alone
from tests.platforms.posts import PUBLICATION

from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    WorkError,
)  # fmt: skip
from video_manager.fakes import webhook
from video_manager.fakes.network import Fault
from video_manager.fakes.webhook import WebhookFake
from video_manager.plugins.api import Answer, Handle, Post
from video_manager.plugins.publishers.webhook import WebhookOptions, WebhookPublisher

PUBLISHER = WebhookPublisher()
OPTIONS = WebhookOptions(url=webhook.URL, signing_secret=webhook.SECRET, can_be_asked=True)
HANDLE = {"publication_id": PUBLICATION}


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone(WebhookFake, tmp_path, PUBLISHER, OPTIONS, facts=WHOLE) as found:
        yield found


def fake(at: Alone) -> WebhookFake:
    return at.fake_of(WebhookFake)


def _post(at: Alone) -> Post:
    thumbnail, captions = hashlib.sha256(b"JPEG" * 100).hexdigest(), hashlib.sha256(b"WEBVTT\n\n").hexdigest()
    return at.post(thumbnail_sha256=thumbnail, captions_sha256=captions)


async def _upload(at: Alone) -> Handle:
    return await PUBLISHER.upload(_post(at), OPTIONS, at.context())


async def test_everything_arrives_and_is_shown_when_told(at: Alone) -> None:
    handle = await _upload(at)
    assert not fake(at).public_posts()
    assert (await PUBLISHER.ask(_post(at), handle, OPTIONS, at.context())).answer is Answer.ABSENT
    published = await PUBLISHER.publish(_post(at), handle, OPTIONS, at.context())
    (post,) = fake(at).public_posts("Ein Tag am Meer\nAm Strand.")
    assert (post.sha256, post.extra["files"]) == (_post(at).video_sha256, ["captions", "thumbnail", "video"])
    assert (published.external_id, published.url) == ("post-1", f"https://{webhook.HOST}/post-1")
    asked = await PUBLISHER.ask(_post(at), handle, OPTIONS, at.context())
    assert asked.published == published


async def test_a_repeat_makes_nothing_twice(at: Alone) -> None:
    handle = await _upload(at)
    first = await PUBLISHER.publish(_post(at), handle, OPTIONS, at.context())
    assert await PUBLISHER.publish(_post(at), handle, OPTIONS, at.context()) == first
    assert len(fake(at).posts) == 1


async def test_bytes_that_have_come_are_not_sent_again(at: Alone) -> None:
    await _upload(at)
    await _upload(at)
    assert len(at.calls("PUT")) == 3


async def test_only_what_the_receiver_wants_is_sent(at: Alone) -> None:
    at.network.faults.append(Fault("answer", "POST", status=204))
    await _upload(at)
    assert not at.calls("PUT")


async def test_one_that_is_shown_later_is_asked_about(at: Alone) -> None:
    fake(at).asks_until_shown = 1
    handle = await _upload(at)
    with pytest.raises(RetryableError, match="not shown it yet"):
        await PUBLISHER.publish(_post(at), handle, OPTIONS, at.context())
    assert (await PUBLISHER.ask(_post(at), handle, OPTIONS, at.context())).answer is Answer.PENDING
    assert (await PUBLISHER.ask(_post(at), handle, OPTIONS, at.context())).answer is Answer.PUBLISHED


async def test_a_receiver_that_cannot_be_asked_leaves_it_open(at: Alone) -> None:
    options = OPTIONS.model_copy(update={"can_be_asked": False})
    handle = await _upload(at)
    calls = len(at.network.calls)
    assert (await PUBLISHER.ask(_post(at), handle, options, at.context())).answer is Answer.UNKNOWN
    assert len(at.network.calls) == calls


async def test_connecting_proves_the_secret(at: Alone) -> None:
    assert (await PUBLISHER.connect(OPTIONS, at.context())).name == webhook.HOST
    wrong = OPTIONS.model_copy(update={"signing_secret": "whsec_" + "A" * 32})
    for call in (
        PUBLISHER.connect(wrong, at.context()),
        PUBLISHER.upload(_post(at), wrong, at.context()),
        PUBLISHER.ask(_post(at), HANDLE, wrong, at.context()),
    ):
        with pytest.raises(ActionRequiredError, match="same secret") as raised:
            await call
        assert "AAAA" not in raised.value.detail


async def test_deleting_takes_it_down(at: Alone) -> None:
    handle = await _upload(at)
    published = await PUBLISHER.publish(_post(at), handle, OPTIONS, at.context())
    await PUBLISHER.delete(published.external_id, OPTIONS, at.context())
    assert not fake(at).posts
    assert (await PUBLISHER.ask(_post(at), handle, OPTIONS, at.context())).answer is Answer.ABSENT


async def test_other_bytes_than_offered_are_refused(at: Alone) -> None:
    post = _post(at)
    post.video.write_bytes(b"something else")
    with pytest.raises(PermanentError, match="not the bytes of the video"):
        await PUBLISHER.upload(post, OPTIONS, at.context())


async def test_publishing_what_has_not_arrived_leaves_no_doubt(at: Alone) -> None:
    with pytest.raises(NotPublished, match="has not arrived"):
        await PUBLISHER.publish(_post(at), HANDLE, OPTIONS, at.context())


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (301, ActionRequiredError, "enter the final address"),
        (400, PermanentError, "answered 400: .*no thanks"),
        (401, ActionRequiredError, "same secret"),
        (403, ActionRequiredError, "same secret"),
        (404, ActionRequiredError, "edit the channel"),
        (409, RetryableError, "no thanks"),
        (410, ActionRequiredError, "edit the channel"),
        (413, PermanentError, "no thanks"),
        (429, LimitReached, "no thanks"),
        (500, RetryableError, "no thanks"),
    ],
)
async def test_an_answer_says_what_it_asks_for(at: Alone, status: int, kind: type[WorkError], text: str) -> None:
    at.network.faults.append(Fault("answer", "POST", status=status, body={"error": "no thanks"}))
    with pytest.raises(kind, match=text) as raised:
        await _upload(at)
    assert type(raised.value) is kind


@pytest.mark.parametrize("address", ["ftp://example.org/x", "/files/1", 7, "https://" + "a" * 3000])
async def test_an_address_that_is_none_is_refused(at: Alone, address: Any) -> None:
    at.network.faults.append(Fault("answer", "POST", status=200, body={"upload_url": address}))
    with pytest.raises(PermanentError, match="upload_url is no web address"):
        await _upload(at)


@pytest.mark.parametrize(
    "body", [{"state": "published", "id": "i" * 300, "url": "javascript:alert(1)"}, {"state": "published"}]
)
async def test_what_the_receiver_says_of_a_post_is_not_believed_blindly(at: Alone, body: dict[str, Any]) -> None:
    at.network.faults.append(Fault("answer", "GET", status=200, body=body))
    asked = await PUBLISHER.ask(_post(at), HANDLE, OPTIONS, at.context())
    assert asked.published is not None
    assert (asked.published.external_id, asked.published.url) == (PUBLICATION, None)


@pytest.mark.parametrize("body", [{}, [], {"state": "who knows"}])
async def test_a_state_that_nobody_knows_is_unknown(at: Alone, body: Any) -> None:
    at.network.faults.append(Fault("answer", "GET", status=200, body=body))
    assert (await PUBLISHER.ask(_post(at), HANDLE, OPTIONS, at.context())).answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("example.org/x", webhook.SECRET),
        ("https://user:pw@example.org/x", webhook.SECRET),
        (webhook.URL, "whsec_short"),
        (webhook.URL, webhook.SECRET.removeprefix("whsec_")),
    ],
)
def test_options_that_cannot_work_are_refused(url: str, key: str) -> None:
    with pytest.raises(ValidationError):
        WebhookOptions(url=url, signing_secret=key, can_be_asked=True)
