"""Requests become videos, versions and jobs; every refusal names the field."""

from datetime import UTC, datetime

import pytest
from tests.integration.manager.conftest import ADMIN, PRODUCER, VIEWER, Played

from video_manager.adapters.clock import SystemClock
from video_manager.contracts.commands import CancelJob, OpenJob
from video_manager.contracts.envelope import envelope
from video_manager.contracts.events import PublicationPublished, PublicationScheduled, PublicationWithdrawn
from video_manager.domain.job import JobState
from video_manager.domain.video import MediaRole, Video, VideoState
from video_manager.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    InvalidTransition,
    LeaseLost,
    NotFound,
    StaleRevision,
    TooManyRequests,
)
from video_manager.manager.jobs import VIDEOS, JobService
from video_manager.manager.progress import ProgressService
from video_manager.manager.requests import VersionRequest, VideosRequest
from video_manager.repository import Loaded, Repository
from video_manager.web import random_ids


async def test_one_video_from_request_to_review(played: Played) -> None:
    view = await played.request()
    assert view.state is VideoState.REQUESTED
    await played.settled()
    job = await played.jobs.claim(f"{view.id}.1.render", "w")
    assert job is not None
    await played.settled()
    await played.jobs.renew(job.id, job.attempt, 0.5, "painting")
    shown = await played.videos.get(ADMIN, view.id)
    assert (shown.state, shown.versions[0].progress, shown.versions[0].stage) == ("rendering", 0.375, "painting")
    await played.jobs.give_back(job.id, job.attempt)
    await played.render(view.id)
    assert (await played.videos.get(ADMIN, view.id)).state is VideoState.PROCESSING
    await played.process(view.id)
    shown = await played.videos.get(ADMIN, view.id)
    assert shown.state is VideoState.IN_REVIEW
    assert [file.role for file in shown.versions[0].files] == ["master", "thumbnail", "thumbnail"]
    assert shown.versions[0].metadata.thumbnail == shown.versions[0].files[1].id
    assert "version.created" in played.sent_types()
    assert "version.ready" in played.sent_types()


async def test_the_render_file_goes_when_processing_is_done(played: Played) -> None:
    view = await played.make_ready()
    assert [item.id async for item in played.files.list() if item.id.startswith("source-")] == []
    with pytest.raises(NotFound, match="no source file"):
        await played.videos.file(ADMIN, view.id, 1, MediaRole.SOURCE)


async def test_open_options_are_drawn_and_stored(played: Played) -> None:
    first = await played.request(seed=7)
    again = await played.request(seed=7)
    colour = first.versions[0].spec.options["colour"]
    assert colour in ("red", "green", "blue")
    assert again.versions[0].spec == first.versions[0].spec
    assert first.versions[0].given == {}


