"""The outermost middleware: gives every request its id, its line in the log, its place in the metrics, and turns
what nobody expected into an answer."""

import logging
import time
from typing import cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from video_manager.domain.access import Actor
from video_manager.gateway.problems import surprise_response
from video_manager.gateway.request_id import assign_request_id
from video_manager.telemetry import request_id as current_request_id

access_logger = logging.getLogger("video_manager.access")
logger = logging.getLogger(__name__)

_QUIET = ("/health/", "/metrics", "/_nicegui")
"""Asked every few seconds, or by the dozen for one page: logged at DEBUG."""

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class HttpMetrics:
    """Requests by route template (never by path: ids would make a series each)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "video_manager_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "video_manager_http_request_seconds", "Time to the end of the answer.", ("method", "route"),
            buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self._running = Gauge("video_manager_http_requests_running", "Requests being answered now.", registry=registry)

    def begin(self) -> None:
        self._running.inc()

    def end(self, scope: Scope, status: int, seconds: float) -> None:
        self._running.dec()
        route, method = _route_of(scope), scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)


class Observation:
    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = assign_request_id(scope)
        token = current_request_id.set(request_id)
        try:
            if scope["type"] == "http":
                await self._observe(scope, receive, send, request_id)
            else:
                await self._app(scope, receive, send)
        finally:
            current_request_id.reset(token)

    async def _observe(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started_at = time.perf_counter()
        # 499 as nginx has it: the client went away before there was an answer.
        status = 499

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        self._metrics.begin()
        try:
            await self._app(scope, receive, noting)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if status != 499:
                # Half an answer is out: only breaking the connection tells the client that it is not whole.
                raise
            await surprise_response(scope)(scope, receive, noting)
        finally:
            seconds = time.perf_counter() - started_at
            self._metrics.end(scope, status, seconds)
            _log_access(scope, status, seconds)


def _log_access(scope: Scope, status: int, seconds: float) -> None:
    # What only looks and succeeds (polls, pages, files) would drown the lines that matter on a laptop's console.
    looked = scope["method"] in {"GET", "HEAD"} and status < 400
    level = logging.DEBUG if (looked or scope["path"].startswith(_QUIET)) and status < 500 else logging.INFO
    if not access_logger.isEnabledFor(level):
        return
    actor = scope.get("state", {}).get("actor")
    client = scope.get("client")
    facts = {
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "actor": actor.name if isinstance(actor, Actor) else None,
        "address": client[0] if client else None,
    }
    access_logger.log(level, "%s %s", scope["method"], scope["path"], extra=facts)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route_of(scope: Scope) -> str:
    """The path with its parameters named, as `/api/v1/users/{user_id}`. Made from the values: the framework's own
    route object knows only its last part when routers lie in routers."""
    if "route" not in scope:
        return "other"
    segments = cast(str, scope["path"]).split("/")
    for name, value in reversed(scope.get("path_params", {}).items()):
        wanted = str(value).split("/")
        for start in range(len(segments) - len(wanted), 0, -1):
            if segments[start : start + len(wanted)] == wanted:
                segments[start : start + len(wanted)] = [f"{{{name}}}"]
                break
    return "/".join(segments)
