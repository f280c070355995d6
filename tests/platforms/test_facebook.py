"""Facebook Page Reels: videos that are gone on with, what is asked until they are public, limits, quota, connecting."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import Alone
from tests.platforms.cases.facebook import CASES
from tests.platforms.meta_alone import alone_at_meta, bytes_calls, meta_of, send_part, signed_in
from tests.platforms.world import CHANNEL, approve, connect, open_platform, settle

from video_manager.adapters.clock import SystemClock
from video_manager.domain.publication import PublicationState
from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError
from video_manager.fakes import meta
from video_manager.fakes.facebook import FacebookSide
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.plugins.api import Answer, Asked, Handle, Token
from video_manager.plugins.publishers.facebook import NEEDED, REELS_A_DAY, FacebookPublisher
from video_manager.publishing.quotas import QUOTAS, Quotas, QuotaUse
from video_manager.repository import Repository

NOT_STARTED, RUNNING, COMPLETE = {"status": "not_started"}, {"status": "in_progress"}, {"status": "complete"}


@pytest.fixture
async def facebook(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_meta(tmp_path, FacebookPublisher(), {"id": meta.PAGE}, NEEDED) as it:
        yield it


@pytest.fixture
async def newcomer(tmp_path: Path) -> AsyncIterator[Alone]:
    """Nothing is connected yet."""
    async with alone_at_meta(tmp_path, FacebookPublisher(), {}, NEEDED) as it:
        yield it


def side_of(it: Alone) -> FacebookSide:
    return meta_of(it).facebook


async def begun(it: Alone) -> Handle:
    """The handle of an upload that was cut off before its bytes."""
    it.network.faults.append(Fault("before", "rupload"))
    with pytest.raises(RetryableError):
        await it.upload()
    return it.handles[-1]


# ---- bytes ------------------------------------------------------------------------------------------------------


async def test_the_handle_is_stored_before_the_first_byte(facebook: Alone) -> None:
    handle = await begun(facebook)
    (video,) = side_of(facebook).videos
    assert handle == {"video": video, "upload_url": f"https://rupload.facebook.com/video-upload/v26.0/{video}"}


async def test_interrupted_bytes_go_on_where_the_video_stands(facebook: Alone) -> None:
    earlier = await begun(facebook)
    await send_part(facebook, earlier["upload_url"], 100_000)
    handle = await facebook.upload(earlier=earlier)
    assert handle == earlier == facebook.handles[-1]
    (video,) = side_of(facebook).videos.values()
    assert (video.arrived.size_bytes, video.arrived.sha256) == (300_000, facebook.post().video_sha256)


async def test_bytes_that_are_there_are_not_sent_again(facebook: Alone) -> None:
    earlier = await facebook.upload()
    assert await facebook.upload(earlier=earlier) == earlier
    assert len(bytes_calls(facebook)) == 1
    assert len(side_of(facebook).videos) == 1


@pytest.mark.parametrize("how", ["forgotten", "expired", "error"])
async def test_a_video_of_no_use_is_replaced(facebook: Alone, how: str) -> None:
    earlier = await facebook.upload()
    if how == "forgotten":
        side_of(facebook).videos.clear()
    else:
        body = {"id": earlier["video"], "status": {"video_status": how, "uploading_phase": COMPLETE}}
        facebook.network.faults.append(Fault("answer", f"GET .*/{earlier['video']}", status=200, body=body))
    assert (await facebook.upload(earlier=earlier))["video"] != earlier["video"]
    assert len(bytes_calls(facebook)) == 2


async def test_a_video_that_facebook_does_not_take_is_begun_anew_later(facebook: Alone) -> None:
    body = {"status": {"video_status": "expired", "uploading_phase": NOT_STARTED}}
    facebook.network.faults.append(Fault("answer", r"GET .*\?fields=status$", status=200, body=body))
    with pytest.raises(RetryableError, match="Facebook let the video go: expired"):
        await facebook.upload()


async def test_a_video_that_facebook_cannot_process_fails_with_its_words(tmp_path: Path) -> None:
    network = FakeNetwork([meta.MetaFake])
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, CASES["facebook"], network)
            found = network.fakes["meta"]
            assert isinstance(found, meta.MetaFake)
            found.facebook.fails_with = "Resolution too low"
            publication = await settle(world, await approve(world, CASES["facebook"]))
    assert publication.state is PublicationState.FAILED
    assert publication.error == "Facebook could not use the video: Resolution too low (error 1363128)"
    assert len(found.facebook.videos) == 1, "it was not sent again in vain"
    assert not found.posts


# ---- publishing and asking --------------------------------------------------------------------------------------


async def test_a_reel_is_asked_about_until_it_is_public(facebook: Alone) -> None:
    handle = await facebook.upload()
    assert (await facebook.ask(handle)).answer is Answer.ABSENT
    error, is_certain = await facebook.refused_with(handle)
    assert (str(error), is_certain) == ("Facebook has it and processes it; it is public when that has ended", False)
    answers = [(await facebook.ask(handle)).answer for _ in range(3)]
    assert answers == [Answer.PENDING, Answer.PENDING, Answer.PUBLISHED]
    asked = await facebook.ask(handle)
    assert asked.published is not None
    assert (asked.published.external_id, asked.published.warning) == (handle["video"], None)
    assert asked.published.url == f"https://www.facebook.com/reel/{handle['video']}/"
    (post,) = meta_of(facebook).public_posts()
    assert post.text == "Ein Tag\n\nAm Meer.\n\n#meer"
    assert post.extra["video_state"] == "PUBLISHED"


@pytest.mark.parametrize(
    ("video_status", "processing", "publishing", "answer"),
    [
        ("upload_complete", NOT_STARTED, NOT_STARTED, Answer.ABSENT),
        ("processing", RUNNING, NOT_STARTED, Answer.PENDING),
        ("processing", COMPLETE, RUNNING, Answer.PENDING),
        ("ready", COMPLETE, NOT_STARTED, Answer.UNKNOWN),
        ("ready", COMPLETE, COMPLETE, Answer.PUBLISHED),
        ("error", {"status": "error", "error": {"message": "Resolution too low"}}, NOT_STARTED, Answer.ABSENT),
        ("ready", COMPLETE, {"status": "error", "errors": [{"code": 1363026}]}, Answer.ABSENT),
        ("expired", NOT_STARTED, NOT_STARTED, Answer.ABSENT),
        ("new", {}, {}, Answer.UNKNOWN),
    ],
)
async def test_what_the_phases_of_a_video_mean(
    facebook: Alone, video_status: str, processing: Any, publishing: Any, answer: Answer
) -> None:
    asked = await asked_with(facebook, video_status, processing, publishing)
    assert asked.answer is answer
    assert asked.failure is None or answer is Answer.ABSENT


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Resolution too low"}, PermanentError),
        ({"code": 1363128, "message": "Unsupported"}, PermanentError),
        ({"code": 1363047, "message": "Try again"}, RetryableError),
        ({"code": 1404078, "message": "The Page is not authorized"}, ActionRequiredError),
    ],
)
async def test_what_a_failure_of_the_processing_asks_for(
    facebook: Alone, error: dict[str, Any], kind: type[Exception]
) -> None:
    asked = await asked_with(facebook, "error", {"status": "error", "errors": [error]}, NOT_STARTED)
    assert isinstance(asked.failure, kind)
    assert error["message"] in asked.failure.detail


async def asked_with(it: Alone, video_status: str, processing: Any, publishing: Any) -> Asked:
    status = {"video_status": video_status, "uploading_phase": COMPLETE, "processing_phase": processing,
              "publishing_phase": publishing}  # fmt: skip
    body = {"id": "900", "status": status, "permalink_url": "/reel/900/"}
    it.network.faults.append(Fault("answer", "GET .*/900", status=200, body=body))
    return await it.ask({"video": "900", "upload_url": ""})


@pytest.mark.parametrize("kept_as", ["draft", "scheduled"])
async def test_a_reel_that_facebook_keeps_back_is_told_of(facebook: Alone, kept_as: str) -> None:
    asked = await asked_with(facebook, "ready", COMPLETE, {"status": "complete", "publish_status": kept_as})
    assert asked.published is not None
    assert asked.published.warning == f"Facebook keeps the reel as {kept_as}: see to it there"


async def test_finishing_without_all_bytes_is_certainly_no_post(facebook: Alone) -> None:
    error, is_certain = await facebook.refused_with(await begun(facebook))
    assert (type(error), is_certain) == (PermanentError, True)


async def test_more_than_facebook_allows_is_a_later_time(facebook: Alone) -> None:
    side_of(facebook).api_posts = [(facebook.network.now(), meta.PAGE)] * 30
    error, is_certain = await facebook.refused_with(await facebook.upload())
    assert (type(error), is_certain) == (LimitReached, True)


async def test_each_reel_that_is_begun_is_counted_once(facebook: Alone) -> None:
    earlier = await begun(facebook)
    await facebook.upload(earlier=earlier)
    assert facebook.access.spent == [("reels", 1)]
    assert (REELS_A_DAY.limit, REELS_A_DAY.window.total_seconds(), REELS_A_DAY.per_channel) == (30, 86400, True)


async def test_the_thirty_first_reel_waits_and_is_not_begun(tmp_path: Path) -> None:
    network = FakeNetwork([meta.MetaFake])
    case = CASES["facebook"]
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, case, network)
            quotas = Quotas(Repository(world.documents, QUOTAS, QuotaUse), SystemClock())
            await quotas.spend("facebook", CHANNEL, REELS_A_DAY, REELS_A_DAY.limit)
            id = await approve(world, case)
            await world.run()
            publication = await world.publication(id)
    assert publication.state is PublicationState.SCHEDULED
    assert publication.tries == 0
    assert "30 reels are used up" in str(publication.error)
    assert not network.calls


async def test_a_reel_is_taken_down(facebook: Alone) -> None:
    handle = await facebook.upload()
    await facebook.refused_with(handle)
    while (await facebook.ask(handle)).answer is not Answer.PUBLISHED:
        pass
    await facebook.publisher.delete(handle["video"], facebook.options, facebook.context())
    assert not meta_of(facebook).posts


# ---- limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"duration_seconds": 2.9}, "too_short"),
        ({"duration_seconds": 90.5}, "too_long"),
        ({"width": 1080, "height": 1080}, "too_wide"),
        ({"width": 1080, "height": 2400}, "too_narrow"),
        ({"width": 360, "height": 640}, "too_few_pixels"),
        ({"frame_rate": "15/1"}, "frame_rate"),
        ({"frame_rate": "120/1"}, "frame_rate"),
        ({"video_type": "video/quicktime"}, "file_type"),
    ],
)
async def test_faults_are_found_before_anything_is_sent(facebook: Alone, facts: dict[str, Any], code: str) -> None:
    facebook.facts.update(facts)
    assert await facebook.faults() == [code]
    assert not facebook.network.calls


@pytest.mark.parametrize(
    "facts", [{"width": 540, "height": 960, "duration_seconds": 90.0}, {"frame_rate": "24000/1001"}]
)
async def test_what_just_fits_is_let_through(facebook: Alone, facts: dict[str, Any]) -> None:
    facebook.facts.update(facts)
    assert await facebook.faults() == []


# ---- connecting -------------------------------------------------------------------------------------------------


async def test_the_pages_are_offered_each_with_its_token(newcomer: Alone) -> None:
    signed_in(newcomer, NEEDED)
    accounts = await newcomer.publisher.accounts(newcomer.options, newcomer.context())
    assert [(one.id, one.name, one.url) for one in accounts] == [
        (meta.PAGE, "Demo page", f"https://www.facebook.com/{meta.PAGE}"),
        (meta.OTHER_PAGE, "Other page", f"https://www.facebook.com/{meta.OTHER_PAGE}"),
    ]
    tokens = [one.token for one in accounts]
    assert all(token is not None and token.expires_at is None for token in tokens)
    owners = [meta_of(newcomer).desk.holder(token.access).account for token in tokens if token]
    assert owners == [meta.PAGE, meta.OTHER_PAGE]
    with pytest.raises(ActionRequiredError, match="choose one of Demo page, Other page"):
        await newcomer.publisher.connect(newcomer.options, newcomer.context())


async def test_a_page_without_the_right_to_post_is_not_offered(newcomer: Alone) -> None:
    pages = meta_of(newcomer).pages
    pages[meta.PAGE]["tasks"] = ["ANALYZE"]
    signed_in(newcomer, NEEDED)
    (account,) = await newcomer.publisher.accounts(newcomer.options, newcomer.context())
    assert account.id == meta.OTHER_PAGE
    pages[meta.OTHER_PAGE]["tasks"] = []
    with pytest.raises(ActionRequiredError, match="may not create content on Demo page, Other page"):
        await newcomer.publisher.accounts(newcomer.options, newcomer.context())


@pytest.mark.parametrize("missing", NEEDED)
async def test_a_permission_that_was_not_granted_is_named(newcomer: Alone, missing: str) -> None:
    signed_in(newcomer, [scope for scope in NEEDED if scope != missing])
    with pytest.raises(ActionRequiredError, match=f"was not granted {missing}: connect again"):
        await newcomer.publisher.accounts(newcomer.options, newcomer.context())


async def test_a_right_that_was_taken_away_asks_the_person(facebook: Alone) -> None:
    meta_of(facebook).pages[meta.PAGE]["tasks"] = []
    with pytest.raises(ActionRequiredError, match="must be able to create content"):
        await facebook.upload()


async def test_a_connected_channel_shows_its_page(facebook: Alone) -> None:
    account = await facebook.publisher.connect(facebook.options, facebook.context())
    assert (account.id, account.name) == (meta.PAGE, "Demo page")


async def test_the_first_token_is_exchanged_for_a_lasting_one(newcomer: Alone) -> None:
    first = signed_in(newcomer, NEEDED)
    lasting = await newcomer.publisher.exchanged(Token(first), newcomer.context())
    assert lasting.access != first
    assert set(lasting.scopes) == set(NEEDED)


async def test_a_revoked_token_pauses_the_channel_and_loses_nothing(tmp_path: Path) -> None:
    network = FakeNetwork([meta.MetaFake])
    case = CASES["facebook"]
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, case, network)
            found = network.fakes["meta"]
            assert isinstance(found, meta.MetaFake)
            found.desk.revoke(meta.PAGE)
            publication = await settle(world, await approve(world, case))
    assert publication.state is PublicationState.ACTION_REQUIRED
    assert "Error validating access token" in str(publication.error)
    assert not found.posts
