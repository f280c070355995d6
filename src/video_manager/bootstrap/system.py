"""All services over one set of adapters, and the order in which they start and stop."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from video_manager.analytics.assembly import Analytics, build_analytics
from video_manager.bootstrap.adapters import Adapters
from video_manager.bootstrap.folders import work_folders
from video_manager.bootstrap.late_warehouse import late_warehouse
from video_manager.bootstrap.sample import request_sample
from video_manager.bootstrap.services import ALL_SERVICES, Service
from video_manager.domain.job import Job
from video_manager.domain.video import Video
from video_manager.gateway.access import AccessService
from video_manager.gateway.local_secrets import local_actor_token
from video_manager.gateway.operations import OperationsService
from video_manager.gateway.uploads import UploadsService
from video_manager.generation.handlers import GenerationHandlers, render_topic
from video_manager.generation.service import GenerationService
from video_manager.manager.external_generator import EXTERNAL_GENERATORS, ExternalGenerator
from video_manager.manager.generators import GeneratorService
from video_manager.manager.handlers import subscription as manager_subscription
from video_manager.manager.jobs import JOBS, VIDEOS, JobService
from video_manager.manager.known_generators import KnownGenerators
from video_manager.manager.leases import LeaseObserver, LeaseSettings
from video_manager.manager.lifetimes import Lifetimes
from video_manager.manager.progress import ProgressService
from video_manager.manager.reviewing import ReviewService
from video_manager.manager.service import RequestLimits, VideoService
from video_manager.media.ffmpeg_binary import ffmpeg_path
from video_manager.notifications.assembly import Notifications, build_notifications
from video_manager.outbox import OutboxRelay
from video_manager.plugins.registry import Registry, load_registry
from video_manager.processing.handlers import ProcessingHandlers
from video_manager.processing.service import ProcessingService
from video_manager.publishing.assembly import Publishing, build_publishing
from video_manager.repository import Repository
from video_manager.settings import Settings
from video_manager.worker import WorkerSettings

log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[object]]


@dataclass
class System:
    """All services, built and open: any of them may call the others' use cases. `start` sets the handlers and timers
    of those in `services` going."""

    settings: Settings
    services: frozenset[Service]
    adapters: Adapters
    registry: Registry
    relay: OutboxRelay
    access: AccessService
    uploads: UploadsService
    operations: OperationsService
    generators: GeneratorService
    jobs: JobService
    leases: LeaseObserver
    videos: VideoService
    reviews: ReviewService
    progress: ProgressService
    lifetimes: Lifetimes
    generation: GenerationHandlers
    processing: ProcessingHandlers
    publishing: Publishing
    notifications: Notifications
    analytics: Analytics
    repositories: tuple[Repository[Video], Repository[Job]]
    first_password: str | None = None
    analytics_open: bool = False
    _stack: AsyncExitStack | None = None

    @classmethod
    async def build(
        cls, settings: Settings, adapters: Adapters, services: frozenset[Service] = ALL_SERVICES, *,
        generators: Sequence[str] = (), analytics_late: bool = False,
    ) -> "System":  # fmt: skip
        """Put the services together and make their collections, for a process that runs `services`. `generators` are
        those that generation runs here; none means all. Raises SettingsError, Unavailable. With `analytics_late`,
        `finish_start` opens analytics."""
        if settings.ffmpeg is not None:
            await asyncio.to_thread(ffmpeg_path)  # a wrong one stops the start, not the first render
        system = _assemble(settings, adapters, services, generators)
        try:
            await system.open()
            if system.uses_warehouse and not analytics_late:
                await system.open_analytics()
        except BaseException:
            await system.close()  # a thread of the warehouse would keep the process from ending
            raise
        return system

    async def open(self) -> None:
        """Make every collection and schema, and what the first start needs: an administrator, the first channels."""
        for repository in self.repositories:
            await repository.register()
        await self.generators.known.open()
        await self.access.open()
        await self.uploads.open()
        await self.lifetimes.open()
        await self.notifications.open()
        await self.publishing.open()
        if Service.PUBLISHING in self.services:
            await self.publishing.ensure_first_channels()
        if any(service.serves_people for service in self.services):
            self.first_password = await self.access.ensure_first_admin()

    @property
    def uses_warehouse(self) -> bool:
        return any(service.needs_warehouse for service in self.services)

    async def open_analytics(self) -> None:
        await self.analytics.open()
        self.analytics_open = True

    async def start(self, stack: AsyncExitStack) -> None:
        """Start what this process runs; `stack` stops it in the opposite order.

        All queues of all services are declared before the relay sends the first message, so that no event misses a
        listener that has never run yet.
        """
        bus, services = self.adapters.bus, self.services
        self._stack = stack
        if self.settings.keeps_data:  # then all workers lived in the process that ended
            await self.leases.void(self.generators.known.works_elsewhere)
            await self.publishing.void_leases()
        await self._declare_queues()
        await self.generators.known.start(drops=Service.MANAGER in services)
        stack.push_async_callback(self.generators.known.stop)
        steps: list[tuple[Service | None, Step, Step | None]] = [
            (None, self.relay.start, self.relay.stop),  # stops last: what stops hands its work back by a message
            (Service.MANAGER, lambda: bus.consume(manager_subscription(self.jobs, self.progress)), None),
            (Service.NOTIFICATIONS, lambda: bus.consume(self.notifications.subscription()), None),
            (Service.PUBLISHING, lambda: bus.consume(self.publishing.subscription()), None),
            (Service.PROCESSING, self.processing.start, self.processing.stop),
            (Service.GENERATION, self.generation.start, self.generation.stop),
            (Service.MANAGER, self.leases.start, self.leases.stop),
            (Service.MANAGER, self.lifetimes.start, self.lifetimes.stop),
            (Service.PUBLISHING, self.publishing.start, self.publishing.stop),
            (Service.NOTIFICATIONS, self.notifications.start, self.notifications.stop),
        ]
        for service, start, stop in steps:
            if service is not None and service not in services:
                continue
            await start()
            if stop is not None:
                stack.push_async_callback(stop)
        if self.settings.sample_video and services == ALL_SERVICES:
            await request_sample(self.videos)
        if self.analytics_open:
            await self._start_analytics(stack)

    async def finish_start(self) -> None:
        """What the first page can do without. Raises SettingsError."""
        if self.uses_warehouse and not self.analytics_open:
            await self.open_analytics()
            if self._stack is not None:
                await self._start_analytics(self._stack)

    async def _declare_queues(self) -> None:
        subscriptions = [
            manager_subscription(self.jobs, self.progress), self.notifications.subscription(),
            self.analytics.subscription(), self.publishing.subscription(), *self.processing.subscriptions(),
        ]  # fmt: skip
        queues = {subscription.queue: subscription.types for subscription in subscriptions}
        # Of every generator, whichever this process runs: a command waits for a worker that comes later.
        queues |= {(topic := render_topic(name)): (topic,) for name in self.registry.installed_generators()}
        for queue, types in queues.items():
            await self.adapters.bus.declare(queue, types)

    async def _start_analytics(self, stack: AsyncExitStack) -> None:
        if Service.ANALYTICS in self.services:
            await self.adapters.bus.consume(self.analytics.subscription())
            await self.analytics.start()
            stack.push_async_callback(self.analytics.stop)

    async def close(self) -> None:
        await self.analytics.close()


def _assemble(
    settings: Settings, adapters: Adapters, services: frozenset[Service], generators: Sequence[str]
) -> System:
    documents, files, bus, clock = adapters.documents, adapters.files, adapters.bus, adapters.clock
    registry = load_registry(settings.plugin_folder)
    folders = work_folders(settings.data_dir / "work")
    videos = Repository(documents, VIDEOS, Video, remembers=True)
    jobs = Repository(documents, JOBS, Job, remembers=True)
    access = AccessService(documents, clock, settings, local_actor_token(settings.data_dir))
    uploads = UploadsService(documents, files, clock, settings)
    registered = Repository(documents, EXTERNAL_GENERATORS, ExternalGenerator)
    known = KnownGenerators(registered, registry, bus, clock, settings.worker_offline_seconds)
    lease = LeaseSettings(settings.lease_seconds, settings.max_crashes)
    leases = LeaseObserver(jobs, clock, lease, bus.depth, known.asks_for)
    job_service = JobService(jobs, videos, registry, clock, known.know)
    publishing = build_publishing(
        documents, files, registry, bus, clock, settings=settings, work_folder=folders,
        record=access.record,
    )  # fmt: skip
    lifetimes = Lifetimes(
        videos, job_service, files, registry, clock, timedelta(days=settings.retention_days),
        [publishing.needed_files, uploads.references], uploads.forget, documents,
    )  # fmt: skip
    limits = RequestLimits(settings.max_versions_per_request, settings.max_open_jobs, settings.min_free_bytes)
    service = VideoService(
        videos, job_service, registry, files, clock, uploads, publishing.service, publishing.service, lifetimes, limits,
        known.know,
    )  # fmt: skip
    worker = WorkerSettings(
        renew_seconds=settings.renew_seconds, grace_seconds=settings.grace_seconds,
        timeout_seconds=settings.render_timeout_seconds,
    )  # fmt: skip
    common: dict[str, Any] = {
        "desk": job_service, "files": files, "runner": adapters.runner, "registry": registry, "bus": bus,
        "clock": clock, "settings": worker, "name": f"{socket.gethostname()}-{os.getpid()}",
    }  # fmt: skip
    work = settings.data_dir / "work"
    generation = GenerationService(work_root=work / "render", slots=settings.render_slots, only=generators, **common)
    processing = ProcessingService(work_root=work / "process", slots=settings.processing_slots, **common)
    notifications = build_notifications(
        documents, clock, bus.hint, base_url=settings.base_url, notify_urls=settings.notify_urls,
        notify_timeout_seconds=settings.notify_timeout_seconds, webhook_allow_private=settings.webhook_allow_private,
    )  # fmt: skip
    warehouse = late_warehouse(_warehouse_place(settings), settings.connect_seconds)
    analytics = build_analytics(
        documents, warehouse, registry, clock, collect_seconds=settings.collect_seconds,
        site_counts=publishing.site_counts, media=publishing.media, work_folder=folders,
    )  # fmt: skip
    return System(
        settings=settings, services=services, adapters=adapters, registry=registry,
        relay=OutboxRelay(documents, bus, clock, alone=settings.keeps_data), access=access, uploads=uploads,
        operations=OperationsService(bus, files, access.audit), jobs=job_service, leases=leases,
        generators=GeneratorService(registered, jobs, known, registry, bus, clock, has_broker=settings.uses_rabbitmq),
        videos=service, lifetimes=lifetimes,
        reviews=ReviewService(videos, service, registry, clock, publishing.service, uploads, files, lifetimes),
        progress=ProgressService(videos, job_service, lifetimes, clock),
        generation=GenerationHandlers(generation, bus), processing=ProcessingHandlers(processing, bus),
        publishing=publishing, notifications=notifications, analytics=analytics,
        repositories=(videos, jobs),
    )  # fmt: skip


def _warehouse_place(settings: Settings) -> str | Path:
    """The address of the settings, or the file in the data folder."""
    if settings.warehouse_url is not None:
        return settings.warehouse_url.get_secret_value()
    return settings.data_dir / "warehouse.sqlite"
