"""Whether the system is alive and ready, and its metrics."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse, Response

from video_manager.domain.access import Actor, Right
from video_manager.errors import Unauthenticated
from video_manager.gateway.origins import LOOPBACK_NAMES, host_name

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
    """What the health routes ask. With `open_metrics` anybody who reaches the port may read the metrics: for the
    services whose port serves nothing else."""

    registry: CollectorRegistry
    probes: Mapping[str, Probe] = field(default_factory=dict)
    work: WorkReport | None = None
    open_metrics: bool = False


def health_routes(health: Health) -> APIRouter:
    router = APIRouter(tags=["health"])
    probes, registry = health.probes, health.registry

    @router.get("/health/live")
    @router.head("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get("/health/ready", responses={503: {"description": "A dependency is gone."}})
    @router.head("/health/ready", include_in_schema=False)
    async def ready() -> JSONResponse:
        """Every dependency answers; 503 and which one when not. Reasons are in the log only."""
        states = dict(zip(probes, await asyncio.gather(*map(_state, probes, probes.values())), strict=True))
        fine = all(state == "ok" for state in states.values())
        return JSONResponse({"status": "ok" if fine else "unavailable", "dependencies": states}, 200 if fine else 503)

    @router.get("/health/work", responses={503: {"description": "Work stands still, or cannot be looked at."}})
    @router.head("/health/work", include_in_schema=False)
    async def work() -> JSONResponse:
        """Whether work moves: 503 when messages or jobs wait longer than the limits of the settings. For alarms, not
        for restarts: a restart does not help when a worker is missing."""
        figures = await _figures(health)
        if figures is None:
            return JSONResponse({"status": "unavailable"}, 503)
        shown = {"status": "late" if figures.late else "ok", **asdict(figures)}
        shown["last_message_handled_at"] = (at := figures.last_message_handled_at) and at.isoformat()
        return JSONResponse(shown, 503 if figures.late else 200)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    @router.head("/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        """Prometheus text, for this machine itself and for administrators."""
        if not health.open_metrics and not _from_this_machine(request):
            actor = getattr(request.state, "actor", None)
            if not isinstance(actor, Actor):
                raise Unauthenticated("metrics from another machine need an API key with the role admin")
            actor.require(Right.ADMINISTER)
        await _figures(health)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


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
