"""How long bytes last."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.manager.conftest import ADMIN, Played

from video_manager.contracts.envelope import envelope
from video_manager.contracts.events import PublicationFailed, PublicationWithdrawn
from video_manager.domain.job import JobResult
from video_manager.domain.video import MediaFile, MediaRole, Video, VideoState
from video_manager.errors import Unavailable
from video_manager.manager.requests import ReviewRequest
from video_manager.web import random_ids


async def test_sent_in_files_stay_until_no_open_version_needs_them(played: Played) -> None:
    picture = await played.store("picture", MediaRole.SOURCE, b"png")
    played.sent.files["picture"] = picture
    view = await played.make_ready(options={"picture": "picture"})
    assert played.sent.forgotten == []  # a reviewer may ask for another version
    body = ReviewRequest(version=1, decision="approve", channels=["c1"])
    await played.reviews.review(ADMIN, view.id, body, random_ids)
    assert played.sent.forgotten == ["picture"]


async def test_sources_stay_while_an_older_version_is_undecided(played: Played) -> None:
    played.sent.files["picture"] = await played.store("picture", MediaRole.SOURCE, b"png")
    view = await played.make_ready(options={"picture": "picture"})
    again = ReviewRequest(version=1, decision="regenerate")
    await played.reviews.review(ADMIN, view.id, again, random_ids)
    await played.render(view.id, 2)
    await played.process(view.id, 2)
    second = ReviewRequest(version=2, decision="reject", reason="worse")
    await played.reviews.review(ADMIN, view.id, second, random_ids)
    assert played.sent.forgotten == []  # a third version may be made
    first = ReviewRequest(version=1, decision="reject", reason="bad too")
    await played.reviews.review(ADMIN, view.id, first, random_ids)
    assert played.sent.forgotten == ["picture"]


async def test_a_source_shared_by_two_videos_stays_for_the_second(played: Played) -> None:
    played.sent.files["picture"] = await played.store("picture", MediaRole.SOURCE, b"png")
    first = await played.make_ready(options={"picture": "picture"})
    second = await played.make_ready(options={"picture": "picture"})
    await played.videos.delete(ADMIN, first.id)
    assert played.sent.forgotten == []
    await played.videos.delete(ADMIN, second.id)
    assert played.sent.forgotten == ["picture"]


async def test_retention_lets_go_of_old_masters_but_keeps_thumbnails(played: Played) -> None:
    view = await played.make_ready()
    waiting = await played.make_ready()
    await played.reviews.review(ADMIN, view.id, ReviewRequest(version=1, decision="reject", reason="x"), random_ids)

    def age(video: Video) -> Video:
        old = datetime.now(UTC) - timedelta(days=40)
        reviews = tuple(review.with_(at=old) for review in video.reviews)
        versions = tuple(version.with_(ready_at=old) for version in video.versions)
        return video.with_(updated_at=old, reviews=reviews, versions=versions)

    for id in (view.id, waiting.id):
        await played.repository.change(id, age)
    assert await played.lifetimes.apply_retention() == 1
    gone, kept = await played.videos.get(ADMIN, view.id), await played.videos.get(ADMIN, waiting.id)
    assert [file.role for file in gone.versions[0].files] == ["thumbnail", "thumbnail"]
    assert "master" in [file.role for file in kept.versions[0].files]
    assert [item.id async for item in played.files.list() if item.id.startswith(f"master-{view.id}")] == []


async def test_retention_reaches_every_video_however_many_are_done_already(played: Played) -> None:
    view = await played.make_ready()
    await played.reviews.review(ADMIN, view.id, ReviewRequest(version=1, decision="reject", reason="x"), random_ids)
    old = datetime.now(UTC) - timedelta(days=40)

    def age(video: Video) -> Video:
        reviews = tuple(review.with_(at=old) for review in video.reviews)
        versions = tuple(version.with_(ready_at=old) for version in video.versions)
        return video.with_(updated_at=old, reviews=reviews, versions=versions)

    aged = (await played.repository.change(view.id, age)).value
    done = aged.put(aged.newest.with_(files=()), old).with_(let_go=(), created_at=old - timedelta(days=1))
    await asyncio.gather(*(played.repository.add(done.with_(id=f"0{number}")) for number in range(1001)))
    assert await played.lifetimes.apply_retention() == 1


@pytest.mark.parametrize("open_publication", ["scheduled", "unknown", "failed"])
async def test_retention_waits_for_publications(played: Played, open_publication: str) -> None:
    view = await played.make_ready()
    await played.reviews.review(ADMIN, view.id, ReviewRequest(version=1, decision="reject", reason="x"), random_ids)

    def age(video: Video) -> Video:
        old = datetime.now(UTC) - timedelta(days=40)
        reviews = tuple(review.with_(at=old) for review in video.reviews)
        versions = tuple(version.with_(ready_at=old) for version in video.versions)
        return video.with_(updated_at=old, reviews=reviews, versions=versions, publications={"p": open_publication})

    await played.repository.change(view.id, age)
    assert await played.lifetimes.apply_retention() == 0


async def _told(played: Played, kind: type[PublicationWithdrawn | PublicationFailed], video_id: str) -> None:
    """Publishing says how the publication of the video stands now."""
    facts = {"publication_id": "p", "approval_id": "a", "video_id": video_id, "version": 1, "channel_id": "c1",
             "platform": "folder", "at": datetime.now(UTC)}  # fmt: skip
    told = envelope(kind.model_validate(facts), source="publishing", subject="p")
    await played.bus.publish([told])
    await played.settled()


async def test_what_a_publication_needs_goes_when_that_has_ended(played: Played) -> None:
    view = await played.make_ready()
    master = f"master-{view.id}-1-0"
    played.publishing.needed = {master}
    await played.videos.delete(ADMIN, view.id)
    assert [item.id async for item in played.files.list()] == [master]
    await _told(played, PublicationFailed, view.id)
    assert await played.stored(at_most=1) == [master], "a person may try it again"
    played.publishing.needed = set()
    await _told(played, PublicationWithdrawn, view.id)
    assert await played.stored(at_most=0) == []


async def test_bytes_of_a_decision_whose_process_died_before_it_deleted_them_go_later(played: Played) -> None:
    view = await played.make_ready()
    master = f"master-{view.id}-1-0"

    def died(video: Video) -> Video:
        """The last thing that was written."""
        kept = tuple(file for file in video.newest.files if file.id != master)
        version = video.newest.with_(files=kept)
        return video.put(version, datetime.now(UTC)).with_(let_go=(master,))

    await played.repository.change(view.id, died)
    rejected = ReviewRequest(version=1, decision="reject", reason="x")
    await played.reviews.review(ADMIN, view.id, rejected, random_ids)
    assert master in [item.id async for item in played.files.list()], "another decision lets go of its own bytes only"
    await played.lifetimes.settle_all()
    assert master not in [item.id async for item in played.files.list()]
    assert (await played.repository.load(view.id)).value.let_go == ()


async def test_what_videos_let_go_is_removed_together_soon(played: Played) -> None:
    """As while it runs: nobody asks for it."""
    await played.lifetimes.start()
    try:
        views = [await played.make_ready() for _ in range(3)]
        kept = {file.id for view in views for file in view.versions[0].files}
        stored = await played.stored(at_most=len(kept))
    finally:
        await played.lifetimes.stop()
    assert set(stored) == kept, "the raw sources are gone, and nothing else"
    videos = await played.repository.load_many([view.id for view in views])
    assert [one.value.let_go for one in videos] == [()] * 3


async def test_what_could_not_be_settled_is_tried_again(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    view = await played.request()
    with monkeypatch.context() as broken:

        async def away(_ids: object) -> None:
            raise Unavailable("the store is away")

        broken.setattr(played.lifetimes._files, "delete_many", away)
        played.lifetimes.settle_soon(view.id)
        await played.repository.change(view.id, lambda video: video.with_(let_go=("source",)))
        with pytest.raises(Unavailable):
            await played.lifetimes.settle_waiting()
    await played.lifetimes.settle_waiting()
    assert (await played.repository.load(view.id)).value.let_go == ()


async def test_the_sweeper_removes_only_what_nothing_names(played: Played) -> None:
    view = await played.make_ready()
    await played.store("stray", MediaRole.MASTER, b"left by a crash")
    assert await played.lifetimes.sweep(timedelta(hours=24)) == 0
    assert await played.lifetimes.sweep(timedelta(seconds=-1)) == 1
    assert {item.id async for item in played.files.list()} == {file.id for file in view.versions[0].files}


async def test_the_sweeper_leaves_what_a_finished_job_made_before_its_video_heard_of_it(played: Played) -> None:
    """The machine went off right after the job was finished, and came back days later."""
    view = await played.request()
    await played.settled()
    await played.relay.stop()
    job = await played.jobs.claim(f"{view.id}.1.render", "w")
    assert job is not None
    source = await played.store("made", MediaRole.SOURCE, b"raw")
    await played.jobs.finish(job.id, job.attempt, JobResult(files=(source,)))
    assert await played.lifetimes.sweep(timedelta(seconds=-1)) == 0
    await played.relay.start()
    await played.settled()
    await played.process(view.id)
    assert (await played.videos.get(ADMIN, view.id)).state is VideoState.IN_REVIEW


def _no_files() -> object:
    return JobResult(files=(_file(),))


def _file() -> MediaFile:
    return MediaFile(
        id="late", role=MediaRole.SOURCE, name="late", content_type="video/mp4", size_bytes=1, sha256="0" * 64
    )
