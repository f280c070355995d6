"""TikTok: what goes wrong, what is gone on with, and what is refused before anything is sent."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import Alone, SameToken
from tests.platforms.cases.tiktok import CASES
from tests.platforms.tiktok_alone import OPTIONS, PUBLISHER, THREE_CHUNKS, alone_at_tiktok, fake
from tests.platforms.world import approve, connect, open_platform, settle

from video_manager.domain.publication import PublicationState
from video_manager.domain.video import Severity
from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    WorkError,
)  # fmt: skip
from video_manager.fakes import tiktok
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.fakes.tiktok import TikTokFake, fault_of_chunks
from video_manager.plugins.api import Answer, Published
from video_manager.plugins.publishers.tiktok import TITLE_UNITS, TikTokOptions, caption_of
from video_manager.plugins.publishers.tiktok_api import CHUNK_BYTES, AddressGone, Chunks, cut, failure_of


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_tiktok(tmp_path) as found:
        yield found


# ---- the way to being public ------------------------------------------------------------------------------


async def test_nothing_is_public_before_the_last_chunk_and_all_settings_arrive(at: Alone) -> None:
    extra = {"allow_duet": False, "made_with_ai": True, "paid_partnership": True, "cover_seconds": 1.5}
    post, context = at.post(THREE_CHUNKS, extra=extra), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    assert at.handles[0]["publish_id"] == handle["publish_id"]
    assert len(at.calls("PUT")) == 2
    assert not fake(at).posts
    published = await PUBLISHER.publish(post, handle, OPTIONS, context)
    (shown,) = fake(at).public_posts("Ein Tag am Meer")
    assert (shown.sha256, shown.size_bytes) == (post.video_sha256, THREE_CHUNKS)
    assert shown.text == "Ein Tag am Meer\n\nAm Strand.\n\n#meer #sommer"
    assert published == Published(shown.id, f"https://www.tiktok.com/@{tiktok.USERNAME}/video/{shown.id}")
    wanted = {
        "privacy_level": "PUBLIC_TO_EVERYONE", "disable_duet": True, "disable_comment": False, "disable_stitch": False,
        "is_aigc": True, "brand_content_toggle": True, "brand_organic_toggle": False, "video_cover_timestamp_ms": 1500,
    }  # fmt: skip
    assert wanted.items() <= shown.extra.items()


async def test_the_creator_has_disabled_comments(at: Alone) -> None:
    fake(at).comment_disabled = True
    await at.published()
    (shown,) = fake(at).posts.values()
    assert shown.extra["disable_comment"] is True


async def test_without_an_audit_it_is_for_the_account_alone_and_says_so(at: Alone) -> None:
    fake(at).audited, fake(at).private = False, True
    options = TikTokOptions()
    (warning,) = await PUBLISHER.check(at.post(), options, at.context())
    assert (warning.code, warning.severity) == ("only_for_oneself", Severity.WARNING)
    published = await at.published(options)
    (shown,) = fake(at).posts.values()
    assert (shown.public, shown.extra["privacy_level"]) == (False, "SELF_ONLY")
    # TikTok never tells the id of a post that is not public.
    assert published.external_id.startswith("v_pub_file")
    assert published.url is None
    assert published.warning == "TikTok has not audited your app: only the account itself will see the post"


async def test_a_public_account_with_an_unaudited_app_asks_a_person(at: Alone) -> None:
    fake(at).audited = False
    with pytest.raises(ActionRequiredError, match="make the account private, or let the app be audited"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_a_privacy_that_the_account_does_not_offer_is_refused_before_anything_is_begun(at: Alone) -> None:
    fake(at).privacy_levels = ("MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY")
    with pytest.raises(PermanentError, match="PUBLIC_TO_EVERYONE; it has MUTUAL_FOLLOW_FRIENDS, SELF_ONLY"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert not at.calls("init")


async def test_what_the_account_may_post_now_counts(at: Alone) -> None:
    fake(at).most_seconds = 15
    with pytest.raises(PermanentError, match=r"may post 15 s; the video lasts 20\.0 s"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_a_post_that_is_still_moderated_is_published_without_its_address(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    fake(at).looks_until_complete = 11  # of the 12 looks
    published = await PUBLISHER.publish(post, handle, OPTIONS, context)
    assert (published.external_id, published.url) == (handle["publish_id"], None)
    assert "still checking it" in (published.warning or "")


async def test_a_long_processing_is_asked_about(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    fake(at).looks_until_complete = 13
    with pytest.raises(RetryableError, match="still processing"):
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    assert (await PUBLISHER.ask(post, handle, OPTIONS, context)).answer is Answer.PENDING
    asked = await PUBLISHER.ask(post, handle, OPTIONS, context)
    assert (asked.answer, len(fake(at).public_posts())) == (Answer.PUBLISHED, 1)


async def test_a_draft_waits_in_the_inbox(at: Alone) -> None:
    options = TikTokOptions(mode="inbox")
    published = await at.published(options)
    assert published.external_id.startswith("v_inbox_file")
    assert published.warning == "it is a draft in the account's inbox: finish it in TikTok's app"
    assert not fake(at).posts
    assert not at.calls("creator_info")


async def test_five_drafts_a_day_then_it_waits_until_tomorrow(at: Alone) -> None:
    options = TikTokOptions(mode="inbox")
    for _ in range(5):
        await at.published(options)
    at.network.skew_seconds = 120
    with pytest.raises(LimitReached) as raised:
        await PUBLISHER.upload(at.post(), options, at.context())
    assert raised.value.retry_after_seconds == 86_400


# ---- chunks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size", [1, 4_999_999, 5_000_000, 10_000_000, 10_000_001, 19_999_999, 20_000_000, 50_000_123, 64_000_001, 4 * 10**9]
)
def test_every_size_is_cut_as_tiktok_wants(size: int) -> None:
    chunks = cut(size)
    assert fault_of_chunks(size, chunks.chunk_bytes, chunks.count) is None
    ranges = [chunks.range(index) for index in range(chunks.count)]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == size
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ranges))
    assert max(end - start for start, end in ranges) < CHUNK_BYTES + 1000, "the last one takes no long time either"


def test_the_official_example() -> None:
    assert fault_of_chunks(50_000_123, 10_000_000, 5) is None
    assert Chunks(50_000_123, 10_000_000, 5).range(4) == (40_000_000, 50_000_123)


@pytest.mark.parametrize(
    ("size", "chunk", "count"),
    [
        (4_000_000, 2_000_000, 2), (50_000_123, 10_000_000, 6), (50_000_123, 4_000_000, 12),
        (70_000_000, 70_000_000, 1), (130_000_000, 65_000_000, 2), (0, 0, 0), (5 * 10**9, 10**7, 500),
    ],
)  # fmt: skip
def test_the_fake_refuses_other_chunks(size: int, chunk: int, count: int) -> None:
    assert fault_of_chunks(size, chunk, count) is not None


# ---- going on after an interruption -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_an_interrupted_upload_goes_on_where_tiktok_says(at: Alone, kind: Any) -> None:
    handle = await at.interrupted(Fault(kind, number=4), at.post(THREE_CHUNKS))
    post, context = at.post(THREE_CHUNKS), at.context(handle)
    resumed = await PUBLISHER.upload(post, OPTIONS, context)
    assert resumed["publish_id"] == handle["publish_id"]
    # Chunk 2 is sent again only when TikTok does not have it, and nothing is begun anew.
    assert (len(at.calls("PUT")), at.calls("init")) == (1 if kind == "before" else 0, [])
    await PUBLISHER.publish(post, resumed, OPTIONS, context)
    (shown,) = fake(at).public_posts()
    assert shown.sha256 == post.video_sha256


async def test_what_was_uploaded_ahead_is_only_looked_at(at: Alone) -> None:
    staged = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    at.network.calls.clear()
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context(staged))
    assert [call.text for call in at.network.calls] == ["POST open.tiktokapis.com/v2/post/publish/status/fetch/"]
    assert handle == staged
    assert PUBLISHER.keeps_hours == 1


async def test_a_dead_address_is_begun_anew(at: Alone) -> None:
    handle = await at.interrupted(Fault("before", number=4), at.post(THREE_CHUNKS))
    handle = {**handle, "expires_at": "2020-01-01T00:00:00+00:00"}
    anew = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context(handle))
    assert anew["publish_id"] != handle["publish_id"]
    assert (len(at.calls("PUT")), len(at.calls("status"))) == (2, 1)


async def test_an_address_that_died_early_is_begun_anew(at: Alone) -> None:
    handle = await at.interrupted(Fault("before", number=4), at.post(THREE_CHUNKS))
    at.network.faults.append(Fault("answer", "PUT", status=403))
    anew = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context(handle))
    assert anew["publish_id"] != handle["publish_id"]
    assert {**at.handles[-1], "ready": True} == anew
    # One that is new and refused is not tried for ever.
    at.network.faults.append(Fault("answer", "PUT", status=403))
    with pytest.raises(AddressGone):
        await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())


async def test_an_upload_that_tiktok_does_not_know_is_begun_anew(at: Alone) -> None:
    handle = await at.interrupted(Fault("before", number=4), at.post(THREE_CHUNKS))
    anew = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context({**handle, "publish_id": "gone"}))
    assert anew["publish_id"] != handle["publish_id"]
    assert len(at.calls("PUT")) == 2


async def test_half_a_chunk_is_no_place_to_go_on(at: Alone) -> None:
    handle = await at.interrupted(Fault("before", number=4), at.post(THREE_CHUNKS))
    body = {
        "data": {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 12_345_678}, "error": {"code": "ok", "message": ""},
    }  # fmt: skip
    at.network.faults.append(Fault("answer", "status", status=200, body=body))
    anew = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context(handle))
    assert anew["publish_id"] != handle["publish_id"]


# ---- asking -------------------------------------------------------------------------------------------------


async def test_a_last_chunk_that_never_arrived_is_absent(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    asked = await PUBLISHER.ask(post, handle, OPTIONS, context)
    # Believed when the call that may still send it has ended, and gone on with.
    assert (asked.answer, asked.failure, asked.still_uploaded) == (Answer.ABSENT, None, True)


async def test_a_lost_answer_to_the_last_chunk_is_found_out(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("after", "PUT"))
    with pytest.raises(RetryableError):
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    answers = [(await PUBLISHER.ask(post, handle, OPTIONS, context)).answer for _ in range(2)]
    assert answers == [Answer.PENDING, Answer.PUBLISHED]


PERMANENT = (
    "file_format_check_failed", "duration_check_failed", "frame_rate_check_failed", "picture_size_check_failed",
    "spam_risk", "spam_risk_text", "publish_cancelled", "something_new",
)  # fmt: skip
REASONS = [
    ("internal", RetryableError),
    *((reason, PermanentError) for reason in PERMANENT),
    ("auth_removed", ActionRequiredError),
    ("spam_risk_user_banned_from_posting", ActionRequiredError),
    ("spam_risk_too_many_posts", LimitReached),
]


@pytest.mark.parametrize(("reason", "kind"), REASONS)
async def test_a_post_that_tiktok_gave_up_on_ends_with_the_reason(
    at: Alone, reason: str, kind: type[WorkError]
) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    fake(at).fail_reason = reason
    with pytest.raises(NotPublished) as raised:
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    asked = await PUBLISHER.ask(post, handle, OPTIONS, context)
    assert asked.answer is Answer.ABSENT
    for failure in (raised.value.cause, asked.failure):
        assert type(failure) is kind
        assert reason in failure.detail
    assert not fake(at).posts


async def test_a_post_that_tiktok_gave_up_on_fails_in_the_ledger_without_a_second_try(tmp_path: Path) -> None:
    """The last chunk's answer is lost, so that only asking tells it."""
    network = FakeNetwork([TikTokFake])
    network.faults.append(Fault("after", "PUT"))
    found = network.fakes["tiktok"]
    assert isinstance(found, TikTokFake)
    found.fail_reason = "picture_size_check_failed"
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, CASES["tiktok"], network)
            publication = await settle(world, await approve(world, CASES["tiktok"]))
    assert publication.state is PublicationState.FAILED
    assert "each side needs 360 to 4096 pixels" in (publication.error or "")
    assert (len(found.uploads), found.posts) == (1, {})


