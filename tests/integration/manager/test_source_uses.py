"""Which sent-in files are still needed, without reading every video; also with two managers at work."""

import asyncio
from datetime import timedelta

import pytest
from tests.integration.manager.conftest import ADMIN, Played

from video_manager.domain.video import MediaRole
from video_manager.errors import Unavailable
from video_manager.manager.lifetimes import Lifetimes
from video_manager.manager.requests import ReviewRequest
from video_manager.manager.source_uses import SOURCE_USES, SourceUse
from video_manager.ports import DocumentStore, Query
from video_manager.repository import Repository
from video_manager.web import random_ids

REJECT = ReviewRequest(version=1, decision="reject", reason="no")


class Uses:
    """The index, and a second manager beside the one of `played`."""

    def __init__(self, played: Played) -> None:
        self.played = played
        store: DocumentStore = played.repository._store
        self.repository = Repository(store, SOURCE_USES, SourceUse)
        self.second = Lifetimes(
            played.repository, played.jobs, played.files, played.jobs._registry, played.jobs._clock,
            timedelta(days=30), [played.publishing.needed_files], played.sent.forget, store,
        )  # fmt: skip

    async def of(self, source_id: str) -> list[str]:
        found = [loaded.value for loaded in await self.repository.find(Query(limit=500))]
        return sorted(use.video_id for use in found if use.source_id == source_id)

    async def send_picture(self) -> dict[str, str]:
        self.played.sent.files["picture"] = await self.played.store("picture", MediaRole.SOURCE, b"png")
        return {"picture": "picture"}


@pytest.fixture
async def uses(played: Played) -> Uses:
    made = Uses(played)
    await made.second.open()
    return made


async def test_a_use_is_noted_before_the_video_and_goes_with_its_need(played: Played, uses: Uses) -> None:
    view = await played.request(options=await uses.send_picture())
    assert await uses.of("picture") == [view.id]
    await played.render(view.id)
    await played.process(view.id)
    assert await uses.of("picture") == [view.id]
    await played.reviews.review(ADMIN, view.id, REJECT, random_ids)
    assert await uses.of("picture") == []
    assert played.sent.forgotten == ["picture"]


async def test_uses_that_are_over_are_looked_at_once(played: Played, uses: Uses) -> None:
    """A logo in every video: each release meets those that are over, and leaves none of them behind."""
    options = await uses.send_picture()
    done = [await played.make_ready(options=options) for _ in range(3)]
    last = await played.request(options=options)
    for view in done:
        await played.reviews.review(ADMIN, view.id, REJECT, random_ids)
    assert played.sent.forgotten == []
    assert last.id in await uses.of("picture")
    await played.videos.cancel(ADMIN, last.id)
    await played.videos.delete(ADMIN, last.id)
    assert played.sent.forgotten == ["picture"]
    assert await uses.of("picture") == []


async def test_a_file_that_is_just_being_asked_for_stays(played: Played, uses: Uses) -> None:
    """Its request is between noting the use and storing the video."""
    view = await played.make_ready(options=await uses.send_picture())
    spec = (await played.repository.load(view.id)).value.newest.spec
    await played.lifetimes.note_sources("not-stored-yet", [spec])
    await played.reviews.review(ADMIN, view.id, REJECT, random_ids)
    assert played.sent.forgotten == []


async def test_two_managers_let_go_at_the_same_time(played: Played, uses: Uses) -> None:
    view = await played.make_ready(options=await uses.send_picture())
    await played.videos.delete(ADMIN, view.id)
    played.sent.forgotten.clear()
    both = (played.lifetimes, uses.second)
    await asyncio.gather(*(one.settle(view.id) for one in both), *(one.release_sources(["picture"]) for one in both))
    assert (await played.repository.load(view.id)).value.let_go == ()
    assert await uses.of("picture") == []


async def test_a_store_that_is_away_forgets_nothing_that_is_to_go_later(
    played: Played, uses: Uses, monkeypatch: pytest.MonkeyPatch
) -> None:
    await played.make_ready(options=await uses.send_picture())
    played.publishing.needed = {"picture"}
    played.sent.forgotten.clear()
    view = (await played.repository.find(Query(limit=1)))[0].value
    await played.videos.delete(ADMIN, view.id)
    assert played.sent.forgotten == []  # handed over to somebody just now
    played.publishing.needed = set()

    async def away(_ids: object) -> set[str]:
        raise Unavailable("the store does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(played.lifetimes._uses, "needed", away)
        with pytest.raises(Unavailable):
            await played.lifetimes._release_later()
    await played.lifetimes._release_later()
    assert played.sent.forgotten == ["picture"]


async def test_videos_of_a_release_without_the_index_keep_their_sources(played: Played, uses: Uses) -> None:
    view = await played.request(options=await uses.send_picture())
    gone = await played.request(options={})
    for loaded in await uses.repository.find(Query(limit=100)):
        await uses.repository.remove(loaded.value.id)
    await played.lifetimes.release_sources(["picture"])
    assert played.sent.forgotten == []  # nobody knows yet
    await uses.second._clean_up()
    assert await uses.of("picture") == [view.id]
    await played.lifetimes.release_sources(["picture"])
    assert played.sent.forgotten == []
    await played.videos.delete(ADMIN, view.id)
    assert played.sent.forgotten == ["picture"]
    assert gone.id not in await uses.of("picture")
