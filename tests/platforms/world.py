"""Publishing to a fake platform: one channel, and publications that wait for it. The same folder may be opened by
several processes, one after the other or at once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.integration.publishing.conftest import World, open_world
from tests.platforms.case import Case

from video_manager.adapters.clock import SystemClock
from video_manager.contracts.commands import CreatePublication
from video_manager.domain.channel import Channel
from video_manager.domain.model import derived_id
from video_manager.domain.publication import Publication, PublicationState
from video_manager.domain.video import MediaRole, Metadata
from video_manager.fakes.network import FakeNetwork
from video_manager.plugins.publishers import PUBLISHERS
from video_manager.publishing.access import tokens
from video_manager.publishing.access.apps import app_owner
from video_manager.publishing.access.keyring import Keyring, keys_of
from video_manager.publishing.access.vault import CREDENTIALS, Credential, Secrets, Vault
from video_manager.publishing.channels import CHANNELS
from video_manager.repository import Repository

CHANNEL = derived_id("channel", "under test")
SETTLED = (
    PublicationState.PUBLISHED, PublicationState.UNKNOWN, PublicationState.FAILED, PublicationState.ACTION_REQUIRED
)  # fmt: skip
CALL_SECONDS = 1.5
"""In place of the publishers' own time-outs of the publishing call: "not there" is believed that long after it."""
RENEWAL_SECONDS = 3.0
"""In place of half a minute: who was killed while renewing a token counts as dead after twice that."""
ASK_SECONDS = 3.0
"""In place of a minute: a question that died with its process is put again after twice that."""
MOST_ROUNDS = 1500


class HastyClock(SystemClock):
    """Real time, but nobody waits long: polling a platform takes milliseconds."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(min(seconds, 0.02))


@asynccontextmanager
async def open_platform(root: Path, gateway: str, **rules: Any) -> AsyncIterator[World]:
    """Publishing whose calls to platforms go to the gateway; its stores as `open_world` says."""
    settings = {"platform_gateway": gateway, "allow_private": True, "ask_timeout_seconds": ASK_SECONDS, **rules}
    with short_waits():
        async with open_world(root, clock=HastyClock(), **settings) as world:
            yield world


@contextmanager
def short_waits() -> Iterator[None]:
    """What a publisher waits for after a crash, made short; other tests see the real ones."""
    before = {publisher: publisher.publish_timeout_seconds for publisher in PUBLISHERS}
    renewal = tokens.RENEWAL_SECONDS
    for publisher in PUBLISHERS:
        publisher.publish_timeout_seconds = CALL_SECONDS
    tokens.RENEWAL_SECONDS = RENEWAL_SECONDS
    try:
        yield
    finally:
        for publisher, seconds in before.items():
            publisher.publish_timeout_seconds = seconds
        tokens.RENEWAL_SECONDS = renewal


async def connect(world: World, case: Case, network: FakeNetwork) -> None:
    """Store the case's channel as connecting it would have done."""
    now = datetime.now(UTC)
    vault = Vault(Repository(world.documents, CREDENTIALS, Credential), Keyring(keys_of((), world.root)))
    token = case.token(network) if case.token else None
    await vault.put(CHANNEL, Secrets(options=case.secrets, token=token, obtained_at=now), now)
    if case.app is not None:
        app = {"client_id": case.app[0], "client_secret": case.app[1]}
        await vault.put(app_owner(case.platform), Secrets(options=app), now)
    channel = Channel(
        id=CHANNEL, name="Under test", platform=case.platform, options=dict(case.options), account_name="Demo",
        account_id=case.account_id, account=dict(case.facts), created_by="Rita", created_at=now, updated_at=now,
    )  # fmt: skip
    await Repository(world.documents, CHANNELS, Channel).add(channel)


async def approve(world: World, case: Case, number: int = 1, **metadata: Any) -> str:
    """A publication to the channel; its title is its own. Returns its id."""
    return await world.create(await approved(world, case, number, **metadata))


async def approved(world: World, case: Case, number: int = 1, **metadata: Any) -> CreatePublication:
    """The command to make it, when its files are stored."""
    id = derived_id("publication", str(number))
    size = case.video_bytes
    master = await world.store(MediaRole.MASTER, (b"%07d\n" % number * (size // 8 + 1))[:size], f"master-{number}")
    return CreatePublication(
        publication_id=id, approval_id="a1", video_id=f"v{number}", version=1, channel_id=CHANNEL,
        metadata=Metadata(title=title_of(number), **{"description": "Am Meer.", "tags": ("meer", "sommer")} | metadata),
        master=master, thumbnail=await world.store(MediaRole.THUMBNAIL),
        captions=await world.store(MediaRole.CAPTIONS, case.captions), approved_by="Rita",
        options=dict(case.post_options),
    )  # fmt: skip


def title_of(number: int) -> str:
    return f"Ein Tag am Meer Nr. {number} ende"


async def settle(world: World, id: str) -> Publication:
    """Let the schedule work until the publication has come to rest."""
    clock = SystemClock()
    for _ in range(MOST_ROUNDS):
        await world.run()
        publication = await world.publication(id)
        if publication.state in SETTLED:
            return publication
        await clock.sleep(0.02)
    raise AssertionError(f"still {publication.state}: {publication.error}")
