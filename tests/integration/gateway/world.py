"""The whole gateway on the real embedded adapters, with one account per role."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.domain.access import SYSTEM, Role
from video_manager.gateway.access import AccessService
from video_manager.gateway.app import GatewayParts, create_app
from video_manager.gateway.events import EventFeed
from video_manager.gateway.health import Health, Probe, WorkReport
from video_manager.gateway.idempotency import IdempotencyRecords
from video_manager.gateway.operations import OperationsService
from video_manager.gateway.passwords import Passwords
from video_manager.gateway.uploads import UploadsService
from video_manager.settings import Settings
from video_manager.telemetry import new_registry

PASSWORD = "correct horse battery"
CLI_TOKEN = "c" * 64
PEOPLE = (Role.ADMIN, Role.PRODUCER, Role.REVIEWER, Role.VIEWER)


@dataclass
class World:
    """The parts under the application, and how to talk to it."""

    settings: Settings
    store: SqliteDocuments
    files: FolderFiles
    bus: SqliteBus
    access: AccessService
    parts: GatewayParts
    app: FastAPI
    keys: dict[Role, str]

    def client(self, role: Role | None = None, **headers: str) -> httpx.AsyncClient:
        """A program with a key of this role, or a stranger."""
        if role is not None:
            headers = {"Authorization": f"Bearer {self.keys[role]}", **headers}
        transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 4711))
        return httpx.AsyncClient(transport=transport, base_url=self.settings.base_url, headers=headers)

    @asynccontextmanager
    async def browser(self, role: Role = Role.ADMIN) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody who signed in by the login page."""
        async with self.client(Origin=self.settings.base_url) as client:
            answer = await sign_in(client, str(role))
            assert answer.status_code == 303, answer.text
            yield client


async def sign_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD, next: str = "/") -> httpx.Response:
    form = await client.get("/login", params={"next": next})
    csrf = form.text.split('name="csrf" value="')[1].split('"')[0]
    return await client.post("/login", data={"name": name, "password": password, "csrf": csrf, "next": next})


@asynccontextmanager
async def started_world(
    settings: Settings, *, people: bool = True, probes: Mapping[str, Probe] | None = None,
    work: WorkReport | None = None, **parts: object,
) -> AsyncIterator[World]:  # fmt: skip
    folder: Path = settings.data_dir
    store, files, bus = (
        SqliteDocuments(folder / "documents.db"),
        FolderFiles(folder / "files", settings.storage_quota_bytes),
        SqliteBus(folder / "bus.db"),
    )
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        for part in (store, files, bus):
            await part.open()
            stack.push_async_callback(part.close)
        cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        access = AccessService(store, clock, settings, CLI_TOKEN, cheap)
        await access.open()
        for role in PEOPLE if people else ():
            await access.users.create(SYSTEM, f"user-{role}", str(role), PASSWORD, role)
        keys = {
            role: (await access.keys.create(SYSTEM, f"key-{role}", f"{role}", role)).text for role in Role if people
        }
        made = GatewayParts(
            settings=settings,
            access=access,
            uploads=UploadsService(store, files, clock, settings),
            idempotency=IdempotencyRecords(store, clock, "s" * 64),
            operations=OperationsService(bus, files, access.audit),
            events=EventFeed(bus),
            session_secret="s" * 64,
            health=Health(new_registry(), probes or {}, work),
            **parts,  # type: ignore[arg-type]
        )
        app = create_app(made)
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield World(settings, store, files, bus, access, made, app, keys)
