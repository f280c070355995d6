"""Real files, bus, processes and ffmpeg; only the job desk is a fake."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.desk import MemoryJobDesk

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.adapters.processes import ProcessRunner
from video_manager.contracts.commands import Process, Render
from video_manager.contracts.envelope import Body, Envelope, envelope
from video_manager.contracts.events import JobCancelled, JobProgress
from video_manager.domain.job import Job, JobKind, job_id
from video_manager.generation.handlers import GenerationHandlers
from video_manager.generation.service import GenerationService
from video_manager.plugins.registry import Registry, load_registry
from video_manager.processing.handlers import ProcessingHandlers
from video_manager.processing.service import ProcessingService
from video_manager.worker import WorkerSettings

PLUGINS = Path(__file__).parent / "plugins"


@pytest.fixture(scope="session")
def registry() -> Registry:
    return load_registry(PLUGINS)


@dataclass
class Works:
    """Everything a worker needs, and ways to give it work and look at it."""

    desk: MemoryJobDesk
    files: FolderFiles
    bus: SqliteBus
    registry: Registry
    root: Path
    settings: WorkerSettings
    hints: list[JobProgress] = field(default_factory=list)
    _stops: list[Callable[[], Any]] = field(default_factory=list)

    async def start_generation(self, slots: int = 1) -> GenerationService:
        service = GenerationService(
            desk=self.desk, files=self.files, runner=ProcessRunner(), registry=self.registry, bus=self.bus,
            clock=SystemClock(), work_root=self.root / "work", slots=slots, name="test", settings=self.settings,
            environment={"TOKEN": "sesame"},
        )  # fmt: skip
        handlers = GenerationHandlers(service, self.bus)
        await handlers.start()
        self._stops.append(handlers.stop)
        return service

    async def start_processing(self) -> ProcessingService:
        service = ProcessingService(
            desk=self.desk, files=self.files, runner=ProcessRunner(), registry=self.registry, bus=self.bus,
            clock=SystemClock(), work_root=self.root / "work-processing", slots=1, name="test", settings=self.settings,
        )  # fmt: skip
        handlers = ProcessingHandlers(service, self.bus)
        await handlers.start()
        self._stops.append(handlers.stop)
        return service

    async def stop(self) -> None:
        while self._stops:
            await self._stops.pop()()

    async def render(self, generator: str, options: dict[str, Any], video: str = "v1", **more: Any) -> str:
        """Queue a render job and send its command; returns the job's id."""
        work = {"generator": generator, "options": options, "seed": 7, "title": "one", "sources": [], **more}
        id = job_id(video, 1, JobKind.RENDER)
        self._add(id, video, JobKind.RENDER, f"render.{generator}", work)
        await self.send(Render(generator=generator, job_id=id, video_id=video, version=1), id)
        return id

    async def process(self, work: dict[str, Any], video: str = "v1") -> str:
        id = job_id(video, 1, JobKind.PROCESSING)
        self._add(id, video, JobKind.PROCESSING, "processing", work)
        await self.send(Process(job_id=id, video_id=video, version=1), id)
        return id

    async def send(self, body: Body, subject: str) -> None:
        await self.bus.publish([envelope(body, source="test", subject=subject)])

    async def cancel(self, id: str) -> None:
        """As the manager does it: the document first, then the hint."""
        await self.desk.cancel(id)
        await self.send(JobCancelled(job_id=id, attempt=self.desk.jobs[id].attempt), id)

    async def note_hint(self, message: Envelope) -> None:
        self.hints.append(JobProgress.model_validate(message.data))

    def _add(self, id: str, video: str, kind: JobKind, topic: str, work: dict[str, Any]) -> None:
        self.desk.add(
            Job(id=id, video_id=video, version=1, kind=kind, topic=topic, input=work, created_at=datetime.now(UTC))
        )

    def work_folders(self) -> list[Path]:
        root = self.root / "work"
        return sorted(root.iterdir()) if root.exists() else []

    async def until_idle(self, service: GenerationService | ProcessingService, seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while service.worker.running:  # noqa: ASYNC110 - looked at from outside
                await asyncio.sleep(0.01)


@pytest.fixture
async def works(tmp_path: Path, registry: Registry) -> AsyncIterator[Works]:
    files = FolderFiles(tmp_path / "files")
    bus = SqliteBus(tmp_path / "bus.db")
    await files.open()
    await bus.open()
    settings = WorkerSettings(renew_seconds=0.3, hint_seconds=0.1, grace_seconds=0.2)
    works = Works(MemoryJobDesk(), files, bus, registry, tmp_path, settings)
    await bus.watch((JobProgress.type,), works.note_hint)
    yield works
    await works.stop()
    await bus.close()
    await files.close()
