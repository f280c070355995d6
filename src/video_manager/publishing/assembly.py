"""Publishing put together: made once, opened, and run by whoever starts the process."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

import httpx

from video_manager.domain.channel import Channel
from video_manager.domain.publication import Publication
from video_manager.domain.timetable import Timetable
from video_manager.media.ffmpeg import FfmpegTool
from video_manager.outbound import OutboundTransport
from video_manager.plugins.api import MediaTool, SiteCounts
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, DocumentStore, FileStore, MessageBus, Subscription, WorkFolder
from video_manager.publishing.access.apps import Apps
from video_manager.publishing.access.handles import Handles
from video_manager.publishing.access.keeper import Keeper
from video_manager.publishing.access.keyring import Keyring, keys_of
from video_manager.publishing.access.rotation import Rotation
from video_manager.publishing.access.service import AccessService
from video_manager.publishing.access.tokens import Tokens
from video_manager.publishing.access.vault import CREDENTIALS, Credential, Vault
from video_manager.publishing.asked_once import AskedOnce
from video_manager.publishing.asker import Asker
from video_manager.publishing.calendar_feed import CalendarFeed
from video_manager.publishing.channels import CHANNELS, ChannelService
from video_manager.publishing.connecting import ConnectingService
from video_manager.publishing.connection import CONNECTIONS, Connection
from video_manager.publishing.context import Surroundings
from video_manager.publishing.forecast import Forecast
from video_manager.publishing.handlers import subscription
from video_manager.publishing.ledger import PUBLICATIONS, Ledger
from video_manager.publishing.planning import TIMETABLES, Planner
from video_manager.publishing.platforms import Platforms
from video_manager.publishing.quotas import QUOTAS, Quotas, QuotaUse
from video_manager.publishing.recalling import Recalling
from video_manager.publishing.recording import Record, ignore_record
from video_manager.publishing.rules import PublishingRules
from video_manager.publishing.scheduler import Scheduler
from video_manager.publishing.service import PublishingService
from video_manager.publishing.site.counts import VISITS, SiteCountsService
from video_manager.publishing.site.page import PAGES, SitePage
from video_manager.publishing.site.service import SiteService
from video_manager.publishing.site.shelf import Site
from video_manager.publishing.site.visit import Visit
from video_manager.publishing.taking_down import TakingDown
from video_manager.publishing.uploader import Checkpoint, Uploader, ignore_checkpoint
from video_manager.repository import Repository
from video_manager.settings import Settings

CALL_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""Of one call to a platform: how long it may be silent."""


@dataclass(frozen=True)
class Publishing:
    """`service` has the use cases, `site` is behind the public pages, `scheduler` uploads what is due, `site_counts`
    is what the site's collector reads."""

    service: PublishingService
    site: SiteService
    site_counts: SiteCounts
    media: MediaTool
    scheduler: Scheduler
    connecting: ConnectingService
    rotation: Rotation
    keeper: Keeper
    tokens: Tokens
    calendar: CalendarFeed
    shelves: Site
    repositories: tuple[
        Repository[Publication], Repository[Channel], Repository[SitePage], Repository[Visit], Repository[Credential],
        Repository[QuotaUse], Repository[Timetable], Repository[Connection],
    ]  # fmt: skip
    http: httpx.AsyncClient

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
        await self.keeper.start()

    async def stop(self) -> None:
        await self.keeper.stop()
        await self.scheduler.stop()
        await self.tokens.close()
        await self.http.aclose()

    def subscription(self) -> Subscription:
        return subscription(self.service)

    async def overdue_since(self) -> datetime | None:
        """When the publication that waits longest for this service was due; None: nothing that is due waits. What a
        paused channel keeps waiting, or a person has to decide, does not count."""
        return await self.scheduler.overdue_since()

    async def needed_files(self, file_ids: Collection[str]) -> Iterable[str]:
        """Those of the stored files that publications and pages still need."""
        return await self.service.files_in_use(file_ids)


def build_publishing(
    documents: DocumentStore, files: FileStore, registry: Registry, bus: MessageBus, clock: Clock, *,
    settings: Settings | PublishingRules, work_folder: WorkFolder, checkpoint: Checkpoint = ignore_checkpoint,
    record: Record = ignore_record,
) -> Publishing:  # fmt: skip
    """`checkpoint` is told the name of every step of an upload that was finished; `record` writes the audit log."""
    rules = PublishingRules.of(settings) if isinstance(settings, Settings) else settings
    publications = Repository(documents, PUBLICATIONS, Publication, remembers=True)
    channel_documents = Repository(documents, CHANNELS, Channel)
    pages, visits = Repository(documents, PAGES, SitePage), Repository(documents, VISITS, Visit)
    credentials = Repository(documents, CREDENTIALS, Credential)
    quota_uses = Repository(documents, QUOTAS, QuotaUse)
    shelves = Site(pages, files, clock, rules.base_url)
    transport = OutboundTransport(
        allow_private=rules.allow_private, setting="VIDEO_MANAGER_CHANNEL_ALLOW_PRIVATE", gateway=rules.platform_gateway
    )
    keyring = Keyring(keys_of(rules.credential_keys, rules.keys_folder))
    vault = Vault(credentials, keyring)
    tokens, handles = Tokens(vault, clock), Handles(keyring)
    access = AccessService(vault, tokens, Apps(vault, clock), Quotas(quota_uses, clock), transport, clock)
    http = httpx.AsyncClient(transport=transport, timeout=CALL_TIMEOUT, follow_redirects=False, trust_env=False)
    around = Surroundings(http, clock, shelves.shelf(None), rules.published_folder)
    platforms = Platforms(registry, around, access, handles, shelves, rules, work_folder)
    channels = ChannelService(channel_documents, platforms, vault, clock)
    ledger = Ledger(publications, clock)
    timetables = Repository(documents, TIMETABLES, Timetable)
    planner = Planner(timetables, publications, ledger, platforms, clock)
    forecast = Forecast(publications, channels, planner, platforms, access, clock)
    uploader = Uploader(ledger, channels, platforms, files, clock, rules, bus.hint, checkpoint)
    asker = Asker(ledger, channels, platforms, clock, rules)
    scheduler = Scheduler(ledger, channels, planner, uploader, asker, clock, rules, checkpoint)
    taking_down = TakingDown(publications, ledger, channels, platforms, clock)
    recalling = Recalling(ledger, channels, platforms, clock, rules)
    service = PublishingService(
        publications, ledger, channels, planner, forecast, taking_down, recalling, shelves, clock, scheduler.wake
    )  # fmt: skip
    connections = Repository(documents, CONNECTIONS, Connection)
    connecting = ConnectingService(
        connections, channels, platforms, access, clock, base_url=rules.base_url, gateway=rules.platform_gateway,
        resume=service.resume, record=record,
    )  # fmt: skip
    counts = SiteCountsService(visits, shelves, clock)
    return Publishing(
        service=service,
        site=SiteService(shelves, counts, files, clock),
        site_counts=counts,
        media=FfmpegTool(lambda _fraction, _stage: None),
        scheduler=scheduler,
        connecting=connecting,
        rotation=Rotation(vault, publications, ledger, handles, keyring, record),
        keeper=Keeper(vault, channels, platforms, connecting, AskedOnce(publications, channels), clock),
        tokens=tokens,
        calendar=CalendarFeed(publications, channels, clock, rules.base_url),
        shelves=shelves,
        repositories=(publications, channel_documents, pages, visits, credentials, quota_uses, timetables, connections),
        http=http,
    )
