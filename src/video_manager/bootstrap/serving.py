"""Runs the system: as a server for people, or inside one command."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import uvicorn

from video_manager.bootstrap import data_folder
from video_manager.bootstrap.adapters import opened
from video_manager.bootstrap.application import build_application
from video_manager.bootstrap.system import System
from video_manager.errors import SettingsError
from video_manager.gateway.local_secrets import local_actor_token
from video_manager.settings import Settings
from video_manager.telemetry import configure_logging

EMBEDDED_URL = "http://video-manager.local"
KEEP_ALIVE_SECONDS = 30
log = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Start everything in this process and stay until SIGINT or SIGTERM. Raises SettingsError."""
    configure_logging(settings)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # our own greeting says that it runs
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    listening = _listen(settings)
    async with opened(settings) as adapters:
        # An address that somebody gave is tried before anything else starts.
        system = await System.build(settings, adapters, analytics_late=settings.warehouse_url is None)
        app = build_application(system, workers=True)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_keep_alive=KEEP_ALIVE_SECONDS, server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, int(settings.grace_seconds)), ws_max_size=2**20,
        )  # fmt: skip
        server = _Server(config, system)
        try:
            await server.serve(sockets=[listening])
        finally:
            data_folder.withdraw(settings.data_dir)
        if server.failure is not None:
            raise server.failure
        if not server.started:
            raise SettingsError("the start failed; the log says why")


class _Server(uvicorn.Server):
    """Tells people where it is as soon as it answers."""

    def __init__(self, config: uvicorn.Config, system: System) -> None:
        super().__init__(config)
        self._system = system
        self._finishing: asyncio.Task[None] | None = None
        self.failure: SettingsError | None = None

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
            settings = self._system.settings
            data_folder.announce(settings.data_dir, _local_url(settings))
            _greet(settings, self._system.first_password)
            self._finishing = asyncio.create_task(self._finish(), name="finish the start")

    async def _finish(self) -> None:
        try:
            await self._system.finish_start()
        except SettingsError as error:
            self.failure = error
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


def _greet(settings: Settings, password: str | None) -> None:
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


@asynccontextmanager
async def run_embedded(settings: Settings, workers: bool) -> AsyncIterator[httpx.AsyncClient]:
    """The system inside this process, without a port; a client that is signed in as this machine's owner.

    Without `workers` only the API answers: nothing is rendered, published or sent.
    """
    async with opened(settings) as adapters:
        system = await System.build(settings, adapters)
        app = build_application(system, workers=workers, studio=False)
        token = local_actor_token(settings.data_dir)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url=EMBEDDED_URL, timeout=120,
                headers={"Authorization": f"Bearer {token}"},
            ) as client,
        ):  # fmt: skip
            yield client
