"""Workers that fall silent, and commands that are lost."""

from datetime import UTC, datetime, timedelta

from tests.integration.manager.conftest import ADMIN, Played

from video_manager.contracts.envelope import Envelope
from video_manager.domain.access import Actor, Role
from video_manager.domain.job import JobResult, JobState
from video_manager.domain.video import VideoState
from video_manager.manager.external_generator import NewGenerator
from video_manager.manager.leases import LeaseObserver, LeaseSettings
from video_manager.ports import Subscription


class HandClock:
    """Turned by the test."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("not used")


class Watched:
    """A job that is claimed, and an observer whose time passes by hand."""

    def __init__(self, played: Played, max_crashes: int = 2) -> None:
        self.clock = HandClock()
        self.played = played
        settings = LeaseSettings(30, max_crashes)
        asks_for = played.generators.known.asks_for
        self.observer = LeaseObserver(played.job_repository, self.clock, settings, played.bus.depth, asks_for)
        self.job_id = ""

    async def claim(self, worker: str = "w") -> int:
        if not self.job_id:
            view = await self.played.request()
            self.job_id = f"{view.id}.1.render"
        await self.played.settled()
        job = await self.played.jobs.claim(self.job_id, worker)
        assert job is not None
        return job.attempt

    async def pass_seconds(self, seconds: float) -> None:
        """The observer looks every five seconds, as it does in life."""
        for _ in range(int(seconds // 5)):
            await self.observer.look()
            self.clock.seconds += 5
        await self.observer.look()

    async def state(self) -> JobState:
        return (await self.played.jobs.get(self.job_id)).state

    async def die(self, progress: float) -> None:
        attempt = await self.claim()
        await self.played.jobs.renew(self.job_id, attempt, progress, "busy")
        await self.pass_seconds(35)


async def test_a_silent_worker_loses_its_job_and_may_still_finish_it(played: Played) -> None:
    watched = Watched(played)
    assert await watched.claim() == 1
    await watched.pass_seconds(25)
    await played.jobs.renew(watched.job_id, 1, 0.1, "alive")
    await watched.pass_seconds(25)
    assert await watched.state() is JobState.CLAIMED
    await watched.pass_seconds(10)
    assert await watched.state() is JobState.QUEUED
    await played.jobs.finish(watched.job_id, 1, JobResult())  # late, but nobody else has it
    assert await watched.state() is JobState.FINISHED


async def test_two_observers_expire_a_lease_once(played: Played) -> None:
    watched, other = Watched(played), Watched(played)
    await watched.claim()
    other.job_id = watched.job_id
    for _ in range(7):
        await watched.pass_seconds(5)
        await other.pass_seconds(5)
    job = await played.jobs.get(watched.job_id)
    assert (job.state, job.crashes) == (JobState.QUEUED, 1)


async def test_nobody_is_blamed_for_the_time_in_which_nobody_could_look(played: Played) -> None:
    """The database was away for a minute: no worker could renew its lease either."""
    watched = Watched(played)
    await watched.claim()
    await watched.pass_seconds(10)
    watched.clock.seconds += 60
    await watched.pass_seconds(25)
    assert await watched.state() is JobState.CLAIMED
    await watched.pass_seconds(10)
    assert await watched.state() is JobState.QUEUED


async def test_a_job_that_takes_down_its_workers_fails(played: Played) -> None:
    watched = Watched(played, max_crashes=3)
    for _ in range(3):
        assert await watched.state() is JobState.QUEUED if watched.job_id else True
        await watched.die(progress=0.5)
    await played.settled()
    shown = await played.videos.get(ADMIN, watched.job_id.partition(".")[0])
    assert shown.state is VideoState.FAILED
    assert "died 3 times" in str(shown.versions[0].error)


async def test_a_job_whose_workers_are_taken_away_goes_on(played: Played) -> None:
    """Each time it has come further than ever: it is not the job that ends them."""
    watched = Watched(played, max_crashes=2)
    for turn in range(6):
        await watched.die(progress=0.1 * (turn + 1))
        assert await watched.state() is JobState.QUEUED
    await watched.die(progress=0.3)
    assert await watched.state() is JobState.FAILED


async def test_a_new_start_voids_leases_without_blaming_the_job(played: Played) -> None:
    view = await played.request()
    for _ in range(5):
        await played.settled()
        assert await played.jobs.claim(f"{view.id}.1.render", "w") is not None
        assert await played.leases.void(played.generators.known.works_elsewhere) == 1
    await played.settled()
    job = await played.jobs.get(f"{view.id}.1.render")
    assert (job.state, job.crashes, job.attempt) == (JobState.QUEUED, 0, 5)


async def test_failed_tries_are_counted_whoever_tries(played: Played) -> None:
    watched = Watched(played)
    for tries in range(3):
        attempt = await watched.claim(f"worker {tries}")
        assert (await played.jobs.get(watched.job_id)).tries == tries
        await played.jobs.give_back(watched.job_id, attempt, failed=True)
        await played.jobs.give_back(watched.job_id, attempt, failed=True)  # the first answer was lost
    attempt = await watched.claim()
    await played.jobs.give_back(watched.job_id, attempt)  # a shutdown is no failure
    assert (await played.jobs.get(watched.job_id)).tries == 3


# ---- lost commands ----------------------------------------------------------------------------------------


class Queue:
    """The workers' queue; what is taken from it is gone."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []

    async def take(self, message: Envelope) -> None:
        self.taken.append(message)


