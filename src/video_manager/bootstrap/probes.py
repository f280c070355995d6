"""Whether each dependency answers, and the figures that prove that work goes on."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from video_manager.bootstrap.system import System
from video_manager.gateway.health import Health, Probe, WorkFigures
from video_manager.manager.waiting import OpenJobs, look_at_open_jobs
from video_manager.ports import Op, Where
from video_manager.telemetry import new_registry

_NOWHERE = "probe"

FRESH_SECONDS = 2.0
"""Figures are looked up again after this: whoever asks often burdens nobody."""


def health_of(system: System, *, open_metrics: bool = False) -> Health:
    """The probes of this process, its metrics, and the figures of the whole system's work."""
    registry = new_registry()
    running = Gauge("video_manager_running_jobs", "Jobs that run in this process.", ["service"], registry=registry)
    running.labels("generation").set_function(lambda: system.generation.running)
    running.labels("processing").set_function(lambda: system.processing.running)
    system.adapters.activity.register(registry)
    return Health(registry, _probes_of(system), _WorkLook(system, registry), open_metrics)


def _probes_of(system: System) -> Mapping[str, Probe]:
    """One sign of life of each store, the bus and the warehouse, where this process uses it."""
    adapters = system.adapters

    async def documents() -> None:
        await adapters.documents.count("videos", (Where("state", Op.EQ, _NOWHERE),))

    async def files() -> None:
        await adapters.files.stat(_NOWHERE)

    async def bus() -> None:
        await adapters.bus.ping()

    async def warehouse() -> None:
        await system.analytics.warehouse.is_empty()

    probes: dict[str, Probe] = {"documents": documents, "files": files, "bus": bus}
    return probes | ({"warehouse": warehouse} if system.uses_warehouse else {})


class _WorkLook:
    """Looks at the outboxes, the open jobs and the due publications; shown as JSON and as gauges."""

    def __init__(self, system: System, registry: CollectorRegistry) -> None:
        self._system = system
        self._lag = Gauge(
            "video_manager_outbox_lag_seconds", "Age of the longest waiting message in an outbox.", registry=registry
        )
        self._oldest = Gauge(
            "video_manager_oldest_unclaimed_job_seconds", "Age of the oldest job that no worker has.",
            registry=registry,
        )  # fmt: skip
        self._overdue = Gauge(
            "video_manager_most_overdue_publication_seconds",
            "How long ago the publication that waits longest was due.", registry=registry,
        )  # fmt: skip
        self._open = Gauge("video_manager_open_jobs", "Open jobs.", ["topic", "state"], registry=registry)
        self._figures: WorkFigures | None = None
        self._looked_at = 0.0
        self._turn = asyncio.Lock()

    async def __call__(self) -> WorkFigures:
        async with self._turn:  # many who ask at once make one look
            moment = self._system.adapters.clock.monotonic()
            if self._figures is None or moment - self._looked_at >= FRESH_SECONDS:
                self._figures = await self._look()
                self._looked_at = moment
            return self._figures

    async def _look(self) -> WorkFigures:
        system, settings = self._system, self._system.settings
        lag = await system.relay.lag_seconds()
        open_jobs = await look_at_open_jobs(system.repositories[1])
        age = _age(open_jobs.oldest_unclaimed_since, system.adapters.clock.now())
        overdue = _age(await system.publishing.overdue_since(), system.adapters.clock.now())
        self._show(lag, age or 0.0, overdue or 0.0, open_jobs)
        late = {
            "outbox": lag > settings.late_outbox_seconds, "jobs": (age or 0.0) > settings.late_job_seconds,
            "publications": (overdue or 0.0) > settings.late_publication_seconds,
        }  # fmt: skip
        return WorkFigures(
            outbox_lag_seconds=round(lag, 3), oldest_unclaimed_job_seconds=age and round(age, 3),
            most_overdue_publication_seconds=overdue and round(overdue, 3),
            last_message_handled_at=max(
                (handled.at for handled in system.adapters.activity.last_handled.values()), default=None
            ),
            late=tuple(name for name, is_late in late.items() if is_late),
        )  # fmt: skip

    def _show(self, lag: float, age: float, overdue: float, open_jobs: OpenJobs) -> None:
        self._lag.set(lag)
        self._overdue.set(overdue)
        self._oldest.set(age)
        self._open.clear()
        for (topic, state), count in open_jobs.counts.items():
            self._open.labels(topic, state).set(count)


def _age(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else max(0.0, (now - since).total_seconds())
