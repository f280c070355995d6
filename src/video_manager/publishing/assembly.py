"""Publishing put together: made once, opened, and run by whoever starts the process."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from video_manager.domain.channel import Channel
from video_manager.domain.publication import Publication
from video_manager.media.ffmpeg import FfmpegTool
from video_manager.plugins.api import MediaTool, SiteCounts
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, DocumentStore, FileStore, MessageBus, Subscription, WorkFolder
from video_manager.publishing.asker import Asker
from video_manager.publishing.channels import CHANNELS, ChannelService
from video_manager.publishing.handlers import subscription
from video_manager.publishing.ledger import PUBLICATIONS, Ledger
from video_manager.publishing.platforms import Platforms
from video_manager.publishing.rules import PublishingRules
from video_manager.publishing.scheduler import Scheduler
from video_manager.publishing.service import PublishingService
from video_manager.publishing.site.counts import VISITS, SiteCountsService
from video_manager.publishing.site.page import PAGES, SitePage
from video_manager.publishing.site.service import SiteService
from video_manager.publishing.site.shelf import Site
from video_manager.publishing.site.visit import Visit
from video_manager.publishing.uploader import Checkpoint, Uploader, ignore_checkpoint
from video_manager.repository import Repository
from video_manager.settings import Settings


@dataclass(frozen=True)
class Publishing:
    """`service` has the use cases, `site` is behind the public pages, `scheduler` uploads what is due, `site_counts`
    is what the site's collector reads."""

    service: PublishingService
    site: SiteService
    site_counts: SiteCounts
    media: MediaTool
    scheduler: Scheduler
    shelves: Site
    repositories: tuple[Repository[Publication], Repository[Channel], Repository[SitePage], Repository[Visit]]

    async def open(self) -> None:
        """Make the collections."""
        for repository in self.repositories:
            await repository.register()

    async def ensure_first_channels(self) -> None:
        """At the first start: the site and the folder. Where publishing itself runs, as it needs to reach them."""
        await self.service.channels.ensure_defaults(self.shelves.url)
        await self.shelves.remove_abandoned()

    async def void_leases(self) -> None:
        """Only where this is the one process there is."""
        await self.scheduler.void_leases()

    async def start(self) -> None:
        await self.scheduler.start()

    async def stop(self) -> None:
        await self.scheduler.stop()

    def subscription(self) -> Subscription:
        return subscription(self.service)

    async def needed_files(self, file_ids: Collection[str]) -> Iterable[str]:
        """Those of the stored files that publications and pages still need."""
        return await self.service.files_in_use(file_ids)


def build_publishing(
    documents: DocumentStore, files: FileStore, registry: Registry, bus: MessageBus, clock: Clock, *,
    settings: Settings | PublishingRules, work_folder: WorkFolder, checkpoint: Checkpoint = ignore_checkpoint,
) -> Publishing:  # fmt: skip
    """`checkpoint` is told the name of every step of an upload that was finished."""
    rules = PublishingRules.of(settings) if isinstance(settings, Settings) else settings
    publications = Repository(documents, PUBLICATIONS, Publication)
    channel_documents = Repository(documents, CHANNELS, Channel)
    pages, visits = Repository(documents, PAGES, SitePage), Repository(documents, VISITS, Visit)
    shelves = Site(pages, files, clock, rules.base_url)
    platforms = Platforms(registry, shelves, rules, work_folder)
    channels = ChannelService(channel_documents, platforms, clock)
    ledger = Ledger(publications, clock)
    uploader = Uploader(ledger, channels, platforms, files, clock, rules, bus.hint, checkpoint)
    asker = Asker(ledger, channels, platforms, clock, rules)
    scheduler = Scheduler(ledger, channels, uploader, asker, clock, rules, checkpoint)
    counts = SiteCountsService(visits, shelves, clock)
    return Publishing(
        service=PublishingService(publications, ledger, channels, shelves, clock, scheduler.wake),
        site=SiteService(shelves, counts, files, clock),
        site_counts=counts,
        media=FfmpegTool(lambda _fraction, _stage: None),
        scheduler=scheduler,
        shelves=shelves,
        repositories=(publications, channel_documents, pages, visits),
    )