async def test_count_and_several_generators(played: Played) -> None:
    one = {"generator": "paint", "seed": 1, "count": 3}
    views = await played.videos.request(
        ADMIN, VideosRequest.model_validate({"requests": [one, {"generator": "paint"}]}), random_ids
    )
    assert len(views) == 4
    assert [view.versions[0].spec.seed for view in views[:3]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"generator": "nope"}, "generator"),
        ({"options": {"size": "big"}}, "options.size"),
        ({"options": {"sice": 1}}, "options.sice"),
        ({"options": {"picture": "missing"}}, "options"),
        ({"recipe": {"steps": [{"step": "nope"}]}}, "recipe.steps.0.step"),
        ({"count": 21}, "count"),
    ],
)
async def test_a_wrong_request_names_the_field(played: Played, body: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await played.request(**body)
    assert field in [error.field for error in caught.value.errors]
    assert (await played.videos.list_videos(ADMIN)).items == []


async def test_the_field_of_the_second_request_is_named_with_its_place(played: Played) -> None:
    body = {"requests": [{"generator": "paint"}, {"generator": "paint", "options": {"size": "big"}}]}
    with pytest.raises(InvalidInput) as caught:
        await played.videos.request(ADMIN, VideosRequest.model_validate(body), random_ids)
    assert [error.field for error in caught.value.errors] == ["requests.1.options.size"]


async def test_an_unknown_channel_is_refused(played: Played) -> None:
    with pytest.raises(InvalidInput, match="c9"):
        await played.request(channels=["c9"])


async def test_the_same_ids_create_nothing_again(played: Played) -> None:
    def new_id(*parts: str | int) -> str:
        return "fixed-" + "-".join(map(str, parts))

    request = VideosRequest.model_validate({"generator": "paint", "count": 2})
    first = await played.videos.request(ADMIN, request, new_id)
    again = await played.videos.request(ADMIN, request, new_id)
    assert [view.versions[0].spec for view in first] == [view.versions[0].spec for view in again]
    assert len((await played.videos.list_videos(ADMIN)).items) == 2


async def test_too_many_open_jobs(played: Played) -> None:
    for _ in range(2):
        await played.request(count=20)
    await played.settled()
    with pytest.raises(TooManyRequests):
        await played.request(count=11)


async def test_rights(played: Played) -> None:
    with pytest.raises(Forbidden):
        await played.videos.request(VIEWER, VideosRequest.model_validate({"generator": "paint"}), random_ids)
    view = await played.request()
    with pytest.raises(Forbidden):
        await played.videos.delete(VIEWER, view.id)
    assert (await played.videos.cancel(PRODUCER, view.id)).state is VideoState.CANCELLED


async def test_cancel_ends_a_job_whose_owner_died_and_retry_starts_again(played: Played) -> None:
    view = await played.request()
    await played.settled()
    dead = await played.jobs.claim(f"{view.id}.1.render", "dies")
    assert dead is not None
    await played.videos.cancel(ADMIN, view.id)
    await played.settled()
    assert (await played.jobs.get(dead.id)).state is JobState.CANCELLED
    assert "job.cancelled" in played.sent_types()
    with pytest.raises(LeaseLost):
        await played.jobs.renew(dead.id, dead.attempt, 0.5, "late")
    retried = await played.videos.retry(ADMIN, view.id)
    assert retried.state is VideoState.REQUESTED
    await played.settled()
    with pytest.raises(LeaseLost):  # the attempt from before the retry stays fenced
        await played.jobs.fail(dead.id, dead.attempt, "late")
    await played.render(view.id)
    assert (await played.videos.get(ADMIN, view.id)).state is VideoState.PROCESSING


async def test_a_failed_video_says_why_and_can_be_retried(played: Played) -> None:
    view = await played.request()
    await played.settled()
    job = await played.jobs.claim(f"{view.id}.1.render", "w")
    assert job is not None
    await played.jobs.fail(job.id, job.attempt, "ffmpeg: no such filter")
    await played.settled()
    failed = await played.videos.get(ADMIN, view.id)
    assert (failed.state, failed.versions[0].error) == ("failed", "ffmpeg: no such filter")
    assert "version.failed" in played.sent_types()
    await played.videos.retry(ADMIN, view.id)
    await played.render(view.id)
    with pytest.raises(InvalidTransition):
        await played.videos.retry(ADMIN, view.id)


async def test_regenerate_keeps_the_look_unless_asked(played: Played) -> None:
    view = await played.make_ready(options={"size": 5})
    spec = view.versions[0].spec
    changed = await played.videos.regenerate(ADMIN, view.id, VersionRequest(options={"size": 9}), random_ids)
    second = changed.versions[1].spec
    assert (second.options["size"], second.options["colour"], second.seed) == (9, spec.options["colour"], spec.seed)
    another = await played.videos.regenerate(ADMIN, view.id, VersionRequest(), random_ids)
    assert another.versions[2].spec.seed != spec.seed
    assert another.versions[2].spec.options["size"] == 9
    assert another.state is VideoState.REQUESTED


async def test_a_repeated_regenerate_makes_one_version(played: Played) -> None:
    view = await played.make_ready()
    for _ in range(2):
        again = await played.videos.regenerate(ADMIN, view.id, VersionRequest(), lambda *_: "same-request")
    assert [version.number for version in again.versions] == [1, 2]


async def test_a_failed_or_cancelled_video_keeps_no_bytes(played: Played) -> None:
    failing, cancelled = await played.request(), await played.request()
    for view in (failing, cancelled):
        await played.render(view.id)
    job = await played.jobs.claim(f"{failing.id}.1.processing", "w")
    assert job is not None
    await played.jobs.fail(job.id, job.attempt, "no")
    assert await played.jobs.claim(f"{cancelled.id}.1.processing", "w") is not None
    await played.videos.cancel(ADMIN, cancelled.id)
    assert await played.stored(at_most=0) == []


async def test_pause_and_priority_act_on_queued_jobs(played: Played) -> None:
    view = await played.request()
    await played.settled()
    await played.videos.adjust(ADMIN, view.id, priority=None, paused=True)
    await played.settled()
    assert await played.jobs.claim(f"{view.id}.1.render", "w") is None
    await played.videos.adjust(ADMIN, view.id, priority=9, paused=False)
    await played.settled()
    commands = [message for message in played.seen if message.type == "render.paint"]
    assert commands[-1].priority == 9
    assert await played.jobs.claim(f"{view.id}.1.render", "w") is not None


async def test_a_stale_revision_is_refused(played: Played) -> None:
    view = await played.request()
    await played.videos.adjust(ADMIN, view.id, priority=7, paused=None)
    with pytest.raises(StaleRevision):
        await played.videos.cancel(ADMIN, view.id, expected_revision=view.revision)


async def test_delete_frees_the_bytes_and_waits_for_uploads(played: Played) -> None:
    view = await played.make_ready()
    played.publishing.busy = ["p1"]
    with pytest.raises(Conflict, match="p1"):
        await played.videos.delete(ADMIN, view.id)
    played.publishing.busy = []
    await played.videos.delete(ADMIN, view.id)
    assert [item.id async for item in played.files.list()] == []
    assert (await played.videos.get(ADMIN, view.id)).state is VideoState.DELETED
    assert (await played.videos.list_videos(ADMIN)).items == []
    assert len((await played.videos.list_videos(ADMIN, state="deleted")).items) == 1
    await played.videos.delete(ADMIN, view.id)  # again without effect


async def test_delete_leaves_what_a_publication_needs_until_it_has_ended(played: Played) -> None:
    view = await played.make_ready()
    master = view.versions[0].files[0].id
    played.publishing.needed = {master}
    await played.videos.delete(ADMIN, view.id)
    assert [item.id async for item in played.files.list()] == [master]
    played.publishing.needed = set()
    await played.lifetimes.settle_all()
    assert [item.id async for item in played.files.list()] == []


async def test_deleting_while_rendering_stops_the_job(played: Played) -> None:
    view = await played.request()
    await played.settled()
    job = await played.jobs.claim(f"{view.id}.1.render", "w")
    assert job is not None
    await played.videos.delete(ADMIN, view.id)
    await played.settled()
    with pytest.raises(LeaseLost):
        await played.jobs.renew(job.id, job.attempt, 0.2, "")


class CancelledMeanwhile(Repository[Video]):
    """The video is cancelled right after it was read for the first time."""

    def __init__(self, played: Played) -> None:
        super().__init__(played.repository._store, VIDEOS, Video)
        self._played: Played | None = played

    async def get(self, id: str) -> Loaded[Video] | None:
        loaded = await super().get(id)
        played, self._played = self._played, None
        if played is not None:
            await played.videos.cancel(ADMIN, id)
            await played.jobs.cancel(CancelJob(job_id=f"{id}.1.render"))
        return loaded


async def test_a_job_that_is_opened_while_its_video_is_cancelled_is_cancelled(played: Played) -> None:
    await played.relay.stop()
    view = await played.request()
    desk = JobService(
        played.job_repository, CancelledMeanwhile(played), played.jobs._registry, SystemClock(),
        played.generators.known.know,
    )  # fmt: skip
    command = OpenJob(video_id=view.id, version=1, kind="render")
    await desk.open(command, envelope(command, source="manager", subject=view.id))
    assert (await played.jobs.get(f"{view.id}.1.render")).state is JobState.CANCELLED


async def test_a_job_that_is_opened_while_its_video_is_paused_is_paused(played: Played) -> None:
    """By another process, whose command to pause the job came before the job was there."""
    await played.relay.stop()
    view = await played.request()
    assert played.repository.last_seen(view.id) is not None, "what it saw last is not paused"
    elsewhere = Repository(played.repository._store, VIDEOS, Video)
    await elsewhere.change(view.id, lambda video: video.with_(paused=True, priority=7))
    command = OpenJob(video_id=view.id, version=1, kind="render")
    cause = envelope(command, source="manager", subject=view.id)
    for _ in range(2):  # also when it is delivered again
        await played.jobs.open(command, cause)
        job = await played.jobs.get(f"{view.id}.1.render")
        assert (job.paused, job.priority) == (True, 7)
    await elsewhere.change(view.id, lambda video: video.with_(paused=False))
    await played.jobs.open(command, cause)
    assert not (await played.jobs.get(job.id)).paused


async def test_a_delayed_event_does_not_take_a_publication_back(played: Played) -> None:
    view = await played.make_ready()
    progress = ProgressService(played.repository, played.jobs, played.lifetimes, SystemClock())
    facts = {"publication_id": "p", "approval_id": "a", "video_id": view.id, "version": 1, "channel_id": "c1",
             "platform": "folder", "at": datetime.now(UTC)}  # fmt: skip
    for kind in (PublicationPublished, PublicationScheduled):
        body = kind.model_validate(facts)
        await progress.publication_changed(envelope(body, source="publishing", subject="p"), body)
    assert (await played.videos.get(ADMIN, view.id)).publications.by_state == {"published": 1}


async def test_a_post_that_is_taken_down_counts_as_that(played: Played) -> None:
    view = await played.make_ready()
    progress = ProgressService(played.repository, played.jobs, played.lifetimes, SystemClock())
    facts = {"publication_id": "p", "approval_id": "a", "video_id": view.id, "version": 1, "channel_id": "c1",
             "platform": "folder", "at": datetime.now(UTC)}  # fmt: skip
    for number, kind in enumerate((PublicationPublished, PublicationWithdrawn, PublicationPublished), 1):
        body = kind.model_validate({**facts, "sequence": number})
        await progress.publication_changed(envelope(body, source="publishing", subject="p"), body)
    assert (await played.videos.get(ADMIN, view.id)).publications.by_state == {"withdrawn": 1}


@pytest.mark.parametrize("field", ["steps", "checks"])
def test_recipes_are_bounded(field: str) -> None:
    """A request of one megabyte must not become work for days."""
    item = {"step": "trim"} if field == "steps" else {"check": "black"}
    with pytest.raises(ValueError, match="at most 50 steps"):
        VideosRequest.model_validate({"generator": "paint", "recipe": {field: [item] * 51}})
    with pytest.raises(ValueError, match="at most 50 steps"):
        VersionRequest.model_validate({"recipe": {field: [item] * 51}})
