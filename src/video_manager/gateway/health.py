"""Whether the system is alive and ready, and its metrics. Without FastAPI, so that services which answer nothing else
start without it; `health_routes` puts the same answers into the gateway."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from video_manager.domain.access import Actor, Right
from video_manager.errors import Unauthenticated
from video_manager.gateway.origins import LOOPBACK_NAMES, host_name

LIVE, READY, WORK, METRICS = "/health/live", "/health/ready", "/health/work", "/metrics"

Probe = Callable[[], Awaitable[None]]
"""Asks one dependency for a sign of life; raises when it gives none."""

PROBE_TIMEOUT_SECONDS = 3.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkFigures:
    """Whether work moves: what stands still while every process answers shows here. Ages in seconds; None: nothing
    waits, or this process has not handled a message yet."""

    outbox_lag_seconds: float
    oldest_unclaimed_job_seconds: float | None
    most_overdue_publication_seconds: float | None
    last_message_handled_at: datetime | None
    late: tuple[str, ...] = ()
    """Which of the figures are above their limits."""


WorkReport = Callable[[], Awaitable[WorkFigures]]
"""Looks at the stores and puts the figures into the metrics, too."""


@dataclass(frozen=True)
class Health:
    """What there is to tell, and the answers. With `open_metrics` anybody who reaches the port may read the metrics:
    for the services whose port serves nothing else."""

    registry: CollectorRegistry
    probes: Mapping[str, Probe] = field(default_factory=dict)
    work: WorkReport | None = None
    open_metrics: bool = False

    @property
    def answers(self) -> Mapping[str, Callable[[Request], Awaitable[Response]]]:
        """By path."""
        return {LIVE: self.tell_live, READY: self.tell_ready, WORK: self.tell_work, METRICS: self.tell_metrics}

    async def tell_live(self, _request: Request) -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    async def tell_ready(self, _request: Request) -> JSONResponse:
        """Every dependency answers; 503 and which one when not. Reasons are in the log only."""
        probes = self.probes
        states = dict(zip(probes, await asyncio.gather(*map(_state, probes, probes.values())), strict=True))
        fine = all(state == "ok" for state in states.values())
        return JSONResponse({"status": "ok" if fine else "unavailable", "dependencies": states}, 200 if fine else 503)

    async def tell_work(self, _request: Request) -> JSONResponse:
        """Whether work moves: 503 when messages or jobs wait longer than the limits of the settings. For alarms, not
        for restarts: a restart does not help when a worker is missing."""
        figures = await _figures(self)
        if figures is None:
            return JSONResponse({"status": "unavailable"}, 503)
        shown = {"status": "late" if figures.late else "ok", **asdict(figures)}
        shown["last_message_handled_at"] = (at := figures.last_message_handled_at) and at.isoformat()
        return JSONResponse(shown, 503 if figures.late else 200)

    async def tell_metrics(self, request: Request) -> Response:
        """Prometheus text, for this machine itself and for administrators."""
        if not self.open_metrics and not _from_this_machine(request):
            actor = getattr(request.state, "actor", None)
            if not isinstance(actor, Actor):
                raise Unauthenticated("metrics from another machine need an API key with the role admin")
            actor.require(Right.ADMINISTER)
        await _figures(self)
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


def health_application(health: Health, lifespan: Callable[[Starlette], AbstractAsyncContextManager[None]]) -> Starlette:
    """For a service that nobody calls: its port tells how it does, and nothing else."""
    return Starlette(routes=[Route(path, answer) for path, answer in health.answers.items()], lifespan=lifespan)


async def _figures(health: Health) -> WorkFigures | None:
    """None when a store does not answer: then the metrics show the last figures, and `ready` says what is gone."""
    if health.work is None:
        return WorkFigures(0.0, None, None, None)
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            return await health.work()
    except Exception as error:  # noqa: BLE001 - whatever it is, there are no figures
        logger.warning("the work cannot be looked at: %s", str(error) or type(error).__name__)
        return None


async def _state(name: str, probe: Probe) -> str:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            await probe()
    except Exception as error:  # noqa: BLE001 - whatever it is, the dependency is not ready
        logger.warning("%s is not ready: %s", name, str(error) or type(error).__name__)
        return "unavailable"
    return "ok"


def _from_this_machine(request: Request) -> bool:
    """A direct connection over loopback. Not one through a proxy on this machine, and not one that a web page made
    under a name of its own which it let point here."""
    forwarded = any(name in request.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip"))
    client = request.client.host if request.client else ""
    named = host_name(request.headers.get("host", ""))
    return not forwarded and client in LOOPBACK_NAMES and named in LOOPBACK_NAMES
