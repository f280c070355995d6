"""A manager on the real embedded adapters, and a worker that only says what it would have done."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.contracts.envelope import Envelope
from video_manager.domain.access import Actor, Role
from video_manager.domain.job import Job, JobResult
from video_manager.domain.posting import Composed, Draft
from video_manager.domain.video import CheckReport, Finding, MediaFile, MediaRole, Suggestion, Video
from video_manager.errors import InvalidInput, NotFound
from video_manager.manager.external_generator import EXTERNAL_GENERATORS, ExternalGenerator
from video_manager.manager.generators import GeneratorService
from video_manager.manager.handlers import subscription
from video_manager.manager.jobs import JOBS, VIDEOS, JobService
from video_manager.manager.known_generators import KnownGenerators
from video_manager.manager.leases import LeaseObserver, LeaseSettings
from video_manager.manager.lifetimes import Lifetimes
from video_manager.manager.progress import ProgressService
from video_manager.manager.requests import VideosRequest
from video_manager.manager.reviewing import ReviewService
from video_manager.manager.service import RequestLimits, VideoService
from video_manager.manager.views import VideoView
from video_manager.outbox import OutboxRelay
from video_manager.plugins.api import Context, Generator, Options, RenderInput, RenderResult, drawn, source_file
from video_manager.plugins.discovery import find_plugins
from video_manager.plugins.kinds import PluginKind
from video_manager.plugins.registry import Registry
from video_manager.ports import Subscription
from video_manager.repository import Repository
from video_manager.web import random_ids

ADMIN = Actor(id="u1", name="Ada", role=Role.ADMIN)
VIEWER = Actor(id="u2", name="Vic", role=Role.VIEWER)
PRODUCER = Actor(id="u3", name="Pia", role=Role.PRODUCER)


class PaintOptions(Options):
    colour: str | None = drawn(["red", "green", "blue"], "Which colour.")
    size: int = 3
    picture: str | None = source_file("A picture.", "image/*", default=None)


class Paint(Generator[PaintOptions]):
    name = "paint"
    title = "Paint"
    description = "Only its options matter here; workers in these tests are played by `Played`."
    Options = PaintOptions

    async def render(self, input: RenderInput, options: PaintOptions, context: Context) -> RenderResult:
        raise AssertionError("never run here")


class Sent:
    """Files that people sent in."""

    def __init__(self) -> None:
        self.files: dict[str, MediaFile] = {}
        self.senders: dict[str, str] = {}
        self.forgotten: list[str] = []

    async def completed_file(
        self, id: str, *, created_by: str | None = None, result_of: str | None = None
    ) -> MediaFile:
        if id not in self.files or created_by not in (None, self.senders.get(id)):
            raise NotFound(f"there is no upload {id!r}")
        return self.files[id]

    async def forget(self, id: str) -> None:
        self.forgotten.append(id)


class Publishing:
    """What the manager asks publishing."""

    def __init__(self) -> None:
        self.busy: list[str] = []
        self.needed: set[str] = set()
        self.findings: tuple[Finding, ...] = ()
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        """What somebody else does while a post is being composed, once."""
        self.platforms = {"c1": "folder", "c2": "folder"}

    async def open_for_video(self, video_id: str) -> Sequence[str]:
        return self.busy

    async def channel_platform(self, channel_id: str) -> str:
        if channel_id not in self.platforms:
            raise NotFound(f"there is no channel {channel_id!r}")
        return self.platforms[channel_id]

    async def require_slots(self, channel_id: str) -> None:
        if channel_id != "c1":
            raise InvalidInput.field("publish_at", f"channel {channel_id!r} has no posting slots")

    async def compose(self, channel_id: str, draft: Draft) -> Composed:
        """A channel without templates, defaults and limits of its own."""
        platform = await self.channel_platform(channel_id)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return Composed(
            channel_id=channel_id, channel_name=channel_id, platform=platform, metadata=draft.metadata,
            options=draft.options, findings=self.findings,
        )  # fmt: skip

    async def needed_files(self, file_ids: Collection[str]) -> set[str]:
        return self.needed & set(file_ids)


@dataclass
class Played:
    """The manager's neighbours: it claims and ends jobs as real workers do, through the desk."""

    videos: VideoService
    reviews: ReviewService
    jobs: JobService
    lifetimes: Lifetimes
    repository: Repository[Video]
    job_repository: Repository[Job]
    files: FolderFiles
    sent: Sent
    publishing: Publishing
    relay: OutboxRelay
    bus: SqliteBus
    seen: list[Envelope]
    generators: GeneratorService
    leases: LeaseObserver

    async def store(self, name: str, role: MediaRole, content: bytes) -> MediaFile:
        async def chunks() -> AsyncIterator[bytes]:
            yield content

        stored = await self.files.put(name, chunks())
        return MediaFile(
            id=name, role=role, name=f"{name}.bin", content_type="video/mp4", size_bytes=stored.size_bytes,
            sha256=stored.sha256, duration_seconds=1.0,
        )  # fmt: skip

    async def request(self, **body: object) -> VideoView:
        body = {"generator": "paint", "title": "A title", **body}
        return (await self.videos.request(ADMIN, VideosRequest.model_validate(body), random_ids))[0]

    async def settled(self) -> None:
        """Until no message is waiting any more, and what videos let go was looked at."""
        for _ in range(6000):
            await asyncio.sleep(0.01)
            if await self._quiet():
                await self.lifetimes.settle_waiting()
                return
        raise AssertionError(f"messages keep waiting: {await self.bus.depth()}")

    async def _quiet(self) -> bool:
        """No message waits and none is being handled. The outboxes are asked before and after the queues: a handler
        that was at work in between has left something there."""
        if await self.relay.lag_seconds() > 0:
            return False
        in_queues = sum((await self.bus._table.depth()).values())
        return in_queues == 0 and await self.relay.lag_seconds() == 0

    async def stored(self, *, at_most: int) -> list[str]:
        """Ids of the stored files, once there are at most so many; what there is after 10 s otherwise."""
        for _ in range(1000):
            await self.lifetimes.settle_waiting()
            found = [item.id async for item in self.files.list()]
            if len(found) <= at_most:
                return found
            await asyncio.sleep(0.01)
        return found

    async def render(self, video_id: str, number: int = 1) -> Job:
        """Claim and finish the render job; the version is being processed afterwards."""
        await self.settled()
        job = await self.jobs.claim(f"{video_id}.{number}.render", "w")
        assert job is not None
        source = await self.store(f"source-{video_id}-{number}-{job.attempt}", MediaRole.SOURCE, b"raw")
        await self.jobs.finish(job.id, job.attempt, JobResult(files=(source,), suggested=Suggestion(title="Suggested")))
        await self.settled()
        return job

    async def process(self, video_id: str, number: int = 1) -> None:
        job = await self.jobs.claim(f"{video_id}.{number}.processing", "w")
        assert job is not None
        files = [
            await self.store(f"{role}-{video_id}-{number}-{index}", role, f"{role}{number}{index}".encode())
            for index, role in enumerate([MediaRole.MASTER, MediaRole.THUMBNAIL, MediaRole.THUMBNAIL])
        ]
        report = CheckReport(checks=("black",), measured={"integrated_lufs": -14.0})
        await self.jobs.finish(job.id, job.attempt, JobResult(files=tuple(files), report=report))
        await self.settled()

    async def make_ready(self, **body: object) -> VideoView:
        view = await self.request(**body)
        await self.render(view.id)
        await self.process(view.id)
        return await self.videos.get(ADMIN, view.id)

    def sent_types(self) -> list[str]:
        return [message.type for message in self.seen]


