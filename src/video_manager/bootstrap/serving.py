"""Runs the system, or one service of it: as a server, or inside one command."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from video_manager.bootstrap import data_folder
from video_manager.bootstrap.adapters import opened
from video_manager.bootstrap.lifespan import running
from video_manager.bootstrap.probes import health_of
from video_manager.bootstrap.services import ALL_SERVICES, API_ONLY, Service
from video_manager.bootstrap.system import System
from video_manager.collector import keep_what_is_built, no_collections
from video_manager.errors import SettingsError
from video_manager.gateway.health import health_application
from video_manager.gateway.local_secrets import local_actor_token
from video_manager.settings import Settings
from video_manager.telemetry import configure_logging

EMBEDDED_URL = "http://video-manager.local"
ANALYTICS = "/api/v1/analytics"
KEEP_ALIVE_SECONDS = 30
log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Start everything in this process and stay until SIGINT or SIGTERM. Raises SettingsError, Unavailable."""
    if not settings.keeps_data:
        _require_warehouse(settings)
    _prepare_logging(settings)
    asyncio.run(_serve(settings))


def serve_service(settings: Settings, service: Service, generators: Sequence[str] = ()) -> None:
    """Start one service and stay until SIGINT or SIGTERM: it stops taking work, ends or gives back what it has, and
    goes. Raises SettingsError, Unavailable."""
    if settings.keeps_data:
        raise SettingsError(
            f"`run {service}` needs stores that processes can share (VIDEO_MANAGER_PROFILE=cluster): in the laptop "
            "profile all services share one process. Start that by `video-manager up`."
        )
    if settings.public_url is None:
        raise SettingsError(
            "VIDEO_MANAGER_PUBLIC_URL is missing: name the address under which people reach the studio, for example "
            "https://videos.example.org; every service makes links from it"
        )
    if service.needs_warehouse:
        _require_warehouse(settings)
    if service.serves_people and settings.session_secret is None:
        raise SettingsError(
            "VIDEO_MANAGER_SESSION_SECRET is missing: gateway and studio sign sessions with the same one; make it by "
            "`openssl rand -hex 32`"
        )
    if service.needs_credentials and not settings.keys_of_credentials:
        raise SettingsError(
            "VIDEO_MANAGER_CREDENTIAL_KEYS is missing: gateway, studio and publishing read the platforms' secrets with "
            "the same key; make it by `video-manager credentials new-key`"
        )
    _prepare_logging(settings)
    runner_for(service)(_serve_service(settings, service, generators))


def runner_for(service: Service) -> Callable[[Coroutine[Any, Any, None]], None]:
    """What runs its event loop. uvloop takes less processor time, but starting a process from it takes more, and leaves
    open in it whatever is inheritable: not for services that start one for each job (docs/decisions/0016)."""
    if service.runs_plugins:
        return asyncio.run
    import uvloop  # noqa: PLC0415 - only for those that run on it

    return uvloop.run


def _require_warehouse(settings: Settings) -> None:
    if settings.warehouse_url is None:
        raise SettingsError(
            "VIDEO_MANAGER_WAREHOUSE_URL is missing: name the PostgreSQL of analytics, for example "
            "postgresql://user:password@host/video_manager"
        )


def _prepare_logging(settings: Settings) -> None:
    configure_logging(settings)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # our own greeting says that it runs


async def _serve(settings: Settings) -> None:
    listening = _listen(settings)
    async with opened(settings) as adapters:
        with no_collections():
            # An address that somebody gave is tried before anything else starts.
            system = await System.build(settings, adapters, analytics_late=settings.warehouse_url is None)
            server = _Server(_application(system, workers=True), system, _greet_people)
        try:
            await server.run(listening)
        finally:
            data_folder.withdraw(settings.data_dir)


async def _serve_service(settings: Settings, service: Service, generators: Sequence[str]) -> None:
    listening = _listen(settings)
    async with opened(settings) as adapters:
        with no_collections():
            system = await System.build(settings, adapters, frozenset({service}), generators=generators)
            if service.serves_people:
                app = _application(system, workers=True, studio=service is Service.STUDIO)
            else:
                health = health_of(system, open_metrics=True)
                app = health_application(health, lambda _app: running(system, workers=True))
            server = _Server(app, system, lambda system: _greet_operator(system, service))
        await server.run(listening)


def _application(system: System, *, workers: bool, studio: bool = True) -> Starlette:
    # Loaded only where somebody calls it: FastAPI and the routes are a quarter of the start of the other services.
    from video_manager.bootstrap.application import build_application  # noqa: PLC0415 - see above

    return build_application(system, workers=workers, studio=studio)