# ---- documented errors ----------------------------------------------------------------------------------------

CODES = [
    (429, "rate_limit_exceeded", LimitReached, "rate_limit_exceeded"),
    (500, "internal_error", RetryableError, "internal_error"),
    (401, "access_token_invalid", ActionRequiredError, "connect the channel again"),
    (403, "scope_not_authorized", ActionRequiredError, "connect the channel again"),
    (403, "scope_permission_missed", ActionRequiredError, "allow everything"),
    (403, "spam_risk_too_many_posts", LimitReached, "too_many_posts"),
    (403, "reached_active_user_cap", LimitReached, "active_user_cap"),
    (403, "spam_risk_too_many_pending_share", LimitReached, "pending_share"),
    (403, "unaudited_client_can_only_post_to_private_accounts", ActionRequiredError, "make the account private"),
    (403, "spam_risk_user_banned_from_posting", ActionRequiredError, "does not let this account post"),
    (400, "invalid_params", PermanentError, "settings of the post"),
    (400, "invalid_file_upload", PermanentError, "did not take the file"),
    (403, "privacy_level_option_mismatch", PermanentError, "choose another privacy"),
    (403, "url_ownership_unverified", PermanentError, "address of the file"),
    (403, "spam_risk", PermanentError, "takes the post for spam"),
    (400, "something_new", PermanentError, "in TikTok's words"),
    (503, "something_new", RetryableError, "in TikTok's words"),
]