@pytest.fixture
async def played(tmp_path: Path) -> AsyncIterator[Played]:
    store, files = SqliteDocuments(tmp_path / "documents.sqlite"), FolderFiles(tmp_path / "files")
    bus, clock = SqliteBus(tmp_path / "bus.sqlite"), SystemClock()
    for part in (store, files, bus):
        await part.open()
    registry = Registry([Paint, *find_plugins(None, [PluginKind.STEP, PluginKind.CHECK, PluginKind.PUBLISHER])])
    videos = Repository(store, VIDEOS, Video, remembers=True)
    jobs = Repository(store, JOBS, Job, remembers=True)
    await videos.register()
    await jobs.register()
    registered = Repository(store, EXTERNAL_GENERATORS, ExternalGenerator)
    known = KnownGenerators(registered, registry, bus, clock, offline_seconds=90)
    await known.open()
    job_service = JobService(jobs, videos, registry, clock, known.know)
    sent, publishing = Sent(), Publishing()
    lifetimes = Lifetimes(
        videos, job_service, files, registry, clock, timedelta(days=30), [publishing.needed_files], sent.forget, store
    )
    await lifetimes.open()
    service = VideoService(
        videos, job_service, registry, files, clock, sent, publishing, publishing, lifetimes,
        RequestLimits(max_videos=20, max_open_jobs=50, min_free_bytes=1), known.know,
    )  # fmt: skip
    reviews = ReviewService(videos, service, registry, clock, publishing, sent, files, lifetimes)
    seen: list[Envelope] = []

    async def note(message: Envelope) -> None:
        seen.append(message)

    everything = ("render.paint", "processing", "publication.*", "version.*", "review.*", "video.*", "job.cancelled")
    await bus.consume(Subscription("everything", everything, note))
    await bus.consume(subscription(job_service, ProgressService(videos, job_service, lifetimes, clock)))
    relay = OutboxRelay(store, bus, clock, sweep_seconds=1.0)  # marks soon, which `settled` waits for
    await relay.start()
    generators = GeneratorService(registered, jobs, known, registry, bus, clock, has_broker=True)
    yield Played(
        service, reviews, job_service, lifetimes, videos, jobs, files, sent, publishing, relay, bus, seen, generators,
        LeaseObserver(jobs, clock, LeaseSettings(lease_seconds=30, max_crashes=2), bus.depth, known.asks_for),
    )  # fmt: skip
    await relay.stop()
    await bus.close()
    await files.close()
    await store.close()
