"""Bluesky: what its errors ask for, what goes on after an interruption, and how texts become records."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.platforms.bluesky_alone import Lone, alone_at_bluesky
from tests.platforms.posts import post_of

from video_manager.domain.video import Severity
from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.fakes import bluesky as fake
from video_manager.fakes.bluesky_rules import check_key
from video_manager.fakes.network import Fault
from video_manager.plugins.api import Answer, Handle
from video_manager.plugins.publishers import bluesky_record as records
from video_manager.plugins.publishers.bluesky import BlueskyOptions


@pytest.fixture
async def lone(tmp_path: Path) -> AsyncIterator[Lone]:
    async with alone_at_bluesky(tmp_path) as found:
        yield found


# ---- the record ---------------------------------------------------------------------------------------------


async def test_the_record_says_what_people_wrote(lone: Lone, tmp_path: Path) -> None:
    extra = {"alt_text": "Wellen", "label": "nudity", "presentation": "gif"}
    post = post_of(tmp_path, description="Mehr: https://example.org/ä.", captions=b"WEBVTT\n\n", extra=extra)
    record = await lone.both(post)
    assert record["text"] == "Ein Tag am Meer\n\nMehr: https://example.org/ä.\n\n#meer #sommer"
    encoded = record["text"].encode()
    found = [
        (encoded[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(), facet["features"][0])
        for facet in record["facets"]
    ]
    link, tag = "app.bsky.richtext.facet#link", "app.bsky.richtext.facet#tag"
    assert found == [
        ("https://example.org/ä", {"$type": link, "uri": "https://example.org/ä"}),
        ("#meer", {"$type": tag, "tag": "meer"}), ("#sommer", {"$type": tag, "tag": "sommer"}),
    ]  # fmt: skip
    assert record["langs"] == ["de"]
    assert record["labels"]["values"] == [{"val": "nudity"}]
    embed = record["embed"]
    assert (embed["alt"], embed["aspectRatio"]) == ("Wellen", {"width": 1080, "height": 1920})
    assert (embed["presentation"], embed["captions"][0]["lang"]) == ("gif", "de")


async def test_without_choices_the_title_describes_the_video(lone: Lone, tmp_path: Path) -> None:
    record = await lone.both(post_of(tmp_path, width=0, height=0, language="?"))
    assert record["embed"]["alt"] == "Ein Tag am Meer"
    assert {"captions", "aspectRatio", "presentation"} & set(record["embed"]) == set()
    assert {"labels", "langs"} & set(record) == set()


def test_keys_are_valid_distinct_and_always_the_same() -> None:
    keys = [records.key_of(f"publication {number}") for number in range(2000)]
    assert len(set(keys)) == 2000
    assert keys == [records.key_of(f"publication {number}") for number in range(2000)]
    for key in keys:
        assert check_key(key) == key
        value = 0
        for letter in key:
            value = value * 32 + "234567abcdefghijklmnopqrstuvwxyz".index(letter)
        made = datetime.fromtimestamp((value >> 10) / 1e6, UTC)
        assert datetime(2024, 1, 1, tzinfo=UTC) <= made < datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Sieh (https://a.example/b).", ["https://a.example/b"]),
        ("https://de.wikipedia.org/wiki/Meer_(Film)", ["https://de.wikipedia.org/wiki/Meer_(Film)"]),
        ("nichts hier", []),
        ("a#b #2026 #c-d!", ["#c-d"]),
        ("👩‍👩‍👧‍👦 #über https://x.example", ["#über", "https://x.example"]),
    ],
)
def test_links_and_hashtags_are_found(text: str, marked: list[str]) -> None:
    found = [facet["index"] for facet in records.facets_of(text)]
    assert [text.encode()[one["byteStart"] : one["byteEnd"]].decode() for one in found] == marked


# ---- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, []),
        ({"title": "", "description": "x" * 285}, []),
        ({"title": "", "description": "x" * 286}, ["text_too_long"]),
        ({"title": "", "description": "👩‍👩‍👧‍👦" * 100, "tags": ()}, []),
        ({"title": "", "description": "👩‍👩‍👧‍👦" * 130, "tags": ()}, ["text_too_large"]),
        ({"video_bytes": 300_000_000, "duration_seconds": 600.0}, []),
        ({"video_bytes": 300_000_001}, ["too_large"]),
        ({"duration_seconds": 600.1}, ["too_long"]),
        ({"video_type": "video/webm"}, ["wrong_type"]),
    ],
)
async def test_what_bluesky_would_refuse_is_said_before(
    lone: Lone, facts: dict[str, Any], codes: list[str], tmp_path: Path
) -> None:
    found = await lone.publisher.check(post_of(tmp_path, **facts), lone.options, lone.context())
    assert [one.code for one in found if one.severity is Severity.ERROR] == codes
    assert lone.network.calls == []


async def test_captions_beyond_the_limit_are_left_out_and_that_is_said(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path, captions=b"x" * 20_001)
    (found,) = await lone.publisher.check(post, lone.options, lone.context())
    assert (found.code, found.severity) == ("captions_left_out", Severity.WARNING)
    assert "captions" not in (await lone.both(post))["embed"]


def test_a_service_is_an_address_without_a_path() -> None:
    with pytest.raises(ValidationError):
        BlueskyOptions(handle="a.example", app_password="12345678", service="https://a.example/xrpc")


# ---- connecting ---------------------------------------------------------------------------------------------


async def test_the_account_is_shown_with_its_own_server(lone: Lone) -> None:
    account = await lone.publisher.connect(lone.options, lone.context())
    assert (account.name, account.id, account.facts["pds"]) == (fake.HANDLE, fake.DID, fake.PDS)
    assert account.url == f"https://bsky.app/profile/{fake.HANDLE}"


async def test_an_unconfirmed_address_is_told_before_the_first_video(lone: Lone, tmp_path: Path) -> None:
    lone.fake.email_confirmed = False
    with pytest.raises(ActionRequiredError, match="is not confirmed"):
        await lone.publisher.connect(lone.options, lone.context())
    with pytest.raises(ActionRequiredError, match="verify your email"):
        await lone.upload(post_of(tmp_path))
    lone.through("server")
    assert (await lone.publisher.connect(lone.options, lone.context())).id == fake.DID


async def test_an_inactive_account_is_told(lone: Lone) -> None:
    body = {"did": fake.DID, "handle": fake.HANDLE, "active": False, "status": "deactivated"}
    lone.network.faults.append(Fault("answer", "getSession", status=200, body=body))
    with pytest.raises(ActionRequiredError, match="deactivated"):
        await lone.publisher.connect(lone.options, lone.context())


async def test_a_session_that_is_over_is_begun_anew_and_a_wrong_password_asks_the_person(lone: Lone) -> None:
    first = await lone.publisher.renew(None, lone.options, lone.context())
    second = await lone.publisher.renew(first, lone.options, lone.context())
    assert [call.path.rpartition(".")[2] for call in lone.network.calls] == ["createSession", "refreshSession"]
    assert second.expires_at is not None
    lone.fake.end_sessions()
    await lone.publisher.renew(second, lone.options, lone.context())
    lone.fake.app_password = "another"
    lone.fake.end_sessions()
    with pytest.raises(ActionRequiredError, match="make a new one and enter it"):
        await lone.publisher.renew(second, lone.options, lone.context())


async def test_too_many_sign_ins_are_a_later_time(lone: Lone) -> None:
    for _ in range(29):  # the fixture has signed in once
        await lone.publisher.renew(None, lone.options, lone.context())
    with pytest.raises(LimitReached) as reached:
        await lone.publisher.renew(None, lone.options, lone.context())
    assert 200 < (reached.value.retry_after_seconds or 0) <= 301


# ---- uploading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "pds", "service"),
    [
        ("automatic", fake.PDS, True),
        ("automatic", "https://pds.example.org", False), ("automatic", "https://host.bsky.network.evil.example", False),
        ("server", fake.PDS, False), ("video_service", fake.PDS, True),
    ],
)  # fmt: skip
async def test_the_way_of_the_video(lone: Lone, way: str, pds: str, service: bool, tmp_path: Path) -> None:
    lone.through(way)
    lone.account["pds"] = pds
    await lone.upload(post_of(tmp_path))
    assert bool(lone.calls("startUpload")) is service
    assert bool(lone.calls("uploadBlob")) is not service


async def test_nothing_is_public_before_and_the_handle_is_saved_first(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    handle = await lone.upload(post)
    assert lone.fake.posts == {}
    assert lone.handles[0] == {"did": fake.DID, "key": records.key_of(post.publication_id)}
    assert lone.access.spent == [("writes of an hour", 3), ("writes of a day", 3)]
    await lone.publish(handle, post)
    (made,) = lone.fake.posts.values()
    assert made.sha256 == post.video_sha256


@pytest.mark.parametrize("way", ["video_service", "server"])
async def test_bytes_that_have_arrived_are_not_sent_again(lone: Lone, way: str, tmp_path: Path) -> None:
    lone.through(way)
    post = post_of(tmp_path, captions=b"WEBVTT\n\n")
    await lone.upload(post)
    lone.network.calls.clear()
    await lone.upload(post, earlier=lone.handles[-1])  # saved before the captions were sent
    assert [call.path.rpartition(".")[2] for call in lone.network.calls] == ["uploadBlob"]


async def test_a_job_that_was_begun_is_waited_for(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    lone.network.faults.append(Fault("answer", "getJobStatus"))
    with pytest.raises(RetryableError):
        await lone.upload(post)
    lone.network.calls.clear()
    handle = await lone.upload(post, earlier=lone.handles[-1])
    assert handle["video"]["size"] == post.video_bytes
    assert not lone.calls("startUpload")


async def test_a_job_that_is_not_known_any_more_is_begun_again(lone: Lone, tmp_path: Path) -> None:
    handle = await lone.upload(post_of(tmp_path), earlier={"job": "gone"})
    assert len(lone.calls("startUpload")) == 1
    assert handle["job"] != "gone"


async def test_a_file_that_the_service_has_already_is_taken_from_it(lone: Lone, tmp_path: Path) -> None:
    first = await lone.upload(post_of(tmp_path))
    second = await lone.upload(post_of(tmp_path))
    assert (second["video"], second["job"]) == (first["video"], first["job"])


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("validation_failure", PermanentError), ("encoding_failure", PermanentError),
        ("pds_upload_unsupported_blob_size", PermanentError), ("pds_upload_failure", RetryableError),
        ("generic_failure", RetryableError),
    ],
)  # fmt: skip
async def test_a_failed_job(lone: Lone, code: str, kind: type[WorkError], tmp_path: Path) -> None:
    lone.fake.video.failure = code
    with pytest.raises(kind):
        await lone.upload(post_of(tmp_path))
    lone.fake.video.failure = None
    if kind is RetryableError:
        assert (await lone.upload(post_of(tmp_path), earlier=lone.handles[-1]))["video"]


async def test_a_used_up_daily_allowance_is_a_later_time(lone: Lone, tmp_path: Path) -> None:
    lone.fake.video.daily_videos = 0
    with pytest.raises(LimitReached, match="daily allowance"):
        await lone.upload(post_of(tmp_path))
    assert not lone.calls("startUpload")


async def test_other_bytes_than_those_approved_are_noticed(lone: Lone, tmp_path: Path) -> None:
    lone.through("server")
    with pytest.raises(RetryableError, match="other bytes"):
        await lone.upload(post_of(tmp_path, video_sha256="00" * 32))


async def test_a_video_beyond_the_servers_limit_says_so(lone: Lone, tmp_path: Path) -> None:
    lone.through("server")
    lone.network.faults.append(Fault("answer", "uploadBlob", status=413, body=_error("PayloadTooLarge")))
    with pytest.raises(PermanentError, match="smaller videos only"):
        await lone.upload(post_of(tmp_path))


async def test_a_server_that_takes_it_for_something_else_says_so(lone: Lone, tmp_path: Path) -> None:
    lone.through("server")
    with pytest.raises(PermanentError, match="takes the video for video/quicktime"):
        await lone.upload(post_of(tmp_path, video_type="video/quicktime"))


# ---- publishing, asking, deleting ---------------------------------------------------------------------------


def _error(code: str, message: str = "in the platform's own words") -> dict[str, str]:
    return {"error": code, "message": message}


def _refusals() -> Iterator[Any]:
    certain = [
        (400, "InvalidRequest", PermanentError), (400, "InvalidSwap", PermanentError), (400, "Odd", PermanentError),
        (400, "InvalidSize", PermanentError), (400, "BlobNotFound", RetryableError),
        (401, "AuthenticationRequired", ActionRequiredError), (401, "AccountTakedown", ActionRequiredError),
        (400, "AccountDeactivated", ActionRequiredError), (413, "PayloadTooLarge", PermanentError),
        (429, "RateLimitExceeded", LimitReached),
    ]  # fmt: skip
    for status, code, kind in certain:
        yield pytest.param(status, code, kind, True, id=f"{status} {code}")
    for status, code in ((500, "InternalServerError"), (502, "UpstreamFailure"), (504, "UpstreamTimeout")):
        yield pytest.param(status, code, RetryableError, False, id=f"{status} {code}")


@pytest.mark.parametrize(("status", "code", "kind", "certain"), list(_refusals()))
async def test_what_a_refused_post_asks_for(
    lone: Lone, status: int, code: str, kind: type[WorkError], certain: bool
) -> None:
    handle = await lone.upload()
    reset = {"ratelimit-reset": str(int(lone.network.now()) + 600)}
    lone.access.token = _always(lone.access.kept)  # type: ignore[method-assign]
    fault = Fault("answer", "createRecord", times=2, status=status, body=_error(code), headers=reset)
    cause, is_certain = await lone.refused_with(handle, fault)
    assert is_certain is certain
    assert type(cause) is kind
    assert "in the platform's own words" in cause.detail
    if isinstance(cause, LimitReached):
        assert 590 < (cause.retry_after_seconds or 0) <= 600


def _always(token: str) -> Any:
    async def same(_renew: Any, _refused: str | None) -> str:
        return token

    return same


async def test_a_post_is_asked_for_by_its_key(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    handle = await lone.upload(post)

    async def ask(of: Handle) -> Any:
        return await lone.publisher.ask(post, of, lone.options, lone.context())

    assert (await ask(handle)).answer is Answer.ABSENT
    published = await lone.publish(handle, post)
    assert published.url == f"https://bsky.app/profile/{fake.HANDLE}/post/{handle['key']}"
    for known in (handle, {}):
        assert (await ask(known)).published == published
    lone.network.faults.append(Fault("answer", "getRecord", status=400, body=_error("InvalidRequest")))
    with pytest.raises(RetryableError):
        await ask(handle)
    with pytest.raises(RetryableError):  # the second one is refused, and leaves it open: it is asked about
        await lone.publish(handle, post)
    assert len(lone.fake.posts) == 1


async def test_a_post_can_be_deleted_and_deleting_it_again_is_no_fault(lone: Lone, tmp_path: Path) -> None:
    post = post_of(tmp_path)
    published = await lone.publish(await lone.upload(post), post)
    for _ in range(2):
        await lone.publisher.delete(published.external_id, lone.options, lone.context())
        assert lone.fake.posts == {}
    assert (await lone.publisher.ask(post, {}, lone.options, lone.context())).answer is Answer.ABSENT


async def test_the_app_password_is_never_repeated(lone: Lone) -> None:
    body = _error("AuthenticationRequired", f"wrong: {fake.APP_PASSWORD}")
    lone.network.faults.append(Fault("answer", "createSession", status=401, body=body))
    with pytest.raises(ActionRequiredError) as raised:
        await lone.publisher.renew(None, lone.options, lone.context())
    assert fake.APP_PASSWORD not in raised.value.detail