@pytest.mark.parametrize(("status", "code", "kind", "text"), CODES)
async def test_each_documented_error(at: Alone, status: int, code: str, kind: type[WorkError], text: str) -> None:
    body = {"data": {}, "error": {"code": code, "message": "in TikTok's words", "log_id": "1"}}
    at.network.faults.append(Fault("answer", "video/init", status=status, body=body, times=2))
    at.access = SameToken(at.access.kept)
    with pytest.raises(kind, match=text) as raised:
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert type(raised.value) is kind


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("spam_risk_too_many_posts", LimitReached), ("internal_error", RetryableError),
        ("scope_not_authorized", ActionRequiredError), ("something_new", PermanentError),
    ],
)  # fmt: skip
async def test_200_with_an_error_is_an_error(at: Alone, code: str, kind: type[WorkError]) -> None:
    body = {"data": {}, "error": {"code": code, "message": "in TikTok's words", "log_id": "1"}}
    at.network.faults.append(Fault("answer", "video/init", status=200, body=body))
    with pytest.raises(kind, match=f"{code} in TikTok's words"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert not at.handles


async def test_an_answer_that_is_not_tiktoks_is_tried_again(at: Alone) -> None:
    at.network.faults.append(Fault("answer", "video/init", status=200, body={"hello": 1}))
    with pytest.raises(RetryableError, match="not from its API"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


@pytest.mark.parametrize(
    ("status", "kind"), [(400, AddressGone), (403, AddressGone), (404, AddressGone), (416, AddressGone),
                         (429, LimitReached)],
)  # fmt: skip
async def test_a_refused_last_chunk_is_no_doubt(at: Alone, status: int, kind: type[WorkError]) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("answer", "PUT", status=status))
    with pytest.raises(NotPublished) as raised:
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    assert type(raised.value.cause) is kind
    assert handle["upload_url"] not in raised.value.detail


async def test_a_failing_server_leaves_the_last_chunk_in_doubt(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("answer", "PUT", status=503))
    with pytest.raises(RetryableError):
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    at.network.faults.append(Fault("answer", "PUT", status=206))
    with pytest.raises(RetryableError, match="still waits for more"):
        await PUBLISHER.publish(post, handle, OPTIONS, context)


def test_hints_end_what_is_said() -> None:
    assert failure_of("nobody documented it", "text") is None


async def test_calls_are_counted_before_they_are_made(at: Alone) -> None:
    await at.published()
    spent = [name for name, _ in at.access.spent]
    limits = {quota.name: quota.limit for quota in PUBLISHER.quotas}
    assert [limits[name] for name in spent][:3] == [20, 6, 30]
    assert len(spent) == len(at.calls("POST"))


async def test_the_fake_counts_too(at: Alone) -> None:
    for _ in range(6):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    with pytest.raises(LimitReached):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


# ---- limits and texts -------------------------------------------------------------------------------------------


async def test_an_ordinary_post_has_no_faults(at: Alone) -> None:
    assert await PUBLISHER.check(at.post(frame_rate="30000/1001"), OPTIONS, at.context()) == ()
    assert not at.network.calls


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"duration_seconds": 601.0}, "too_long"),
        ({"video_bytes": 4 * 10**9 + 1}, "too_large"),
        ({"video_type": "video/x-matroska"}, "wrong_type"),
        ({"width": 320}, "wrong_picture_size"),
        ({"height": 4320}, "wrong_picture_size"),
        ({"frame_rate": "15"}, "wrong_frame_rate"),
        ({"frame_rate": "120/1"}, "wrong_frame_rate"),
        ({"description": "x" * TITLE_UNITS}, "text_too_long"),
        ({"description": "😀" * (TITLE_UNITS // 2)}, "text_too_long"),
    ],
)
async def test_what_tiktok_would_refuse_is_found_before(at: Alone, changes: dict[str, Any], code: str) -> None:
    found = await PUBLISHER.check(replace(at.post(), **changes), OPTIONS, at.context())
    assert [(one.code, one.severity) for one in found] == [(code, Severity.ERROR)]


async def test_2200_units_are_enough(at: Alone) -> None:
    rest = TITLE_UNITS - len(caption_of(at.post(description="")).encode("utf-16-le")) // 2 - 2
    assert await PUBLISHER.check(at.post(description="😀" * (rest // 2)), OPTIONS, at.context()) == ()


async def test_what_the_account_could_post_when_it_was_connected_is_a_warning(at: Alone) -> None:
    at.account = {"max_duration_seconds": 15}
    (found,) = await PUBLISHER.check(at.post(), OPTIONS, at.context())
    assert (found.code, found.severity) == ("too_long_for_account", Severity.WARNING)


# ---- connecting and deleting -------------------------------------------------------------------------------------


async def test_connecting_says_which_account_it_is(at: Alone) -> None:
    account = await PUBLISHER.connect(OPTIONS, at.context())
    assert (account.id, account.name) == (tiktok.ACCOUNT, tiktok.NICKNAME)
    assert account.url == f"https://www.tiktok.com/@{tiktok.USERNAME}"
    assert account.facts["privacy"] == list(tiktok.PRIVACY_LEVELS)
    draft = await PUBLISHER.connect(TikTokOptions(mode="inbox"), at.context())
    assert (draft.id, draft.name, draft.facts) == (tiktok.ACCOUNT, tiktok.NICKNAME, {})


async def test_connecting_without_the_right_to_publish_asks_a_person(at: Alone) -> None:
    at.access.kept = fake(at).desk.issue(tiktok.ACCOUNT, ["user.info.basic"])["access_token"]
    with pytest.raises(ActionRequiredError, match="scope_not_authorized"):
        await PUBLISHER.connect(OPTIONS, at.context())


async def test_only_people_delete(at: Alone) -> None:
    assert not PUBLISHER.deletes
    with pytest.raises(PermanentError, match="in TikTok's app"):
        await PUBLISHER.delete("1", OPTIONS, at.context())
