"""The application: middlewares, routers, and what answers when no route does."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import BaseRoute, Match
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from video_manager import __version__
from video_manager.errors import NotFound
from video_manager.gateway.access import AccessService
from video_manager.gateway.access_routes import access_routes
from video_manager.gateway.asyncapi import asyncapi_routes
from video_manager.gateway.docs_page import docs_routes
from video_manager.gateway.events import EventFeed, event_routes
from video_manager.gateway.guard import Guard
from video_manager.gateway.headers import SecurityHeaders
from video_manager.gateway.health import Health
from video_manager.gateway.health_routes import health_routes
from video_manager.gateway.idempotency import Idempotency, IdempotencyRecords
from video_manager.gateway.limits import BodyLimit
from video_manager.gateway.login import login_routes
from video_manager.gateway.observation import HttpMetrics, Observation
from video_manager.gateway.openapi import describe_problems
from video_manager.gateway.operations import OperationsService
from video_manager.gateway.operations_routes import operations_routes
from video_manager.gateway.origins import Origins, allowed_origins
from video_manager.gateway.problems import MethodNotAllowed, install_problems
from video_manager.gateway.tus import TusHeaders, upload_routes
from video_manager.gateway.uploads import UploadsService
from video_manager.settings import Settings
from video_manager.tasks import end_tasks

API = "/api/v1"
UPLOADS = f"{API}/uploads"
SWEEP_SECONDS = 600.0

Hook = Callable[[], AbstractAsyncContextManager[None]]
"""Entered when the server starts and left when it stops."""

_ALL_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class GatewayParts:
    """What the application is made of. `api_routers` are put below /api/v1 and need an actor; `public_routers` are
    put at the root and are open to everybody, `page_routers` there too, for whoever is signed in. `session_secret`
    comes from local_secrets."""

    settings: Settings
    access: AccessService
    uploads: UploadsService
    idempotency: IdempotencyRecords
    operations: OperationsService
    events: EventFeed
    session_secret: str
    health: Health
    api_routers: Sequence[APIRouter] = ()
    public_routers: Sequence[APIRouter] = ()
    page_routers: Sequence[APIRouter] = ()
    lifespan: Sequence[Hook] = ()


def create_app(parts: GatewayParts) -> FastAPI:
    """The studio may be mounted at "/" afterwards: whatever is not an API, health or public path is left to it."""
    origins = Origins(parts.settings)
    app = FastAPI(
        title="Video Manager",
        version=__version__,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(parts),
        middleware=_middlewares(parts, origins),
        # A redirect would answer before it is known whether the studio has the path.
        redirect_slashes=False,
    )
    install_problems(app)
    app.include_router(health_routes(parts.health))
    app.include_router(login_routes(parts.access, origins))
    for router in (*parts.public_routers, *parts.page_routers):
        app.include_router(router)
    own = (
        access_routes(parts.access),
        operations_routes(parts.operations, parts.settings),
        event_routes(parts.events),
        upload_routes(parts.uploads, parts.settings.max_upload_bytes, API),
    )
    for router in (*own, *parts.api_routers):
        app.include_router(router, prefix=API)
    describe_problems(app)
    app.include_router(docs_routes(app))
    app.include_router(asyncapi_routes(parts.settings))
    _answer_unknown_paths(app)
    return app


def _middlewares(parts: GatewayParts, origins: Origins) -> list[Middleware]:
    """The outermost first. All are pure ASGI: others slow down the answers with files."""
    settings = parts.settings
    https = urlsplit(settings.base_url).scheme == "https"
    public: list[BaseRoute] = [route for router in parts.public_routers for route in router.routes]
    stack = [
        Middleware(SecurityHeaders, https=https),
        Middleware(Observation, metrics=HttpMetrics(parts.health.registry)),
        Middleware(TusHeaders, prefix=UPLOADS),
        # Uploads count for themselves; the studio's own upload fields send whole files.
        Middleware(BodyLimit, by_prefix={UPLOADS: None, "/_nicegui/client": settings.max_upload_bytes}),
        Middleware(
            SessionMiddleware,
            secret_key=parts.session_secret,
            session_cookie=_cookie_name(settings),
            max_age=int(settings.session_hours * 3600),
            same_site="lax",
            https_only=https,
        ),
        Middleware(Guard, access=parts.access, origins=origins, public=public),
        Middleware(Idempotency, records=parts.idempotency, prefix=f"{API}/", except_below=UPLOADS),
    ]
    if settings.allowed_origins:
        stack.insert(2, _cross_origin(settings))
    if settings.trusted_proxies:
        stack.insert(0, Middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies)))
    return stack


def _cookie_name(settings: Settings) -> str:
    """Gateway and studio read the same one, on whatever ports they are. Browsers share cookies between the ports of a
    machine, and two systems on one must not sign each other out: there the port is in the name."""
    return f"video_manager_{settings.port}" if settings.keeps_data else "video_manager"


def _cross_origin(settings: Settings) -> Middleware:
    """Lets pages of the other allowed origins read our answers."""
    return Middleware(
        CORSMiddleware,
        allow_origins=list(allowed_origins(settings)),
        allow_credentials=True,
        allow_methods=list(_ALL_METHODS),
        allow_headers=["*"],
        expose_headers=[
            "ETag", "Location", "Retry-After", "X-Request-Id", "Idempotency-Replayed", "Tus-Resumable", "Tus-Version",
            "Tus-Extension", "Tus-Max-Size", "Upload-Offset", "Upload-Length", "Upload-Expires", "Upload-Metadata",
        ],
    )  # fmt: skip


def _lifespan(parts: GatewayParts) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def running(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for hook in parts.lifespan:
                await stack.enter_async_context(hook())
            for service in (parts.access, parts.uploads, parts.idempotency, parts.events):
                await service.open()
            stack.push_async_callback(parts.events.close)
            sweeper = asyncio.create_task(_sweep(parts), name="gateway sweep")
            stack.push_async_callback(end_tasks, [sweeper])
            yield

    return running


async def _sweep(parts: GatewayParts) -> None:
    """Remove what has expired, now and then. A failure is logged and tried again the next time."""
    while True:
        for service in (parts.access, parts.uploads, parts.idempotency):
            try:
                await service.sweep()
            except Exception:
                logger.exception("removing what has expired failed; it is tried again in %d s", SWEEP_SECONDS)
        await asyncio.sleep(SWEEP_SECONDS)


def _answer_unknown_paths(app: FastAPI) -> None:
    """The last route below /api and /health: without it the studio would answer with a page."""

    async def unknown(request: Request) -> NoReturn:
        path = request.url.path
        allowed = [method for method in _ALL_METHODS if _has_route(app, request, method, unknown)]
        if allowed:
            raise MethodNotAllowed(f"{path} has no {request.method}; it has {', '.join(allowed)}", allowed)
        raise NotFound(f"there is no {path}; /api/openapi.json lists what there is")

    for path in (
        "/api",
        "/api/{rest:path}",
        "/health/{rest:path}",
        "/metrics",
        "/login",
        "/logout",
        "/oauth/{rest:path}",
    ):
        app.router.add_route(path, unknown, methods=list(_ALL_METHODS), include_in_schema=False)


def _has_route(app: FastAPI, request: Request, method: str, except_for: Callable[..., object]) -> bool:
    scope = {**request.scope, "method": method, "path_params": {}}
    return any(
        route.matches(dict(scope))[0] is Match.FULL
        for route in app.router.routes
        if getattr(route, "endpoint", None) is not except_for and not _is_root_mount(route)
    )


def _is_root_mount(route: BaseRoute) -> bool:
    """The studio, which takes every path."""
    return getattr(route, "path", None) == "" and hasattr(route, "app")
