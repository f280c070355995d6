"""Notifications on the real document store, with a real mail server and a real HTTP receiver on this machine."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from apprise import Apprise
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from tests.fakes.clock import VirtualClock
from tests.servers.processes import free_port

from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.contracts import events
from video_manager.contracts.catalogue import body_of
from video_manager.contracts.envelope import Body, Envelope, envelope
from video_manager.domain.access import Actor, Role
from video_manager.notifications.assembly import Notifications, build_notifications
from video_manager.notifications.service import NotificationService

with warnings.catch_warnings():
    # Apprise loads all its plugins at the first address, and some import deprecated modules: here once, aside.
    warnings.simplefilter("ignore")
    Apprise.instantiate("json://localhost")

ADMIN = Actor(id="ada", name="Ada", role=Role.ADMIN)
VIEWER = Actor(id="vic", name="Vic", role=Role.VIEWER)
OTHER = Actor(id="olga", name="Olga", role=Role.REVIEWER)
WORKER = Actor(id="wo", name="Wo", role=Role.WORKER)


@dataclass
class Inbox:
    """A mail server's messages; while `refusing` it answers 451."""

    url: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    refusing: bool = False

    async def handle_DATA(self, _server: Any, _session: Any, mail: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refusing:
            return "451 come back later"
        self.mails.append(message_from_bytes(mail.content, policy=default))  # type: ignore[arg-type]
        return "250 taken"

    def subjects(self) -> list[str]:
        return [mail["Subject"] for mail in self.mails]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    box, port = Inbox(), free_port()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    box.url = f"mailto://127.0.0.1:{port}/?from=studio@example.com&to=ada@example.com"
    yield box
    server.stop()


@dataclass
class Desk:
    """Everything a test needs, and short words for what happens in the system."""

    parts: Notifications
    clock: VirtualClock
    hints: list[Envelope]

    @property
    def service(self) -> NotificationService:
        return self.parts.service

    async def hear(self, body: Body, id: str = "") -> Envelope:
        """An event arrives; the same id is the same event again."""
        event = envelope(body, source="test", subject="v1", now=self.clock.now(), id_from=(id,) if id else None)
        await self.parts.subscription().handler(event)
        return event

    async def ready(self, title: str = "Tides", id: str = "") -> Envelope:
        body = events.VersionReady(video_id="v1", version=1, title=title, created_by="u", findings=2)
        return await self.hear(body, id)

    async def deliver(self) -> None:
        await self.parts.loop.run_once()


@asynccontextmanager
async def open_desk(folder: Path, clock: VirtualClock, **settings: Any) -> AsyncIterator[Desk]:
    store = SqliteDocuments(folder / "documents.sqlite")
    await store.open()
    hints: list[Envelope] = []

    async def hint(event: Envelope) -> None:
        body_of(event)
        hints.append(event)

    parts = build_notifications(
        store, clock, hint, base_url="http://studio.test", notify_timeout_seconds=5,
        **{"webhook_allow_private": True, **settings},
    )  # fmt: skip
    try:
        await parts.open()
        yield Desk(parts, clock, hints)
    finally:
        await parts.stop()
        await store.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, VirtualClock()) as opened:
        yield opened


@pytest.fixture
async def guarded_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Private addresses are refused, as by default."""
    async with open_desk(tmp_path, VirtualClock(), webhook_allow_private=False) as opened:
        yield opened


@pytest.fixture
async def mailing_desk(tmp_path: Path, inbox: Inbox) -> AsyncIterator[Desk]:
    """With the mail server in the settings."""
    async with open_desk(tmp_path, VirtualClock(), notify_urls=[SecretStr(inbox.url)]) as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server


async def until(reached: Any, seconds: float = 5.0) -> None:
    """Wait for something another thread does."""
    async with asyncio.timeout(seconds):
        while not reached():  # noqa: ASYNC110 - a mail server in a thread sets no event
            await asyncio.sleep(0.02)
