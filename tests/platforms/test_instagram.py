"""Instagram: containers that are gone on with, what is asked after a lost answer, limits, quota and connecting."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import Alone
from tests.platforms.cases.instagram import CASES
from tests.platforms.meta_alone import alone_at_meta, bytes_calls, meta_of, send_part, signed_in
from tests.platforms.world import approve, connect, open_platform, settle

from video_manager.domain.publication import PublicationState
from video_manager.errors import ActionRequiredError, LimitReached, NotPublished, PermanentError, RetryableError
from video_manager.fakes import meta
from video_manager.fakes.instagram import InstagramSide
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.plugins.api import Answer, Token
from video_manager.plugins.publishers.instagram import NEEDED, InstagramPublisher

ACCOUNT = {"id": meta.ACCOUNT, "username": "demo_reels", "page_id": meta.PAGE}


@pytest.fixture
async def instagram(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_meta(tmp_path, InstagramPublisher(), ACCOUNT, NEEDED) as it:
        yield it


@pytest.fixture
async def newcomer(tmp_path: Path) -> AsyncIterator[Alone]:
    """Nothing is connected yet."""
    async with alone_at_meta(tmp_path, InstagramPublisher(), {}, NEEDED) as it:
        yield it


def side_of(it: Alone) -> InstagramSide:
    return meta_of(it).instagram


# ---- bytes ------------------------------------------------------------------------------------------------------


async def test_the_handle_is_stored_before_the_first_byte(instagram: Alone) -> None:
    instagram.network.faults.append(Fault("before", "rupload"))
    with pytest.raises(RetryableError):
        await instagram.upload()
    (container,) = side_of(instagram).containers
    assert [(one["container"], one["uri"]) for one in instagram.handles] == [
        (container, f"https://rupload.facebook.com/ig-api-upload/v26.0/{container}")
    ]


async def test_interrupted_bytes_go_on_where_the_container_stands(instagram: Alone) -> None:
    instagram.network.faults.append(Fault("before", "rupload"))
    with pytest.raises(RetryableError):
        await instagram.upload()
    earlier = instagram.handles[-1]
    await send_part(instagram, earlier["uri"], 100_000)
    handle = await instagram.upload(earlier=earlier)
    assert handle == earlier == instagram.handles[-1]
    (container,) = side_of(instagram).containers.values()
    assert (container.arrived.size_bytes, container.arrived.sha256) == (300_000, instagram.post().video_sha256)


async def test_bytes_that_are_there_are_not_sent_again(instagram: Alone) -> None:
    earlier = await instagram.upload()
    assert len(bytes_calls(instagram)) == 1
    assert await instagram.upload(earlier=earlier) == earlier
    assert len(bytes_calls(instagram)) == 1
    assert len(side_of(instagram).containers) == 1


@pytest.mark.parametrize("how", ["expired", "failed", "forgotten", "too old to be asked"])
async def test_a_container_of_no_use_is_replaced(instagram: Alone, how: str) -> None:
    earlier = dict(await instagram.upload())
    side = side_of(instagram)
    if how == "expired":
        instagram.network.skew_seconds = 24 * 3600 + 60
    elif how == "failed":
        side.failures[earlier["container"]] = "Media upload has failed with error code 2207053"
    elif how == "forgotten":
        del side.containers[earlier["container"]]
    else:
        earlier["begun_at"] = (datetime.now(UTC) - timedelta(hours=24)).isoformat()
    handle = await instagram.upload(earlier=earlier)
    assert handle["container"] != earlier["container"]
    assert len(bytes_calls(instagram)) == 2


async def test_bytes_go_to_meta_alone(instagram: Alone) -> None:
    body = {"id": "17890000000000001", "uri": "https://elsewhere.example/upload"}
    instagram.network.faults.append(Fault("answer", f"POST .*/{meta.ACCOUNT}/media$", status=200, body=body))
    with pytest.raises(PermanentError, match=r"unknown host for the bytes: elsewhere\.example"):
        await instagram.upload()
    assert not bytes_calls(instagram)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Media upload has failed with error code 2207026", PermanentError),
        ("Media upload has failed with error code 2207053", RetryableError),
        ("nobody knows why", RetryableError),
    ],
)
async def test_a_video_that_instagram_cannot_use(instagram: Alone, said: str, kind: type[Exception]) -> None:
    side_of(instagram).fails_with = said
    with pytest.raises(kind, match=said):
        await instagram.upload()


async def test_long_processing_is_waited_for_in_the_next_try(instagram: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("video_manager.fakes.instagram.PROCESSING_POLLS", 9)
    with pytest.raises(RetryableError, match="still processing") as raised:
        await instagram.upload()
    assert raised.value.retry_after_seconds == 60
    assert await instagram.upload(earlier=instagram.handles[-1]) == instagram.handles[-1]
    assert len(bytes_calls(instagram)) == 1


# ---- publishing and asking --------------------------------------------------------------------------------------


async def test_a_reel_is_published_as_it_was_chosen(instagram: Alone) -> None:
    instagram.facts["extra"] = {
        "share_to_feed": False, "thumb_offset_ms": 1500, "collaborators": ["@rita", "vic"], "trial": "performance",
    }  # fmt: skip
    published = await instagram.publish(await instagram.upload())
    (post,) = meta_of(instagram).public_posts()
    assert (published.external_id, published.url, published.warning) == (post.id, post.extra["permalink"], None)
    assert post.text == "Ein Tag\n\nAm Meer.\n\n#meer"
    assert (post.extra["share_to_feed"], post.extra["thumb_offset"]) == ("false", "1500")
    assert json.loads(post.extra["collaborators"]) == ["rita", "vic"]
    assert json.loads(post.extra["trial_params"]) == {"graduation_strategy": "SS_PERFORMANCE"}


async def test_a_reel_whose_address_is_not_told_is_published_all_the_same(instagram: Alone) -> None:
    handle = await instagram.upload()
    instagram.network.faults.append(Fault("answer", r"GET .*/v26\.0/1800\d+$", status=500))
    published = await instagram.publish(handle)
    assert published.url is None
    assert list(meta_of(instagram).posts) == [published.external_id]


async def test_what_is_asked_after_a_lost_answer(instagram: Alone) -> None:
    handle = await instagram.upload()
    assert (await instagram.ask(handle)).answer is Answer.ABSENT
    instagram.network.faults.append(Fault("after", "media_publish"))
    error, is_certain = await instagram.refused_with(handle)
    assert (type(error), is_certain) == (RetryableError, False)
    asked = await instagram.ask(handle)
    (post,) = meta_of(instagram).public_posts()
    assert asked.answer is Answer.PUBLISHED
    assert asked.published is not None
    assert (asked.published.external_id, asked.published.url) == (post.id, post.extra["permalink"])


async def test_an_older_reel_with_the_same_words_is_not_taken_for_this_one(instagram: Alone) -> None:
    await instagram.publish(await instagram.upload())
    instagram.network.skew_seconds = 7200
    handle = {**await instagram.upload(), "begun_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}
    side_of(instagram).published[handle["container"]] = 1
    assert (await instagram.ask(handle)).answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("state", "answer"),
    [("IN_PROGRESS", Answer.PENDING), ("EXPIRED", Answer.ABSENT), ("ERROR", Answer.ABSENT),
     ("FINISHED", Answer.ABSENT)],
)  # fmt: skip
async def test_what_the_states_of_a_container_mean(instagram: Alone, state: str, answer: Answer) -> None:
    handle = await instagram.upload()
    body = {"id": handle["container"], "status_code": state, "status": state}
    instagram.network.faults.append(Fault("answer", f"GET .*/{handle['container']}$", status=200, body=body))
    asked = await instagram.ask(handle)
    assert asked.answer is answer
    assert isinstance(asked.failure, RetryableError) is (state in ("EXPIRED", "ERROR"))


async def test_a_container_that_is_gone_is_looked_for_among_the_posts(instagram: Alone) -> None:
    handle = await instagram.upload()
    published = await instagram.publish(handle)
    del side_of(instagram).containers[handle["container"]]
    asked = await instagram.ask(handle)
    assert asked.published is not None
    assert asked.published.external_id == published.external_id
    meta_of(instagram).posts.clear()
    assert (await instagram.ask(handle)).answer is Answer.UNKNOWN


async def test_publishing_too_early_is_certainly_no_post(instagram: Alone) -> None:
    handle = await instagram.upload()
    side_of(instagram).containers[handle["container"]].polls = 0
    error, is_certain = await instagram.refused_with(handle)
    assert is_certain
    assert isinstance(error, RetryableError)
    assert error.detail == (
        "Instagram answered 400: The media is not ready for publishing, please wait for a moment (error 9007/2207027)"
    )


async def test_a_container_that_expired_meanwhile_asks_for_a_new_one(instagram: Alone) -> None:
    handle = await instagram.upload()
    instagram.network.skew_seconds = 24 * 3600 + 60
    error, is_certain = await instagram.refused_with(handle)
    assert (is_certain, isinstance(error, RetryableError)) == (True, True)


# ---- quota ------------------------------------------------------------------------------------------------------


async def test_nothing_is_begun_when_the_allowance_is_used_up(instagram: Alone) -> None:
    side_of(instagram).posts_a_day = 1
    await instagram.publish(await instagram.upload())
    with pytest.raises(LimitReached, match="allows 1 posts in 24 hours through its API, and 1 were made") as raised:
        await instagram.upload()
    assert raised.value.retry_after_seconds == 3600
    assert len(side_of(instagram).containers) == 1
    instagram.network.skew_seconds = 24 * 3600 + 1
    await instagram.upload()


async def test_an_allowance_that_ends_meanwhile_means_tomorrow(instagram: Alone) -> None:
    handle = await instagram.upload()
    side_of(instagram).posts_a_day = 0
    with pytest.raises(NotPublished) as raised:
        await instagram.publish(handle)
    assert isinstance(raised.value.cause, LimitReached)
    assert raised.value.cause.retry_after_seconds == 24 * 3600


# ---- limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"duration_seconds": 2.9}, "too_short"),
        ({"duration_seconds": 901.0}, "too_long"),
        ({"video_bytes": 300_000_001}, "too_large"),
        ({"width": 2160, "height": 3840}, "too_many_pixels"),
        ({"frame_rate": "15/1"}, "frame_rate"),
        ({"frame_rate": "120/1"}, "frame_rate"),
        ({"video_type": "video/webm"}, "file_type"),
        ({"description": "x" * 2200}, "caption_too_long"),
        ({"tags": tuple(f"t{number}" for number in range(31))}, "too_many_hashtags"),
        ({"description": " ".join(f"@p{number}" for number in range(21))}, "too_many_mentions"),
        ({"extra": {"thumb_offset_ms": 12_400}}, "thumb_offset"),
    ],
)
async def test_faults_are_found_before_anything_is_sent(instagram: Alone, facts: dict[str, Any], code: str) -> None:
    instagram.facts.update(facts)
    assert await instagram.faults() == [code]
    assert not instagram.network.calls


async def test_what_just_fits_is_let_through(instagram: Alone) -> None:
    start = len("Ein Tag\n\n")
    instagram.facts.update(description="x" * (2200 - start), tags=(), frame_rate="30000/1001", duration_seconds=900.0)
    assert await instagram.faults() == []


async def test_a_picture_that_is_not_upright_is_only_warned_of(instagram: Alone) -> None:
    instagram.facts.update(width=1920, height=1080)
    assert await instagram.faults() == []
    (found,) = await instagram.publisher.check(instagram.post(), instagram.options, instagram.context())
    assert found.message == "the picture is 1920 x 1080; reels are made for 9:16, and others get bars"


# ---- connecting -------------------------------------------------------------------------------------------------


async def test_the_accounts_behind_the_pages_are_offered(newcomer: Alone) -> None:
    signed_in(newcomer, NEEDED)
    (account,) = await newcomer.publisher.accounts(newcomer.options, newcomer.context())
    assert (account.id, account.name, account.url) == (
        meta.ACCOUNT, "@demo_reels", "https://www.instagram.com/demo_reels/"
    )  # fmt: skip
    assert account.facts == {"username": "demo_reels", "page_id": meta.PAGE, "page_name": "Demo page"}
    assert account.token is not None
    assert account.token.expires_at is None
    grant = meta_of(newcomer).desk.holder(account.token.access)
    assert grant.account == meta.PAGE
    assert (await newcomer.publisher.connect(newcomer.options, newcomer.context())).id == meta.ACCOUNT


async def test_the_last_page_of_a_long_list_is_found(newcomer: Alone) -> None:
    pages = meta_of(newcomer).pages
    for number in range(5):
        pages[str(300001 + number)] = {
            "name": "More", "tasks": [], "instagram": {"id": f"1784{number}", "username": f"more{number}"},
        }  # fmt: skip
    signed_in(newcomer, NEEDED)
    found = await newcomer.publisher.accounts(newcomer.options, newcomer.context())
    assert [one.name for one in found] == ["@demo_reels", *(f"@more{number}" for number in range(5))]
    with pytest.raises(ActionRequiredError, match="choose one of @demo_reels, @more0"):
        await newcomer.publisher.connect(newcomer.options, newcomer.context())


async def test_a_connected_channel_shows_its_account(instagram: Alone) -> None:
    account = await instagram.publisher.connect(instagram.options, instagram.context())
    assert (account.id, account.name) == (meta.ACCOUNT, "@demo_reels")
    assert account.facts == {"username": "demo_reels", "page_id": meta.PAGE}


@pytest.mark.parametrize("missing", NEEDED)
async def test_a_permission_that_was_not_granted_is_named(newcomer: Alone, missing: str) -> None:
    signed_in(newcomer, [scope for scope in NEEDED if scope != missing])
    with pytest.raises(ActionRequiredError, match=f"was not granted {missing}: connect again"):
        await newcomer.publisher.accounts(newcomer.options, newcomer.context())


async def test_without_an_account_people_are_told_to_link_one(newcomer: Alone) -> None:
    meta_of(newcomer).pages[meta.PAGE]["instagram"] = None
    signed_in(newcomer, NEEDED)
    with pytest.raises(ActionRequiredError, match="link one in the Page's settings"):
        await newcomer.publisher.accounts(newcomer.options, newcomer.context())


async def test_without_a_page_people_are_told_to_choose_one(newcomer: Alone) -> None:
    meta_of(newcomer).pages.clear()
    signed_in(newcomer, NEEDED)
    with pytest.raises(ActionRequiredError, match="shows no Page"):
        await newcomer.publisher.accounts(newcomer.options, newcomer.context())


async def test_the_first_token_is_exchanged_for_a_lasting_one(newcomer: Alone) -> None:
    first = signed_in(newcomer, [*NEEDED, "business_management"])
    before = datetime.now(UTC)
    lasting = await newcomer.publisher.exchanged(Token(first), newcomer.context())
    assert lasting.access != first
    assert lasting.expires_at is not None
    assert timedelta(days=59) < lasting.expires_at - before < timedelta(days=61)
    assert set(lasting.scopes) == {*NEEDED, "business_management"}
    (exchange,) = [call for call in newcomer.network.calls if call.path.endswith("/oauth/access_token")]
    assert exchange.query == "", "secrets stand in no address"


async def test_a_reel_can_only_be_taken_down_in_the_app(instagram: Alone) -> None:
    assert not instagram.publisher.deletes
    with pytest.raises(PermanentError, match="in the app"):
        await instagram.publisher.delete("18000000000000001", instagram.options, instagram.context())


async def test_a_token_that_is_refused_pauses_the_channel_and_loses_nothing(tmp_path: Path) -> None:
    network = FakeNetwork([meta.MetaFake])
    refusal = {"error": {"message": "Error validating access token", "type": "OAuthException", "code": 190}}
    network.faults.append(Fault("answer", "publishing_limit", status=401, body=refusal))
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, CASES["instagram"], network)
            publication = await settle(world, await approve(world, CASES["instagram"]))
    assert publication.state is PublicationState.ACTION_REQUIRED
    assert "connect it again" in str(publication.error)
