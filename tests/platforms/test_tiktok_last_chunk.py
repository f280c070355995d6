"""TikTok: a last chunk that was believed to be lost is sent again to the same upload, and only one post comes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.platforms.alone import Alone
from tests.platforms.cases.tiktok import CASES
from tests.platforms.tiktok_alone import OPTIONS, PUBLISHER, THREE_CHUNKS, alone_at_tiktok, fake
from tests.platforms.world import approve, connect, open_platform, settle

from video_manager.domain.publication import PublicationState
from video_manager.errors import RetryableError
from video_manager.fakes import tiktok
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.fakes.tiktok import TikTokFake
from video_manager.plugins.api import Handle, Published
from video_manager.plugins.publishers.tiktok import SPARE_SECONDS, TikTokOptions
from video_manager.plugins.publishers.tiktok_api import Chunks, TikTok


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_tiktok(tmp_path) as found:
        yield found


async def land(at: Alone, handle: Handle) -> None:
    """The last chunk arrives after all."""
    chunks, post = Chunks(handle["size_bytes"], handle["chunk_bytes"], handle["chunks"]), at.post(THREE_CHUNKS)
    tiktok = TikTok(at.context())
    await tiktok.send(handle["upload_url"], chunks, chunks.count - 1, post.video, post.video_type)
    at.network.calls.clear()


async def published_by(at: Alone, earlier: Handle) -> Published:
    """The next attempt; there is one post, of the upload that was begun first."""
    post, context = at.post(THREE_CHUNKS), at.context(earlier)
    published = await PUBLISHER.publish(
        post, await PUBLISHER.upload(post, OPTIONS, context), OPTIONS, context
    )  # fmt: skip
    (shown,) = fake(at).posts.values()
    assert (shown.sha256, list(fake(at).uploads)) == (post.video_sha256, [earlier["publish_id"]])
    return published


async def test_it_is_sent_again_to_the_same_upload_and_nothing_else_is(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    at.network.calls.clear()
    await published_by(at, handle)
    assert (len(at.calls("PUT")), at.calls("init")) == (1, [])


async def test_one_that_has_landed_before_the_next_attempt_is_no_second_post(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    await land(at, handle)
    assert (await published_by(at, handle)).url is not None
    assert (at.calls("PUT"), at.calls("init")) == ([], [])


async def test_one_that_has_landed_and_its_address_has_died_is_no_second_post(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    await land(at, handle)
    at.network.skew_seconds += tiktok.ADDRESS_SECONDS
    await published_by(at, {**handle, "expires_at": "2020-01-01T00:00:00+00:00"})


async def test_one_that_lands_before_it_is_sent_again_is_no_second_post(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    post, context = at.post(THREE_CHUNKS), at.context(handle)
    again = await PUBLISHER.upload(post, OPTIONS, context)
    await land(at, handle)
    published = await PUBLISHER.publish(post, again, OPTIONS, context)
    assert list(fake(at).posts) == [published.external_id]


async def test_one_that_has_arrived_in_part_is_sent_whole(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    half = {"status": "PROCESSING_UPLOAD", "uploaded_bytes": 2 * handle["chunk_bytes"] + 7}
    body = {"data": half, "error": {"code": "ok", "message": ""}}
    at.network.faults.append(Fault("answer", "status", status=200, body=body))
    await published_by(at, handle)


async def test_it_is_gone_on_with_as_long_as_its_address_lives(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    soon = (at.context().now() + timedelta(seconds=SPARE_SECONDS / 2)).isoformat()
    await published_by(at, {**handle, "expires_at": soon})


async def test_whoever_chose_another_mode_gets_it(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    drafts = TikTokOptions(mode="inbox")
    again = await PUBLISHER.upload(at.post(THREE_CHUNKS), drafts, at.context(handle))
    assert (again["mode"], again["publish_id"] != handle["publish_id"]) == ("inbox", True)
    await land(at, handle)
    assert (await PUBLISHER.upload(at.post(THREE_CHUNKS), drafts, at.context(handle)))["arrived"]


async def test_one_that_may_be_on_its_way_is_not_given_up_when_its_address_refuses_it_again(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    post, context = at.post(THREE_CHUNKS), at.context(handle)
    again = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("answer", "PUT", status=416))
    with pytest.raises(RetryableError):  # not NotPublished: it is asked about, and gone on with
        await PUBLISHER.publish(post, again, OPTIONS, context)
    await published_by(at, handle)


async def test_what_we_know_of_its_parts_counts_more_than_what_tiktok_says_late(at: Alone) -> None:
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    late = {"status": "PROCESSING_UPLOAD", "uploaded_bytes": handle["chunk_bytes"]}
    body = {"data": late, "error": {"code": "ok", "message": ""}}
    at.network.faults.append(Fault("answer", "status", status=200, body=body))
    await published_by(at, handle)


async def test_a_post_that_tiktok_gave_up_on_is_begun_anew(at: Alone) -> None:
    fake(at).fail_reason = "internal"
    handle = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context())
    await land(at, handle)
    fake(at).looks_until_complete = 0
    anew = await PUBLISHER.upload(at.post(THREE_CHUNKS), OPTIONS, at.context(handle))
    assert anew["publish_id"] != handle["publish_id"]


async def test_the_ledger_sends_a_lost_last_chunk_again_to_the_same_upload(tmp_path: Path) -> None:
    network = FakeNetwork([TikTokFake])
    found = network.fakes["tiktok"]
    assert isinstance(found, TikTokFake)
    case = CASES["tiktok, in chunks"]
    network.faults.append(Fault("before", number=4))  # the PUT of the last of two
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, case, network)
            publication = await settle(world, await approve(world, case))
    assert publication.state is PublicationState.PUBLISHED
    puts = [call.number for call in network.calls if call.method == "PUT"]
    assert (len(found.uploads), len(found.posts), len(puts)) == (1, 1, 3)
