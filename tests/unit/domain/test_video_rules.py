"""The rules of videos and jobs, searched for a state that must not be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from video_manager.domain import job as jobs
from video_manager.domain import review, video
from video_manager.domain.job import Job, JobKind, JobResult, JobState
from video_manager.domain.video import (
    Approval,
    CheckReport,
    Decision,
    MediaFile,
    MediaRole,
    Metadata,
    Recipe,
    RenderSpec,
    Review,
    Suggestion,
    Verdict,
    Version,
    VersionState,
    Video,
    VideoState,
)
from video_manager.errors import InvalidTransition, LeaseLost

START = datetime(2026, 11, 22, tzinfo=UTC)
SPEC = RenderSpec(generator="story", options={}, seed=1, recipe=Recipe())


def file(name: str, role: MediaRole) -> MediaFile:
    return MediaFile(
        id=name, role=role, name=name, content_type="video/mp4", size_bytes=1, sha256=f"{hash(name) % 16:064x}"
    )


def new_video() -> Video:
    version = Version(number=1, spec=SPEC, created_by="a", created_at=START)
    return Video(id="v", title="T", versions=(version,), created_by="a", created_at=START, updated_at=START)


class VideoLife(RuleBasedStateMachine):
    """Every transition at any time: what is refused must leave everything as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.video = new_video()
        self.now = START
        self.counter = 0
        self.stored: set[str] = set()
        """Ids of files whose bytes exist."""

    def apply(self, change: Callable[[], Video]) -> None:
        self.now += timedelta(seconds=1)
        self.counter += 1
        try:
            self.video = change()
        except InvalidTransition:
            return
        self.stored |= {item.id for version in self.video.versions for item in version.files}

    def review(self, decision: Decision, number: int) -> Review:
        return Review(id=f"r{self.counter}", version=number, decision=decision, author="a", at=self.now)

    numbers = st.integers(1, 3)

    def number(self, wanted: int) -> int:
        return min(wanted, self.video.newest.number)

    @rule(n=numbers)
    def starts_rendering(self, n: int) -> None:
        self.apply(lambda: video.start_rendering(self.video, self.number(n), self.now))

    @rule(n=numbers)
    def is_rendered(self, n: int) -> None:
        made = [file(f"source{self.counter}", MediaRole.SOURCE)]
        self.apply(lambda: video.start_processing(self.video, self.number(n), made, {}, None, self.now))

    @rule(n=numbers)
    def is_processed(self, n: int) -> None:
        made = [file(f"master{self.counter}", MediaRole.MASTER), file(f"thumb{self.counter}", MediaRole.THUMBNAIL)]
        self.apply(lambda: video.make_ready(self.video, self.number(n), made, CheckReport(), {}, self.now))

    @rule(n=numbers)
    def fails(self, n: int) -> None:
        self.apply(lambda: video.fail_version(self.video, self.number(n), "why", self.now))

    @rule(n=numbers)
    def is_cancelled(self, n: int) -> None:
        self.apply(lambda: video.cancel_version(self.video, self.number(n), self.now))

    @rule(n=numbers)
    def is_retried(self, n: int) -> None:
        self.apply(lambda: video.retry_version(self.video, self.number(n), self.now))

    @precondition(lambda self: self.video.newest.number < 3)
    @rule()
    def is_regenerated(self) -> None:
        self.apply(lambda: video.add_version(self.video, SPEC, {}, Metadata(), "a", f"cause{self.counter}", self.now))

    @rule(n=numbers, channels=st.sets(st.sampled_from(["c1", "c2"])))
    def is_approved(self, n: int, channels: set[str]) -> None:
        number = self.number(n)
        master = self.video.version(number).file(MediaRole.MASTER)
        made = [
            Approval(
                id=f"a{self.counter}{channel}", version=number, channel_id=channel, thumbnail_sha256=None,
                master_sha256=master.sha256 if master else "", captions_sha256=None,
                metadata=self.video.version(number).metadata, approved_by="a", approved_at=self.now,
            )
            for channel in sorted(channels)
        ]  # fmt: skip
        self.apply(lambda: review.approve(self.video, number, made, self.review(Decision.APPROVE, number), self.now))

    @rule(n=numbers, keep=st.booleans())
    def is_rejected(self, n: int, keep: bool) -> None:
        number = self.number(n)
        decided = self.review(Decision.REJECT, number)
        self.apply(lambda: review.reject(self.video, number, decided, self.now, keep_files=keep))

    @rule(n=numbers, title=st.sampled_from(["x", "y"]))
    def is_edited(self, n: int, title: str) -> None:
        number = self.number(n)
        metadata = self.video.version(number).metadata.with_(title=title)
        self.apply(lambda: review.edit_metadata(self.video, number, metadata, self.now))

    @rule()
    def is_deleted(self) -> None:
        self.apply(lambda: review.delete(self.video, self.now))

    @invariant()
    def an_approval_in_force_stands_on_what_was_approved(self) -> None:
        for approval in self.video.approvals:
            if approval.voided_at is None:
                version = self.video.version(approval.version)
                assert self.video.deleted_at is None
                assert version.verdict is Verdict.APPROVED
                assert version.state is VersionState.READY
                assert version.metadata == approval.metadata
                master = version.file(MediaRole.MASTER)
                assert master is not None
                assert master.sha256 == approval.master_sha256

    @invariant()
    def one_approval_in_force_for_a_version_and_channel(self) -> None:
        in_force = [(item.version, item.channel_id) for item in self.video.approvals if item.voided_at is None]
        assert len(in_force) == len(set(in_force))

    @invariant()
    def every_stored_file_is_named_or_let_go(self) -> None:
        named = {item.id for version in self.video.versions for item in version.files}
        assert self.stored == named | set(self.video.let_go)
        assert not named & set(self.video.let_go)

    @invariant()
    def a_verdict_needs_a_finished_version(self) -> None:
        for version in self.video.versions:
            if version.verdict is not Verdict.NONE:
                assert version.state is VersionState.READY

    @invariant()
    def it_survives_being_stored(self) -> None:
        assert Video.model_validate(self.video.model_dump(mode="json")) == self.video

    @invariant()
    def the_state_follows_the_newest_version(self) -> None:
        if self.video.deleted_at is not None:
            assert self.video.state is VideoState.DELETED
        elif self.video.newest.state is not VersionState.READY:
            assert self.video.state.value == self.video.newest.state.value


VideoLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestVideoLife = VideoLife.TestCase


class JobLife(RuleBasedStateMachine):
    """Several workers at one job, some of them dead or late: at most one result, from the current attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.job = Job(
            id="j", video_id="v", version=1, kind=JobKind.RENDER, topic="render.story", input={}, created_at=START
        )
        self.ended: list[tuple[int, int]] = []
        """(round, attempt) of every end that was accepted."""

    def apply(self, change: Callable[[], Job]) -> bool:
        try:
            self.job = change()
        except (InvalidTransition, LeaseLost):
            return False
        return True

    attempts = st.integers(0, 4)

    @rule()
    def is_claimed(self) -> None:
        before = self.job.attempt
        if self.apply(lambda: jobs.claim(self.job, "w", START)):
            assert self.job.attempt == before + 1

    @rule(back=attempts)
    def renews(self, back: int) -> None:
        self.apply(lambda: jobs.renew(self.job, self.job.attempt - back, 0.5, "x"))

    @rule(back=attempts)
    def finishes(self, back: int) -> None:
        attempt = self.job.attempt - back
        if self.apply(lambda: jobs.finish(self.job, attempt, JobResult(), START)):
            assert back == 0, "an older attempt finished"
            self.ended.append((self.job.round, attempt))

    @rule(back=attempts)
    def fails(self, back: int) -> None:
        attempt = self.job.attempt - back
        if self.apply(lambda: jobs.fail(self.job, attempt, "why", START)):
            assert back == 0, "an older attempt failed it"
            self.ended.append((self.job.round, attempt))

    @rule(back=attempts)
    def is_given_back(self, back: int) -> None:
        self.apply(lambda: jobs.give_back(self.job, self.job.attempt - back))

    @rule(back=attempts)
    def lease_expires(self, back: int) -> None:
        before = self.job
        after = jobs.expire_lease(self.job, self.job.attempt - back, self.job.renewals, 2, START)
        assert back == 0 or after == before
        if after.state is JobState.FAILED and before.state is not JobState.FAILED:
            self.ended.append((after.round, after.attempt))
        self.job = after

    @rule()
    def is_cancelled(self) -> None:
        self.job = jobs.cancel(self.job, self.job.round, START)

    @rule()
    def an_old_cancel_comes_late(self) -> None:
        assert jobs.cancel(self.job, self.job.round - 1, START) == self.job

    @precondition(lambda self: self.job.state not in jobs.OPEN_JOB_STATES)
    @rule()
    def is_opened_again(self) -> None:
        before = self.job
        self.job = jobs.reopen(self.job, self.job.with_(round=self.job.round + 1, state=JobState.QUEUED))
        assert self.job.attempt > before.attempt
        assert jobs.reopen(self.job, before) == self.job

    @invariant()
    def one_end_a_round(self) -> None:
        rounds = [round_ for round_, _ in self.ended]
        assert len(rounds) == len(set(rounds))


JobLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestJobLife = JobLife.TestCase


def test_a_late_finish_counts_while_nobody_else_has_the_job() -> None:
    job = Job(id="j", video_id="v", version=1, kind=JobKind.RENDER, topic="render.x", input={}, created_at=START)
    claimed = jobs.claim(job, "w", START)
    expired = jobs.expire_lease(claimed, 1, 0, 3, START)
    assert expired.state is JobState.QUEUED
    assert jobs.finish(expired, 1, JobResult(), START).state is JobState.FINISHED
    again = jobs.claim(expired, "w2", START)
    with pytest.raises(LeaseLost, match="replaced by attempt 2"):
        jobs.finish(again, 1, JobResult(), START)


def test_the_chosen_thumbnail_comes_first() -> None:
    files = (file("t1", MediaRole.THUMBNAIL), file("t2", MediaRole.THUMBNAIL))
    version = new_video().newest.with_(files=files, metadata=Metadata(thumbnail="t2"))
    chosen = version.file(MediaRole.THUMBNAIL)
    assert chosen is not None
    assert chosen.id == "t2"


@pytest.mark.parametrize(
    ("suggested", "title"),
    [(None, "T"), (Suggestion(), "T"), (Suggestion(title="Idea"), "T")],
)
def test_a_generator_may_have_no_idea_for_a_title(suggested: Suggestion | None, title: str) -> None:
    source = [file("source", MediaRole.SOURCE)]
    rendered = video.start_processing(new_video(), 1, source, {}, suggested, START)
    assert rendered.title == title
    assert rendered.versions[0].metadata.title == (suggested.title or "" if suggested else "")
    assert rendered.versions[0].metadata.description == ""
