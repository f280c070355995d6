"""Analytics on the real document store and the real SQLite warehouse; only the site's counts are set by the test."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.contract.warehouse.backends import warehouse_place
from tests.fakes.clock import VirtualClock
from tests.services import mongodb_database

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.adapters.warehouse import SqlWarehouse, sqlite_url
from video_manager.analytics.assembly import Analytics, build_analytics
from video_manager.contracts import events
from video_manager.contracts.envelope import Body, envelope
from video_manager.domain.access import SYSTEM, Actor, Role
from video_manager.domain.video import Recipe, RecipeStep, RenderSpec
from video_manager.plugins.api import Context, Generator, Options, RenderInput, RenderResult, drawn
from video_manager.plugins.collectors.site import SiteCollector
from video_manager.plugins.registry import Registry
from video_manager.ports import DocumentStore

ADMIN = Actor(id="ada", name="Ada", role=Role.ADMIN)
VIEWER = Actor(id="vic", name="Vic", role=Role.VIEWER)
WORKER = Actor(id="wo", name="Wo", role=Role.WORKER)


class PaintOptions(Options):
    colour: str | None = drawn(["red", "green", "blue"], "Which colour.")
    size: int = 3


class Paint(Generator[PaintOptions]):
    name = "paint"
    title = "Paint"
    description = "Only its options matter here."
    Options = PaintOptions

    async def render(self, input: RenderInput, options: PaintOptions, context: Context) -> RenderResult:
        raise AssertionError("nothing is rendered here")


class NoMedia:
    async def ffmpeg(
        self, arguments: Sequence[str], *, total_seconds: float | None = None, stage: str | None = None
    ) -> str:
        raise AssertionError("a collector needs no ffmpeg")


@dataclass
class Counter:
    """The site's counts as the test sets them; `broken` is raised instead."""

    pages: dict[str, dict[str, float]] = field(default_factory=dict)
    broken: Exception | None = None
    asked: int = 0

    async def counts(self, page_id: str) -> Mapping[str, float] | None:
        self.asked += 1
        if self.broken is not None:
            raise self.broken
        return self.pages.get(page_id)


@dataclass
class Lab:
    """Everything a test needs, and short words for what happens in the system."""

    analytics: Analytics
    clock: VirtualClock
    counter: Counter
    store: DocumentStore

    async def hear(self, body: Body, subject: str, at: datetime | None = None, id: str | None = None) -> None:
        event = envelope(
            body, source="test", subject=subject, now=at or self.clock.now(), id_from=(id,) if id else None
        )
        await self.analytics.service.hear(SYSTEM, event, body)

    async def request(self, video: str, colour: str = "red", number: int = 1) -> None:
        spec = RenderSpec(
            generator="paint", options={"colour": colour, "text": "x" * 5000, "nested": {"deep": [1, 2]}}, seed=7,
            recipe=Recipe(steps=(RecipeStep(step="trim", options={"start": 1.5}),)),
        )  # fmt: skip
        body = events.VersionCreated(video_id=video, version=number, title=f"Video {video}", spec=spec, created_by="u")
        await self.hear(body, video)

    async def publish(self, id: str, video: str, *, channel: str = "c1") -> None:
        await self.hear(events.PublicationPublished(**self.publication(id, video, channel)), id)

    async def withdraw(self, id: str, video: str) -> None:
        await self.hear(events.PublicationWithdrawn(**self.publication(id, video)), id)

    def publication(self, id: str, video: str, channel: str = "c1") -> dict[str, Any]:
        return {
            "publication_id": id, "approval_id": f"a-{id}", "video_id": video, "version": 1, "channel_id": channel,
            "platform": "site", "title": f"Video {video}", "external_id": f"page-{id}", "url": f"/watch/{id}",
            "at": self.clock.now(),
        }  # fmt: skip

    async def collect(self) -> None:
        """Collect what is due, and load it as the outbox's message would make the service do."""
        await self.analytics.loop.run_once()
        await self.analytics.loader.load_waiting()


@asynccontextmanager
async def open_lab(
    folder: Path, clock: VirtualClock, counter: Counter, store: DocumentStore | None = None,
    warehouse_url: str | None = None,
) -> AsyncIterator[Lab]:  # fmt: skip
    """On the laptop's stores in the folder, unless others are given."""

    @asynccontextmanager
    async def work_folder(name: str) -> AsyncIterator[Path]:
        yield folder

    store = store or SqliteDocuments(folder / "documents.sqlite")
    await store.open()
    warehouse = SqlWarehouse(warehouse_url or sqlite_url(folder / "warehouse.sqlite"))
    analytics = build_analytics(
        store, warehouse, Registry([Paint, SiteCollector]), clock, collect_seconds=60, site_counts=counter,
        media=NoMedia(), work_folder=work_folder,
    )  # fmt: skip
    try:
        await analytics.open()
        yield Lab(analytics, clock, counter, store)
    finally:
        await analytics.close()
        await store.close()


@dataclass(frozen=True)
class ClusterStores:
    """A MongoDB and a PostgreSQL database of one test alone. Each process connects by itself."""

    mongodb: str
    warehouse: str

    def documents(self) -> DocumentStore:
        return MongoDocuments(MongoConnection(self.mongodb))


@pytest.fixture
def cluster_stores(tmp_path: Path) -> Iterator[ClusterStores]:
    with mongodb_database() as mongodb, warehouse_place("postgresql", tmp_path) as warehouse:
        yield ClusterStores(mongodb, warehouse)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with open_lab(tmp_path, VirtualClock(), Counter()) as opened:
        yield opened
