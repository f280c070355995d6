"""LinkedIn: parts and receipts, what its errors ask for, tokens that end, and pages."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import Alone
from tests.platforms.cases.linkedin import CASES
from tests.platforms.linkedin_alone import alone_at_linkedin, fake_of, parts_sent
from tests.platforms.world import approve, connect, open_platform, settle, title_of

from video_manager.domain.publication import PublicationState
from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    PermanentError,
    RetryableError,
    StillUploaded,
    WorkError,
)
from video_manager.fakes import linkedin
from video_manager.fakes.linkedin_videos import ADDRESS_SECONDS
from video_manager.fakes.network import FakeNetwork, FakePost, Fault
from video_manager.fakes.serving import served
from video_manager.plugins.api import Answer, Handle, Token
from video_manager.plugins.publishers.linkedin import LinkedInOptions, LinkedInPagePublisher
from video_manager.plugins.publishers.linkedin_api import commentary_of, little_text

POST = "POST .*/rest/posts$"
PART = "PUT .*/dms-uploads/.*/[0-9]+$"
THREE_PARTS = 9_000_000


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_linkedin(tmp_path) as it:
        yield it


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_linkedin(tmp_path, video_bytes=THREE_PARTS) as it:
        yield it


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_linkedin(tmp_path, LinkedInPagePublisher(), {}) as it:
        yield it


# ---- uploading ----------------------------------------------------------------------------------------------


async def test_a_post_with_its_text_picture_and_approved_bytes(large: Alone) -> None:
    picture = large.folder / "picture.jpg"
    picture.write_bytes(b"JPEG" * 50)
    large.facts |= {"thumbnail": picture, "title": "100 % (echt) #1", "extra": {"visibility": "CONNECTIONS"}}
    published = await large.publish(await large.upload())
    (post,) = fake_of(large).public_posts()
    assert parts_sent(large) == ["thumbnail", "0", "1", "2"]
    assert (post.text, post.sha256) == ("100 % (echt) #1\n\nAm Meer.\n\n#meer", large.post().video_sha256)
    assert post.extra == {
        "title": "100 % (echt) #1", "visibility": "CONNECTIONS", "thumbnail": 200, "captions": None,
        "no_reshares": False,
    }  # fmt: skip
    assert (published.external_id, published.warning) == (post.id, None)
    assert published.url == f"https://www.linkedin.com/feed/update/{post.id}/"


async def test_every_call_is_counted_before_it_is_made_but_not_those_for_bytes(large: Alone) -> None:
    await large.publish(await large.upload())
    api = [call for call in large.network.calls if call.host == "api.linkedin.com"]
    assert large.access.spent == [("calls", 1)] * len(api)


async def test_an_interrupted_upload_goes_on_after_the_last_receipt(large: Alone) -> None:
    large.network.faults.append(Fault("before", "PUT .*/1$"))
    with pytest.raises(RetryableError):
        await large.upload()
    assert parts_sent(large) == ["0", "1"]
    await large.publish(await large.upload(earlier=large.handles[-1]))
    assert parts_sent(large) == ["0", "1", "1", "2"]
    (post,) = fake_of(large).public_posts()
    assert post.sha256 == large.post().video_sha256


async def test_a_part_whose_receipt_was_lost_is_sent_once_more(large: Alone) -> None:
    large.network.faults.append(Fault("after", "PUT .*/2$"))
    with pytest.raises(RetryableError):
        await large.upload()
    await large.publish(await large.upload(earlier=large.handles[-1]))
    assert parts_sent(large) == ["0", "1", "2", "2"]
    (post,) = fake_of(large).public_posts()
    assert post.sha256 == large.post().video_sha256


async def test_a_seal_whose_answer_was_lost_is_not_made_again(person: Alone) -> None:
    person.network.faults.append(Fault("after", "POST .*/rest/videos$"))
    person.network.faults[0].number = 3  # the first is the begin
    with pytest.raises(RetryableError):
        await person.upload()
    before = len(person.network.calls)
    await person.upload(earlier=person.handles[-1])
    assert {call.method for call in person.network.calls[before:]} == {"GET"}


async def test_a_video_that_is_ready_is_not_sent_again(person: Alone) -> None:
    handle = await person.upload()
    before = len(person.network.calls)
    assert (await person.upload(earlier=handle))["video"] == handle["video"]
    assert [call.method for call in person.network.calls[before:]] == ["GET"]


async def _begun(it: Alone) -> Handle:
    it.network.faults.append(Fault("before", "PUT .*/1$"))
    with pytest.raises(RetryableError):
        await it.upload()
    return it.handles[-1]


async def test_addresses_that_have_ended_are_asked_for_anew(large: Alone) -> None:
    handle = await _begun(large)
    for changed in ({**handle, "expires_at": 1}, handle):  # we know, and only LinkedIn knows
        large.network.skew_seconds += ADDRESS_SECONDS + 1
        assert (await large.upload(earlier=changed))["video"] != handle["video"]
        handle = await _begun(large)


async def test_a_video_that_is_gone_or_somebody_elses_is_uploaded_anew(large: Alone) -> None:
    handle = await _begun(large)
    assert (await large.upload(earlier={**handle, "owner": "urn:li:person:other"}))["video"] != handle["video"]
    fake_of(large).uploads.videos.clear()
    assert (await large.upload(earlier=handle))["video"] != handle["video"]


async def test_an_upload_of_an_older_release_is_begun_anew(large: Alone) -> None:
    handle = {name: value for name, value in (await _begun(large)).items() if name not in ("extras", "faults")}
    assert (await large.upload(earlier=handle))["video"] != handle["video"]


async def test_addresses_that_are_never_taken_end_in_a_later_try(person: Alone) -> None:
    person.network.faults.append(Fault("answer", PART, status=403, times=2))
    with pytest.raises(RetryableError, match="does not take the video"):
        await person.upload()
    assert len(fake_of(person).uploads.videos) == 2


async def test_a_part_without_a_receipt_is_not_believed(person: Alone) -> None:
    person.network.faults.append(Fault("answer", PART, status=200))
    with pytest.raises(RetryableError, match="no receipt"):
        await person.upload()


async def test_a_video_that_linkedin_cannot_process(person: Alone) -> None:
    fake_of(person).uploads.failure = "unsupported codec"
    with pytest.raises(PermanentError, match="unsupported codec"):
        await person.upload()


# ---- publishing ---------------------------------------------------------------------------------------------


async def test_a_video_that_is_not_ready_is_refused_with_certainty(person: Alone) -> None:
    handle = await person.upload()
    next(iter(fake_of(person).uploads.videos.values())).status = "WAITING_UPLOAD"
    error, certain = await person.refused_with(handle)
    assert (type(error), certain) == (StillUploaded, True)


async def test_an_answer_without_a_name_leaves_it_open(person: Alone) -> None:
    error, certain = await person.refused_with(await person.upload(), Fault("answer", POST, status=201))
    assert (type(error), certain) == (RetryableError, False)


async def test_a_duplicate_is_evidence_that_people_get_to_see(tmp_path: Path) -> None:
    """An earlier call may have made it, so that it is unknown, with the address of what LinkedIn shows."""
    case = CASES["linkedin"]
    network = FakeNetwork([case.fake])
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, case, network)
            fake = network.fakes["linkedin"]
            assert isinstance(fake, linkedin.LinkedInFake)
            fake.refuses_duplicates = True
            text, urn = f"{title_of(1)}\n\nAm Meer.\n\n#meer #sommer", "urn:li:ugcPost:7000000000000000000"
            fake.posts[urn] = FakePost(urn, linkedin.PERSON_URN, text, "", 0, 0.0)
            publication = await settle(world, await approve(world, case))
    assert publication.state is PublicationState.UNKNOWN, publication.error
    assert f"https://www.linkedin.com/feed/update/{urn}/" in (publication.error or "")
    assert len(fake.posts) == 1


async def test_it_cannot_be_asked(person: Alone) -> None:
    assert not person.publisher.remembers
    assert (await person.ask(await person.upload())).answer is Answer.UNKNOWN


async def test_a_post_can_be_deleted_and_deleting_it_again_is_no_fault(person: Alone) -> None:
    published = await person.publish(await person.upload())
    for _ in range(2):
        await person.publisher.delete(published.external_id, person.options, person.context())
        assert not fake_of(person).posts


ERRORS = [
    (400, {"code": "INVALID_REQUEST", "message": "no"}, PermanentError, "INVALID_REQUEST"),
    (422, {"code": "UNPROCESSABLE_ENTITY", "message": "no"}, PermanentError, "UNPROCESSABLE_ENTITY"),
    (404, {"code": "NOT_FOUND"}, PermanentError, "answered 404"),
    (400, {"code": "VERSION_MISSING"}, ActionRequiredError, "enter a newer one"),
    (426, {"code": "NONEXISTENT_VERSION"}, ActionRequiredError, "API version 202608 has ended"),
    (401, {"code": "EXPIRED_ACCESS_TOKEN"}, ActionRequiredError, "connect the channel again"),
    (401, {"code": "REVOKED_ACCESS_TOKEN"}, ActionRequiredError, "connect the channel again"),
    (403, {"code": "ACCESS_DENIED", "serviceErrorCode": 100}, ActionRequiredError, "lacks a right"),
    (400, {"code": "MEDIA_ASSET_WAITING_UPLOAD"}, StillUploaded, "answered 400"),
    (429, {"message": "Resource level throttle MEMBER DAY limit"}, LimitReached, "MEMBER DAY"),
    (418, {"code": "NEVER_SEEN"}, PermanentError, "NEVER_SEEN"),
]


@pytest.mark.parametrize(("status", "body", "kind", "text"), ERRORS)
async def test_an_error_leads_to_what_it_asks_for(
    person: Alone, status: int, body: Any, kind: type[WorkError], text: str
) -> None:
    answer = Fault("answer", POST, status=status, body=body, times=2)  # a 401 is tried once more
    error, certain = await person.refused_with(await person.upload(), answer)
    assert (type(error), certain) == (kind, True), error.detail
    assert text in error.detail


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_a_fault_of_the_platform_leaves_it_open(person: Alone, status: int) -> None:
    error, certain = await person.refused_with(await person.upload(), Fault("answer", POST, status=status))
    assert (type(error), certain) == (RetryableError, False)


@pytest.mark.parametrize(
    ("body", "headers", "least", "most"),
    [
        ({"message": "APPLICATION DAY limit"}, {}, 0, 86400),
        ({"message": "too fast"}, {}, 900, 900),
        ({"message": "APPLICATION DAY limit"}, {"Retry-After": "77"}, 77, 77),
    ],
)
async def test_a_limit_of_a_day_ends_at_midnight_utc(
    person: Alone, body: Any, headers: dict[str, str], least: float, most: float
) -> None:
    answer = Fault("answer", POST, status=429, body=body, headers=headers)
    error, _ = await person.refused_with(await person.upload(), answer)
    assert isinstance(error, LimitReached)
    assert least <= (error.retry_after_seconds or -1) <= most


# ---- texts and limits ---------------------------------------------------------------------------------------


def test_every_special_character_is_escaped() -> None:
    assert little_text(r"a\b <c> #d ~e _f |g [h] *i (j) {k} @l") == (
        r"a\\b \<c\> \#d \~e \_f \|g \[h\] \*i \(j\) \{k\} \@l"
    )


async def test_tags_are_hashtags_of_letters_and_digits(person: Alone) -> None:
    person.facts["tags"] = ("meer", "Süd-See 2", "!!")
    assert commentary_of(person.post()).endswith(r"{hashtag|\#|meer} {hashtag|\#|SüdSee2}")


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        ({}, []),
        ({"video_bytes": 74_999}, ["too_small"]),
        ({"video_bytes": 500 * 10**6 + 1}, ["too_large"]),
        ({"duration_seconds": 2.9}, ["too_short"]),
        ({"duration_seconds": 1800.5}, ["too_long"]),
        ({"description": "d" * 2969}, []),
        ({"description": "d" * 2975}, ["commentary_too_long"]),
        ({"description": "(" * 1490}, ["commentary_too_long"]),
    ],
)
async def test_limits(person: Alone, facts: dict[str, Any], codes: list[str]) -> None:
    person.facts |= facts
    assert await person.faults() == codes
    assert not person.network.calls


# ---- connecting ---------------------------------------------------------------------------------------------


async def test_the_person_is_named(person: Alone) -> None:
    account = await person.publisher.connect(person.options, person.context())
    assert (account.name, account.id) == (linkedin.PERSON_NAME, linkedin.PERSON_URN)


async def test_a_missing_scope_is_said(person: Alone) -> None:
    person.access.kept = fake_of(person).desk.issue(linkedin.PERSON, ("openid",))["access_token"]
    with pytest.raises(ActionRequiredError, match="lacks a right"):
        await person.upload()


async def test_a_revoked_token_needs_the_person(person: Alone) -> None:
    fake_of(person).desk.revoke(linkedin.PERSON)
    with pytest.raises(ActionRequiredError, match="connect the channel again"):
        await person.publisher.connect(person.options, person.context())


async def test_an_api_version_that_has_ended(person: Alone) -> None:
    person.options = LinkedInOptions(api_version="202510")
    with pytest.raises(ActionRequiredError, match="API version 202510 has ended"):
        await person.upload()


async def test_pages_can_be_chosen_from_each_named_once(page: Alone) -> None:
    found = await page.publisher.accounts(page.options, page.context())
    assert [(one.id, one.name) for one in found] == [(urn, name) for urn, (name, _) in linkedin.PAGES.items()]
    assert found[0].url == "https://www.linkedin.com/company/demo-studio/"
    with pytest.raises(ActionRequiredError, match="choose one of Demo Studio, Second"):
        await page.publisher.connect(page.options, page.context())
    page.account = {"id": found[1].id}
    assert await page.publisher.connect(page.options, page.context()) == found[1]


async def test_who_manages_no_page_or_not_this_one_any_more(page: Alone) -> None:
    page.account = {"id": "urn:li:organization:9"}
    with pytest.raises(ActionRequiredError, match="may not post for that page any more"):
        await page.publisher.connect(page.options, page.context())
    fake_of(page).roles = {}
    with pytest.raises(ActionRequiredError, match="no administrator"):
        await page.publisher.accounts(page.options, page.context())


async def test_a_channel_without_an_account_posts_nothing(page: Alone) -> None:
    with pytest.raises(ActionRequiredError, match="whom it posts for"):
        await page.upload()
    assert not page.network.calls


async def test_a_token_is_used_until_it_ends_and_then_the_person_is_asked(person: Alone) -> None:
    context, now = person.context(), datetime.now(UTC)
    lives, ended = Token("a", now + timedelta(days=9)), Token("a", now - timedelta(seconds=1))
    assert await person.publisher.renew(lives, person.options, context) == lives
    for token in (ended, None):
        with pytest.raises(ActionRequiredError, match="60 days"):
            await person.publisher.renew(token, person.options, context)