class _Server(uvicorn.Server):
    """Greets as soon as it answers."""

    def __init__(self, app: Starlette, system: System, greet: Callable[[System], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app, log_config=None, access_log=False, timeout_keep_alive=KEEP_ALIVE_SECONDS, server_header=False,
                proxy_headers=False, timeout_graceful_shutdown=max(1, int(system.settings.grace_seconds)),
                ws_max_size=2**20,
            )
        )  # fmt: skip
        self._system = system
        self._greet = greet
        self._finishing: asyncio.Task[None] | None = None
        self._failure: Exception | None = None

    async def run(self, listening: socket.socket) -> None:  # type: ignore[override]  # ours is awaited, as `serve` is
        """Until a signal. Raises what stopped the start."""
        await self.serve(sockets=[listening])
        if self._failure is not None:
            raise self._failure
        if not self.started:
            raise SettingsError("the start failed; the log says why")

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Unlike uvicorn's own, an orderly stop on a signal ends with exit code 0."""
        loop = asyncio.get_running_loop()
        stops = (signal.SIGINT, signal.SIGTERM)
        for stop in stops:
            loop.add_signal_handler(stop, self.handle_exit, stop, None)
        try:
            yield
        finally:
            for stop in stops:
                loop.remove_signal_handler(stop)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            keep_what_is_built()
            self._greet(self._system)
            self._finishing = asyncio.create_task(self._finish(), name="finish the start")

    async def _finish(self) -> None:
        try:
            await self._system.finish_start()
        except Exception as error:  # noqa: BLE001 - whatever it is, half a system must not go on; `run` raises it
            self._failure = error
            self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._finishing is not None:
            await self._finishing
        await super().shutdown(sockets)


def _listen(settings: Settings) -> socket.socket:
    """Bound before anything else is opened, so that a taken port stops the start at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP, because asyncio sets TCP_NODELAY only then: without it answers wait 40 ms for an acknowledgement.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"VIDEO_MANAGER_HOST, VIDEO_MANAGER_PORT: cannot listen on {settings.host}:{settings.port} "
            f"({os.strerror(error.errno or 0)}): stop what uses the port, or choose another one"
        ) from error
    listening.set_inheritable(False)
    return listening


def _local_url(settings: Settings) -> str:
    """Where this machine reaches the server, whatever its public address is."""
    return settings.model_copy(update={"public_url": None}).base_url


def _greet_people(system: System) -> None:
    settings, password = system.settings, system.first_password
    data_folder.announce(settings.data_dir, _local_url(settings))
    lines = [f"The studio is at {settings.base_url}"]
    if password is not None and settings.admin_password is None:
        lines.append(f"Sign in as admin with the password {password}")
        lines.append("It is shown only this once; change it under Profile.")
    elif password is not None:
        lines.append("Sign in as admin with the password of VIDEO_MANAGER_ADMIN_PASSWORD.")
    else:
        lines.append("Forgot the password? ./run users reset-password admin")
    lines.append(f"Data: {settings.data_dir}   Stop: Ctrl-C")
    sys.stdout.write("\n" + "\n".join(f"  {line}" for line in lines) + "\n\n")
    sys.stdout.flush()


def _greet_operator(system: System, service: Service) -> None:
    settings, password = system.settings, system.first_password
    if password is not None and settings.admin_password is None:
        # Not through the log: logs are kept and read by more people than this is meant for.
        sys.stdout.write(f"\n  Sign in as admin with the password {password}\n  It is shown only this once.\n\n")
        sys.stdout.flush()
    log.info("%s runs; its health is at %s/health/ready", service, _local_url(settings))


@asynccontextmanager
async def run_embedded(settings: Settings, workers: bool) -> AsyncIterator[httpx.AsyncClient]:
    """The system inside this process, without a port; a client that is signed in as this machine's owner.

    Without `workers` only the API answers: nothing is rendered, published or sent.
    """
    if not settings.keeps_data:
        _require_warehouse(settings)
    async with opened(settings) as adapters:
        late = not workers and settings.warehouse_url is None
        with no_collections():
            services = ALL_SERVICES if workers else API_ONLY
            system = await System.build(settings, adapters, services, analytics_late=late)
            app = _application(system, workers=workers, studio=False)
        token = local_actor_token(settings.data_dir)
        finishing = asyncio.Lock()

        async def open_what_is_asked(request: httpx.Request) -> None:
            """Most commands never ask analytics, which is a seventh of their time."""
            if request.url.path.startswith(ANALYTICS):
                async with finishing:
                    await system.finish_start()

        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url=EMBEDDED_URL, timeout=120,
                headers={"Authorization": f"Bearer {token}"}, event_hooks={"request": [open_what_is_asked]},
            ) as client,
        ):  # fmt: skip
            yield client
