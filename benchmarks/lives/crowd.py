"""Whole lives of videos, with everything that costs and is not ours left out: workers and a publisher that do nothing,
and people who approve at once."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from video_manager.adapters.clock import SystemClock
from video_manager.bootstrap.adapters import Adapters
from video_manager.bootstrap.services import Service
from video_manager.bootstrap.system import System
from video_manager.contracts.commands import Process, Render
from video_manager.contracts.envelope import Body, Envelope
from video_manager.contracts.events import VersionReady
from video_manager.domain.access import SYSTEM
from video_manager.domain.job import Job, JobKind, JobResult, job_id
from video_manager.domain.video import CheckReport, Decision, MediaFile, MediaRole, Video
from video_manager.manager.requests import OneRequest, ReviewRequest, VideosRequest
from video_manager.messaging import HandlerTable
from video_manager.ports import FileStore, ProgressCallback, Subscription
from video_manager.publishing.channels import NewChannel
from video_manager.repository import Loaded
from video_manager.settings import Settings
from video_manager.worker import Worker, WorkerSettings

PLUGINS = Path(__file__).resolve().parent / "plugins"
BYTES = b"real bytes, though few " * 40
PUBLISHED = "publication.published"
SLOTS = 64
END_SECONDS = 120.0
"""A bound against hanging."""


@dataclass(frozen=True)
class Ran:
    """Lives from request to published. `writes` are all revisions of their videos, jobs and publications."""

    lives: int
    began: float
    ended: float
    writes: int

    @property
    def seconds(self) -> float:
        return self.ended - self.began


class Crowd:
    """Requests and approves; `run` says how it went."""

    def __init__(self, system: System, channel_id: str) -> None:
        self._system = system
        self._channel_id = channel_id
        self._ended: set[str] = set()
        self._change = asyncio.Event()

    async def run(self, lives: int, *, per_second: float | None = None, at_once: int = 40) -> Ran:
        """So many lives: one after the other at a rate, whether or not the ones before have ended; without a rate as
        fast as it goes, so many at once."""
        clock = SystemClock()
        began = clock.now().timestamp()
        tasks: list[asyncio.Task[str]] = []
        for n in range(lives):
            if per_second is not None:
                await asyncio.sleep(max(0.0, began + n / per_second - clock.now().timestamp()))
            while per_second is None and n - len(self._ended) >= at_once:
                self._change.clear()
                await self._within(self._change.wait(), n)
            tasks.append(asyncio.create_task(self._request(n)))
        ids = await asyncio.gather(*tasks)
        videos = await self._published(ids)
        ended = clock.now().timestamp()
        self._ended.clear()
        return Ran(lives, began, ended, await self._writes(videos))

    async def approve(self, envelope: Envelope) -> None:
        """Hears what became of the videos."""
        if envelope.type == PUBLISHED:
            self._ended.add(str(envelope.data["video_id"]))
            self._change.set()
            return
        request = ReviewRequest(version=1, decision=Decision.APPROVE)
        await self._system.reviews.review(SYSTEM, str(envelope.data["video_id"]), request, _new_id)

    async def _request(self, n: int) -> str:
        request = OneRequest(generator="no-op", title=f"Life {n}", channels=[self._channel_id])
        return (await self._system.videos.request(SYSTEM, VideosRequest(requests=[request]), _new_id))[0].id

    async def _published(self, ids: list[str]) -> list[Loaded[Video]]:
        """Until the manager, too, has noted that all are published."""
        videos, _ = self._system.repositories
        async with asyncio.timeout(END_SECONDS):
            while len(self._ended) < len(ids):
                self._change.clear()
                await self._change.wait()
            while True:
                found = await videos.load_many(ids)
                if all(set(one.value.publications.values()) == {"published"} for one in found):
                    return found
                await asyncio.sleep(0.02)

    async def _writes(self, videos: list[Loaded[Video]]) -> int:
        _, jobs = self._system.repositories
        publications = self._system.publishing.repositories[0]
        worked = await jobs.load_many([job_id(one.value.id, 1, kind) for one in videos for kind in JobKind])
        posted = await publications.load_many([id for one in videos for id in one.value.publications])
        return sum(sum(one.revision for one in of_a_kind) for of_a_kind in (videos, worked, posted))

    async def _within(self, waiting: object, n: int) -> None:
        try:
            async with asyncio.timeout(END_SECONDS):
                await waiting  # type: ignore[misc]  # a coroutine
        except TimeoutError:
            raise SystemExit(f"nothing moved for {END_SECONDS:.0f} s after {n} requests") from None


@asynccontextmanager
async def crowd(settings: Settings, adapters: Adapters, services: frozenset[Service]) -> AsyncIterator[Crowd]:
    """The services run in this process, and so do the workers that do nothing."""
    system = await System.build(settings, adapters, services)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(system.close)
        await system.start(stack)
        new = NewChannel(platform="no-op", name="Nowhere")
        channel = await system.publishing.service.channels.create(SYSTEM, _new_id(), new)
        await adapters.bus.declare("render.no-op", ("render.no-op",))
        people = Crowd(system, channel.value.id)
        types = (VersionReady.type, PUBLISHED)
        await adapters.bus.consume(Subscription("people", types, people.approve, prefetch=20))
        worker = _worker(system, settings)
        await worker.start(_subscriptions(worker))
        stack.push_async_callback(worker.stop)
        yield people


def _worker(system: System, settings: Settings) -> Worker:
    files = system.adapters.files

    async def work(job: Job, _folder: Path, _progress: ProgressCallback) -> JobResult:
        if job.kind is JobKind.RENDER:
            return JobResult(files=(await _store(files, MediaRole.SOURCE),))
        return JobResult(files=(await _store(files, MediaRole.MASTER),), report=CheckReport())

    return Worker(
        "no-op", work, desk=system.jobs, files=files, bus=system.adapters.bus, clock=system.adapters.clock,
        work_root=settings.data_dir / "work" / "no-op", slots=SLOTS, settings=WorkerSettings(),
    )  # fmt: skip


def _subscriptions(worker: Worker) -> list[Subscription]:
    """As generation and processing have them."""

    async def take(message: Envelope, body: Render | Process) -> None:
        await worker.take(body.job_id, message)

    tables: dict[str, type[Body]] = {"render.no-op": Render, Process.type: Process}
    return [Subscription(name, (name,), HandlerTable({kind: take}), prefetch=1) for name, kind in tables.items()]


async def _store(files: FileStore, role: MediaRole) -> MediaFile:
    async def chunks() -> AsyncIterator[bytes]:
        yield BYTES

    stored = await files.put(uuid.uuid4().hex, chunks())
    return MediaFile(
        id=stored.id, role=role, name=f"{role}.mp4", content_type="video/mp4", size_bytes=len(BYTES),
        sha256=hashlib.sha256(BYTES).hexdigest(), width=1080, height=1920, duration_seconds=30.0, frame_rate="30/1",
    )  # fmt: skip


def _new_id(*_what: str | int) -> str:
    return uuid.uuid4().hex
