"""Publishing on the real stores of a profile (the laptop's, unless the environment says otherwise), and the real folder
and site publishers."""

import functools
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from video_manager.adapters.clock import SystemClock
from video_manager.bootstrap.adapters import open_bus, open_stores
from video_manager.contracts.commands import CreatePublication, WithdrawPublication
from video_manager.contracts.envelope import Body, Envelope, envelope
from video_manager.domain.access import Actor, Role
from video_manager.domain.model import derived_id
from video_manager.domain.posting import text_sha256
from video_manager.domain.publication import Publication
from video_manager.domain.video import MediaFile, MediaRole, Metadata
from video_manager.plugins.api import Plugin
from video_manager.plugins.collectors import COLLECTORS
from video_manager.plugins.publishers import PUBLISHERS
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, DocumentStore, FileStore, MessageBus
from video_manager.publishing.assembly import Publishing, build_publishing
from video_manager.publishing.rules import PublishingRules
from video_manager.publishing.uploader import Checkpoint, ignore_checkpoint
from video_manager.settings import Settings
from video_manager.worker.folders import WorkFolders

RITA = Actor(id="rita", name="Rita", role=Role.ADMIN)
VIC = Actor(id="vic", name="Vic", role=Role.VIEWER)
FOLDER, SITE = derived_id("channel", "folder"), derived_id("channel", "site")
CONTENT = {MediaRole.MASTER: b"MP4 " * 50_000, MediaRole.THUMBNAIL: b"JPEG" * 100, MediaRole.CAPTIONS: b"WEBVTT\n\n"}
NAMES = {MediaRole.MASTER: ("master.mp4", "video/mp4"), MediaRole.THUMBNAIL: ("thumbnail.jpg", "image/jpeg"),
         MediaRole.CAPTIONS: ("captions.vtt", "text/vtt")}  # fmt: skip


@dataclass
class World:
    root: Path
    documents: DocumentStore
    files: FileStore
    bus: MessageBus
    publishing: Publishing

    @property
    def published(self) -> Path:
        return self.root / "published"

    async def store(self, role: MediaRole, content: bytes | None = None, id: str = "") -> MediaFile:
        """The bytes in the file store, as the manager knows them."""
        data = CONTENT[role] if content is None else content
        id, (name, content_type) = id or f"file-{role}", NAMES[role]
        if await self.files.stat(id) is None:
            source = self.root / f"new-{role}"
            source.write_bytes(data)
            await self.files.put_path(id, source)
        return MediaFile(
            id=id, role=role, name=name, content_type=content_type, size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(), duration_seconds=20.0, width=1080, height=1920,
        )  # fmt: skip

    async def command(
        self, id: str = "p" * 32, channel: str = FOLDER, title: str = "Ein Tag am Meer",
        publish_at: datetime | None = None, video_id: str = "v1", **metadata: Any,
    ) -> CreatePublication:  # fmt: skip
        texts = Metadata(title=title, **metadata)
        return CreatePublication(
            publication_id=id, approval_id="a1", video_id=video_id, version=1, channel_id=channel,
            metadata=texts, text_sha256=text_sha256(texts, {}), master=await self.store(MediaRole.MASTER),
            thumbnail=await self.store(MediaRole.THUMBNAIL), captions=await self.store(MediaRole.CAPTIONS),
            publish_at=publish_at, approved_by="Rita",
        )  # fmt: skip

    async def create(self, command: CreatePublication) -> str:
        await self.publishing.service.create(message(command, command.publication_id), command)
        return command.publication_id

    async def withdraw(self, id: str, reason: str = "the text changed") -> None:
        command = WithdrawPublication(publication_id=id, approval_id="a1", reason=reason)
        await self.publishing.service.withdraw(message(command, id), command)

    async def run(self, rounds: int = 1) -> None:
        """Let the schedule look, and wait for what it started."""
        for _ in range(rounds):
            await self.publishing.scheduler.tick()
            await self.publishing.scheduler.settle()

    async def publication(self, id: str = "p" * 32) -> Publication:
        return (await self.publishing.repositories[0].load(id)).value

    async def events(self) -> list[str]:
        """The types of the messages that wait to be sent, oldest first."""
        found = [message for unsent in await self.documents.unsent(1000) for message in unsent.messages]
        return [one.type for one in sorted(found, key=lambda one: one.time)]

    def sidecars(self) -> list[Path]:
        return sorted(self.published.glob("*.json"))

    def sets(self) -> list[str]:
        """Names of all files that a person sees in the folder."""
        return sorted(path.name for path in self.published.iterdir() if not path.name.startswith("."))


def message(body: Body, subject: str) -> Envelope:
    return envelope(body, source="manager", subject=subject, id_from=(subject, body.message_type()))


@functools.cache  # describing all options takes longer than all else that opening does
def registry_of(*plugins: type[Plugin]) -> Registry:
    """The publishers and collectors that come along, and these."""
    return Registry([*PUBLISHERS, *COLLECTORS, *plugins])


@asynccontextmanager
async def open_world(
    root: Path, *, clock: Clock | None = None, checkpoint: Checkpoint = ignore_checkpoint,
    plugins: Sequence[type[Plugin]] = (), **rules: Any,
) -> AsyncIterator[World]:  # fmt: skip
    """A process's view of the data in `root`, or on the servers that the settings in the environment name; several may
    be open at once."""
    rules_here = PublishingRules(
        base_url="http://127.0.0.1:8800", published_folder=root / "published",
        **{
            "keys_folder": root, "backoff_first_seconds": 0.0, "renew_seconds": 0.05, "lease_seconds": 0.5,
            "absent_margin_seconds": 0.1,
        } | rules,
    )  # fmt: skip
    settings = Settings(data_dir=root, min_free_bytes=0)
    async with AsyncExitStack() as stack:
        documents, files = await open_stores(settings, stack)
        bus = await open_bus(settings, stack)
        publishing = build_publishing(
            documents, files, registry_of(*plugins), bus, clock or SystemClock(),
            settings=rules_here, work_folder=WorkFolders(root / "work").open, checkpoint=checkpoint,
        )  # fmt: skip
        stack.push_async_callback(publishing.stop)
        await publishing.open()
        await publishing.ensure_first_channels()
        yield World(root, documents, files, bus, publishing)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_world(tmp_path) as opened:
        yield opened


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """What "not there" has to wait for, made short."""
    for publisher in PUBLISHERS:
        monkeypatch.setattr(publisher, "publish_timeout_seconds", 0.3)