async def test_a_command_that_was_lost_is_sent_again(played: Played) -> None:
    watched, queue = Watched(played), Queue()
    await played.bus.consume(Subscription("render.paint", ("render.paint",), queue.take))
    view = await played.request()
    await played.settled()
    assert len(queue.taken) == 1  # by a worker that forgot it
    watched.clock.seconds = 290
    assert await watched.observer.resend_lost() == 0
    watched.clock.seconds = 310
    assert await watched.observer.resend_lost() == 1
    assert await watched.observer.resend_lost() == 0  # it counts from now
    await played.settled()
    assert [message.data["job_id"] for message in queue.taken] == [f"{view.id}.1.render"] * 2
    assert await played.jobs.claim(f"{view.id}.1.render", "w") is not None
    watched.clock.seconds = 10_000
    assert await watched.observer.resend_lost() == 0


async def test_what_still_waits_in_its_queue_is_not_doubled(played: Played) -> None:
    watched = Watched(played)
    await played.bus.declare("render.paint", ["render.paint"])
    await played.request()
    while not (await played.bus.depth()).get("render.paint"):
        await played.jobs.open_count()
    watched.clock.seconds = 3500
    assert await watched.observer.resend_lost() == 0
    watched.clock.seconds = 3700  # so long that the queue may hold others' commands only
    assert await watched.observer.resend_lost() == 1


async def test_paused_jobs_are_not_sent(played: Played) -> None:
    watched = Watched(played)
    view = await played.request()
    await played.settled()
    await played.videos.adjust(ADMIN, view.id, priority=None, paused=True)
    await played.settled()
    watched.clock.seconds = 10_000
    assert await watched.observer.resend_lost() == 0


async def test_workers_that_ask_for_their_jobs_are_sent_no_commands_again(played: Played) -> None:
    watched, worker = Watched(played), Actor(id="k1", name="key painter", role=Role.WORKER)
    dream = NewGenerator(name="dream", title="Dream", options_schema={"type": "object"}, polls=True)
    await played.generators.register(worker, dream)
    await played.request(generator="dream")
    while not (await played.bus.depth()).get("render.dream"):
        await played.jobs.open_count()
    watched.clock.seconds = 10_000
    assert await watched.observer.resend_lost() == 0
    await played.generators.register(worker, dream.model_copy(update={"polls": False}))
    assert await watched.observer.resend_lost() == 1
