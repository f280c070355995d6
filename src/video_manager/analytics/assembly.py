"""The parts of analytics put together: what bootstrap builds, starts and stops."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from video_manager.analytics.collecting import CollectorLoop
from video_manager.analytics.context import CollectingContext
from video_manager.analytics.handlers import subscription
from video_manager.analytics.loader import FindCollector, Loader
from video_manager.analytics.option_values import drawn_choices
from video_manager.analytics.raw import RAW_PAYLOADS
from video_manager.analytics.service import AnalyticsService, Choices
from video_manager.analytics.tracked import TRACKED, TrackedPublication
from video_manager.analytics.warehouse_port import Warehouse
from video_manager.domain.metrics import RawPayload
from video_manager.plugins.api import Collector, CollectorContext, MediaTool, SiteCounts
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.ports import Clock, DocumentStore, Subscription, WorkFolder
from video_manager.repository import Repository

FindSecrets = Callable[[str], Awaitable[Mapping[str, str]]]
"""The secrets of a channel, by its id."""


async def no_secrets(_channel_id: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Analytics:
    """`open` and `close` on every process that uses the service; `start` and `stop` where its loop runs."""

    service: AnalyticsService
    loop: CollectorLoop
    loader: Loader
    warehouse: Warehouse
    raw: Repository[RawPayload]
    tracked: Repository[TrackedPublication]

    def subscription(self) -> Subscription:
        return subscription(self.service)

    async def open(self) -> None:
        """Make the collections and the schema; an empty warehouse is filled again from the raw payloads. Raises
        SettingsError."""
        await self.raw.register()
        await self.tracked.register()
        await self.warehouse.open()
        if await self.warehouse.is_empty() and await self.raw.count():
            await self.loader.rebuild(if_empty=True)

    async def close(self) -> None:
        await self.warehouse.close()

    async def start(self) -> None:
        await self.loop.start()

    async def stop(self) -> None:
        await self.loop.stop()


def build_analytics(
    store: DocumentStore, warehouse: Warehouse, registry: Registry, clock: Clock, *, collect_seconds: float,
    site_counts: SiteCounts, media: MediaTool, work_folder: WorkFolder, secrets: FindSecrets = no_secrets,
) -> Analytics:  # fmt: skip
    """`collect_seconds` is the setting of the same name; `secrets` gives collectors what their channels need."""
    raw = Repository(store, RAW_PAYLOADS, RawPayload)
    tracked = Repository(store, TRACKED, TrackedPublication)
    find_collector = collectors_of(registry)
    loader = Loader(raw, warehouse, find_collector)

    @asynccontextmanager
    async def open_context(platform: str, channel_id: str) -> AsyncIterator[CollectorContext]:
        async with work_folder(f"collect-{platform}") as folder:
            yield CollectingContext(folder, platform, media, await secrets(channel_id), site_counts)

    loop = CollectorLoop(tracked, raw, loader, find_collector, open_context, clock, collect_seconds)
    service = AnalyticsService(warehouse, raw, tracked, loader, clock, choices_of(registry))
    return Analytics(service, loop, loader, warehouse, raw, tracked)


def collectors_of(registry: Registry) -> FindCollector:
    def find(platform: str) -> Collector[Any] | None:
        if platform not in registry.names(PluginKind.COLLECTOR):
            return None
        collector: Collector[Any] = registry.collector(platform)()
        return collector

    return find


def choices_of(registry: Registry) -> Choices:
    return lambda generator: drawn_choices(registry.description(PluginKind.GENERATOR, generator).json_schema)
