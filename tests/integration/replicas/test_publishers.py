"""Two publishing processes on the same stores: schedulers, uploaders and askers, and the counts of the site."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.publishing.conftest import message
from tests.integration.replicas.conftest import FilePair, Pair

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.contracts.commands import CreatePublication
from video_manager.domain.model import derived_id
from video_manager.domain.publication import PublicationState
from video_manager.domain.video import MediaFile, MediaRole, Metadata
from video_manager.plugins.collectors import COLLECTORS
from video_manager.plugins.publishers import PUBLISHERS
from video_manager.plugins.registry import Registry
from video_manager.publishing.assembly import Publishing, build_publishing
from video_manager.publishing.rules import PublishingRules
from video_manager.publishing.site.page import SitePage
from video_manager.worker.folders import WorkFolders

FOLDER = derived_id("channel", "folder")
COUNT = 12


@dataclass
class Publishers:
    first: Publishing
    second: Publishing
    folder: Path

    @property
    def both(self) -> tuple[Publishing, Publishing]:
        return self.first, self.second

    async def states(self) -> dict[object, int]:
        return dict(await self.first.repositories[0].count_by("state"))


@pytest.fixture
async def publishers(pair: Pair, file_pair: FilePair, tmp_path: Path) -> AsyncIterator[Publishers]:
    folder = tmp_path / "published"
    rules = PublishingRules(
        base_url="http://127.0.0.1:8800", published_folder=folder, backoff_first_seconds=0.0, renew_seconds=0.2,
        lease_seconds=30, keys_folder=tmp_path,
    )  # fmt: skip
    bus = SqliteBus(tmp_path / "bus.sqlite")
    await bus.open()
    first, second = (
        build_publishing(
            store, files, Registry([*PUBLISHERS, *COLLECTORS]), bus, SystemClock(), settings=rules,
            work_folder=WorkFolders(tmp_path / "work").open,
        )
        for store, files in zip(pair, file_pair, strict=True)
    )  # fmt: skip
    for publishing in (first, second):
        await publishing.open()
    await asyncio.gather(first.ensure_first_channels(), second.ensure_first_channels())
    yield Publishers(first, second, folder)
    await first.stop()
    await second.stop()
    await bus.close()


async def test_two_schedulers_publish_each_post_once(
    publishers: Publishers, file_pair: FilePair, tmp_path: Path
) -> None:
    master = await _master(file_pair, tmp_path)
    for number in range(COUNT):
        command = CreatePublication(
            publication_id=f"{number:032}", approval_id="a", video_id=f"v{number}", version=1, channel_id=FOLDER,
            metadata=Metadata(title=f"Post {number}"), master=master, approved_by="Rita",
        )  # fmt: skip
        # The same command reaches both: the one who took it first died before it said so.
        envelope = message(command, command.publication_id)
        await asyncio.gather(*(one.service.create(envelope, command) for one in publishers.both))
    for publishing in publishers.both:
        await publishing.start()
    async with asyncio.timeout(60):
        while await publishers.states() != {PublicationState.PUBLISHED.value: COUNT}:  # noqa: ASYNC110 - other tasks
            await asyncio.sleep(0.05)
    assert len(list(publishers.folder.glob("*.json"))) == COUNT
    for number in range(COUNT):
        publication = (await publishers.first.repositories[0].load(f"{number:032}")).value
        assert [attempt.outcome for attempt in publication.attempts] == ["published"]


async def test_views_and_likes_are_counted_by_two_gateways(publishers: Publishers) -> None:
    page = await _page(publishers)
    counters = [publishing.site._counts for publishing in publishers.both]
    visitors = [f"visitor {number}" for number in range(10)]
    # Each visitor's beacons reach both gateways, some at the same moment.
    await asyncio.gather(*(counter.watched(page, one, 0) for one in visitors for counter in counters))
    await asyncio.sleep(page.duration_seconds)
    await asyncio.gather(*(counter.watched(page, one, 1) for one in visitors for counter in counters))
    await asyncio.gather(*(counter.like(page, one, liked=True) for one in visitors for counter in counters))
    for publishing in publishers.both:
        counted = await publishing.site_counts.counts(page.id)
        assert counted is not None
        assert (counted["views"], counted["likes"]) == (10, 10)


async def _master(file_pair: FilePair, tmp_path: Path) -> MediaFile:
    content = b"MP4 " * 5000
    source = tmp_path / "new"
    source.write_bytes(content)
    await file_pair[0].put_path("master", source)
    return MediaFile(
        id="master", role=MediaRole.MASTER, name="master.mp4", content_type="video/mp4", size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(), duration_seconds=20.0, width=1080, height=1920,
    )  # fmt: skip


async def _page(publishers: Publishers) -> SitePage:
    page = SitePage.model_validate(
        {
            "id": "page", "publication_id": "p", "public": True, "title": "A", "description": "", "tags": (),
            "language": "en", "duration_seconds": 0.2, "staged_at": datetime.now(UTC),
            "published_at": datetime.now(UTC),
            "video": {"id": "f", "content_type": "video/mp4", "size_bytes": 1, "sha256": "0", "suffix": ".mp4"},
        }
    )  # fmt: skip
    await publishers.first.repositories[2].add(page)
    return page
