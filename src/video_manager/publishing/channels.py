"""Use cases on channels: connected accounts on the platforms."""

import logging
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from video_manager.contracts.envelope import Envelope, envelope
from video_manager.contracts.events import ChannelActionRequired
from video_manager.domain import channel as channel_rules
from video_manager.domain.access import SYSTEM, Actor, Right
from video_manager.domain.channel import Asker, Channel
from video_manager.domain.model import derived_id
from video_manager.domain.posting import Composed, Draft, PostTexts
from video_manager.domain.schedule import PostingPolicy
from video_manager.errors import (
    ActionRequiredError,
    Conflict,
    InvalidInput,
    NotFound,
    RetryableError,
    WorkError,
)  # fmt: skip
from video_manager.plugins.api import Account, SchedulingPublisher
from video_manager.ports import Clock, CollectionSpec, Op, Query, Where
from video_manager.publishing.access.vault import Secrets, Vault
from video_manager.publishing.composing import Composer
from video_manager.publishing.platforms import Platforms
from video_manager.publishing.texts import check_texts
from video_manager.repository import Change, Loaded, Page, Repository

CHANNELS = CollectionSpec("channels", indexed=("name", "platform", "enabled", "paused", "deleted_at"))
DEFAULTS = (("site", "Watch page"), ("folder", "Published folder"))
_SHOWN = Where("deleted_at", Op.IS_NULL, value=True)

log = logging.getLogger(__name__)


class NewChannel(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    platform: str = Field(min_length=1, max_length=60, description="One of GET /platforms.")
    name: str = Field(min_length=1, max_length=120)
    options: dict[str, Any] = Field(default_factory=dict, description="As the platform's JSON Schema says.")
    paused: bool = False
    connection: str | None = Field(
        None, max_length=100, description="Where people sign in at the platform: a connection that is `ready`."
    )
    account_id: str | None = Field(None, max_length=300, description="Which of its accounts.")
    texts: PostTexts = PostTexts()
    post_options: dict[str, Any] = Field(default_factory=dict, description="Defaults, as `post_schema` says.")


class ChannelEdit(BaseModel):
    """Only what is given changes."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str | None = Field(None, min_length=1, max_length=120)
    options: dict[str, Any] | None = None
    texts: PostTexts | None = Field(None, description="Templates of its titles and descriptions, and further tags.")
    post_options: dict[str, Any] | None = Field(
        None, description="Defaults of what may be chosen for each post, as the platform's `post_schema` says."
    )
    schedule: PostingPolicy | None = Field(None, description="When it posts; replaces the whole of it.")
    enabled: bool | None = Field(None, description="A disabled channel takes no new publications.")
    paused: bool | None = Field(None, description="A paused channel keeps its scheduled publications waiting.")


@dataclass(frozen=True)
class Brought:
    """What a person brought from the platform where they signed in."""

    account: Account
    secrets: Secrets


class ChannelService:
    def __init__(self, channels: Repository[Channel], platforms: Platforms, vault: Vault, clock: Clock) -> None:
        self._channels = channels
        self._platforms = platforms
        self._vault = vault
        self._composer = Composer(platforms, clock)
        self._clock = clock

    # ---- for people ---------------------------------------------------------------------------------------

    async def list(self, actor: Actor, limit: int = 50, cursor: str | None = None) -> Page[Loaded[Channel]]:
        actor.require(Right.VIEW)
        return await self._channels.page([_SHOWN], order_by="name", limit=limit, cursor=cursor)

    async def get(self, actor: Actor, id: str) -> Loaded[Channel]:
        actor.require(Right.VIEW)
        return await self._shown(id)

    async def existing(self, id: str) -> Loaded[Channel] | None:
        """Also a deleted one."""
        return await self._channels.get(id)

    async def create(
        self, actor: Actor, id: str, new: NewChannel, brought: Brought | None = None
    ) -> Loaded[Channel]:  # fmt: skip
        """Connects first: a channel that does not work is not saved. The same id again gives the same channel.
        `brought`: a person has just signed in, and chosen this account."""
        actor.require(Right.CHANNELS)
        existing = await self._channels.get(id)
        if existing is not None:
            return existing
        kept = brought.secrets if brought else Secrets()
        options, secrets = await self.split_options(new.platform, new.options, kept)
        now = self._clock.now()
        channel = Channel(
            id=id, name=new.name, platform=new.platform, options=options, paused=new.paused, created_by=actor.name,
            texts=new.texts, post_options=self._post_options(new.platform, new.texts, new.post_options),
            created_at=now, updated_at=now,
        )  # fmt: skip
        # Before connecting, which may sign in and keep a token; what nobody names in the end is swept.
        await self._vault.put(id, secrets, now)
        account = brought.account if brought else await self._connect(channel)
        await self._channels.add_if_absent(channel.with_(**of_account(account)))
        return await self._channels.load(id)

    async def reconnect(self, actor: Actor, id: str, brought: Brought) -> Loaded[Channel]:
        """The same account with a new token. It goes on, unless it was a person who paused it."""
        actor.require(Right.CHANNELS)
        now = self._clock.now()
        await self._shown(id)
        await self._vault.put(id, brought.secrets, now)
        account = of_account(brought.account)

        def decide(channel: Channel) -> Channel:
            return channel_rules.repaired(channel.with_(**account), now)

        return await self._channels.change(id, decide)

    async def update(
        self, actor: Actor, id: str, edit: ChannelEdit, expected_revision: int | None = None
    ) -> Loaded[Channel]:
        """New options are connected before they are saved."""
        actor.require(Right.CHANNELS)
        before = await self._shown(id)
        changes: dict[str, Any] = edit.model_dump(exclude_none=True)
        if edit.schedule is not None:
            changes["schedule"] = edit.schedule
        if edit.options is not None:
            options, account = await self._try_options(before.value, edit.options)
            changes |= {"options": options, **of_account(account)}
        if edit.texts is not None or edit.post_options is not None:
            texts = edit.texts or before.value.texts
            given = before.value.post_options if edit.post_options is None else edit.post_options
            changes |= {"texts": texts, "post_options": self._post_options(before.value.platform, texts, given)}
        if edit.paused is not None:
            changes["paused_reason"] = channel_rules.by_person(actor.name) if edit.paused else None
            changes["asker"] = None

        def decide(channel: Channel) -> Channel | None:
            if channel.deleted_at is not None:
                raise NotFound(f"channel {channel.name!r} was deleted")
            same = all(getattr(channel, name) == value for name, value in changes.items() if name != "paused_reason")
            return None if same else channel.with_(**changes, updated_at=self._clock.now())

        return await self._channels.change(id, decide, expected_revision=expected_revision)

    async def delete(self, actor: Actor, id: str, open_publications: int, expected_revision: int | None = None) -> None:
        """The document stays, for what was published there. Refused while publications still wait for the channel."""
        actor.require(Right.CHANNELS)
        await self._shown(id)
        if open_publications:
            raise Conflict(
                f"{open_publications} publications of this channel are not finished: cancel or resolve them first"
            )
        now = self._clock.now()
        await self._channels.change(
            id, lambda channel: channel.with_(deleted_at=now, updated_at=now), expected_revision=expected_revision
        )
        await self._vault.remove(id)

    async def compose(self, channel_id: str, draft: Draft) -> Composed:
        """What would be posted to a usable channel. Raises NotFound, Conflict, InvalidInput."""
        return await self._composer.compose(await self._usable(channel_id), draft)

    # ---- for the other parts ------------------------------------------------------------------------------

    async def channel_platform(self, channel_id: str) -> str:
        """The platform of a usable channel. Raises NotFound, or Conflict when it is disabled."""
        return (await self._usable(channel_id)).platform

    async def _usable(self, channel_id: str) -> Channel:
        channel = (await self._shown(channel_id)).value
        if not channel.enabled:
            raise Conflict(f"channel {channel.name!r} is disabled: enable it or choose another")
        return channel

    async def of_publication(self, channel_id: str) -> Channel:
        """Also a deleted one. Raises ActionRequiredError when there is no trace of it."""
        found = await self._channels.get(channel_id)
        if found is None:
            raise ActionRequiredError(f"there is no channel {channel_id!r} any more")
        return found.value

    async def running(self) -> dict[str, Channel]:
        """The channels whose publications are uploaded now, by id."""
        where = (_SHOWN, Where("enabled", Op.EQ, value=True), Where("paused", Op.EQ, value=False))
        found = await self._channels.find(Query(where, limit=1000))
        return {one.value.id: one.value for one in found}

    async def all(self) -> tuple[Channel, ...]:
        """Every channel, deleted ones too: what was published there is still measured."""
        return tuple(one.value for one in await self._channels.find(Query(order_by="name", limit=10_000)))

    def keeps_hours(self, channel: Channel) -> float:
        """How long its platform keeps what is uploaded and not published."""
        try:
            return self._platforms.kind(channel.platform).keeps_hours
        except InvalidInput:  # its plugin is gone; the attempt itself says so
            return 0.0

    def hands_over(self, channel: Channel, at: datetime) -> bool:
        """Whether its platform is to be given this time."""
        if not channel.schedule.hand_over:
            return False
        try:
            kind = self._platforms.kind(channel.platform)
        except InvalidInput:  # see above
            return False
        return issubclass(kind, SchedulingPublisher) and kind.takes(at, self._clock.now())

    async def pause_for(self, channel_id: str, reason: str) -> None:
        """Something needs a person: nothing more goes to this channel until then. The write that pauses it also asks,
        so that of all who find out one does."""

        def decide(channel: Channel) -> Change[Channel]:
            now = self._clock.now()
            paused = channel_rules.pause(channel, reason, now)
            told = not channel.paused and channel.deleted_at is None
            return Change(paused, (_asks(paused, reason, now),) if told else ())

        try:
            await self._channels.change(channel_id, decide)
        except NotFound:
            log.warning("channel %s is gone; it cannot be paused (%s)", channel_id, reason)

    async def pause_by(self, channel_id: str, reason: str, asker: Asker) -> bool:
        """The same, where a publication asks: it does so when this is True. False: the channel was paused already, and
        the person is asked by somebody else. Whoever dies before asking is made up for (`AskedOnce`)."""
        now = self._clock.now()
        try:
            found = await self._channels.change(
                channel_id, lambda channel: channel_rules.pause(channel, reason, now, asker)
            )
        except NotFound:
            log.warning("channel %s is gone; it cannot be paused (%s)", channel_id, reason)
            return True
        return found.value.asker == asker

    async def with_askers(self) -> tuple[Channel, ...]:
        """Paused ones of which it is not known yet that the person was asked."""
        found = await self._channels.find(Query((Where("paused", Op.EQ, value=True),), limit=1000))
        return tuple(one.value for one in found if one.value.asker is not None)

    async def settle(self, channel: Channel, *, asked: bool) -> None:
        """The person was asked by the channel's asker; or nobody will, and it is done here."""

        def decide(current: Channel) -> Change[Channel] | None:
            if current.asker != channel.asker:
                return None  # somebody was faster
            now = self._clock.now()
            done = current.with_(asker=None)
            told = not asked and current.paused and current.deleted_at is None
            return Change(done, (_asks(done, done.paused_reason or "", now),) if told else ())

        await self._channels.change(channel.id, decide)

    async def tell(self, channel_id: str, text: str) -> None:
        """Something will need a person; until then the channel goes on."""

        def decide(channel: Channel) -> Change[Channel]:
            now = self._clock.now()
            return Change(channel.with_(updated_at=now), (_asks(channel, text, now),))

        await self._channels.change(channel_id, decide)

    async def ensure_defaults(self, account_url: str) -> None:
        """The site and the folder, at the first start. Deleted ones do not come back."""
        for platform, name in DEFAULTS:
            id = derived_id("channel", platform)
            if await self._channels.get(id) is not None:
                continue
            now = self._clock.now()
            channel = Channel(
                id=id, name=name, platform=platform, options=await self._platforms.resolve_options(platform, {}),
                created_by=SYSTEM.name, created_at=now, updated_at=now,
            )  # fmt: skip
            try:
                account = await self._connect(channel)
            except InvalidInput as error:
                log.warning("the channel %r cannot be used yet: %s", name, error.detail)
                channel = channel_rules.pause(channel, error.detail, now)
            else:
                url = account_url if platform == "site" else account.url
                channel = channel.with_(**of_account(account) | {"account_url": url})
            await self._channels.add_if_absent(channel)

    def _post_options(self, platform: str, texts: PostTexts, given: dict[str, Any]) -> dict[str, Any]:
        """The defaults that were given, checked. Raises InvalidInput for them or the templates."""
        check_texts(texts)
        complete = self._platforms.resolve_post_options(platform, given)
        return {name: complete[name] for name in given}

    async def split_options(
        self, platform: str, given: dict[str, Any], kept: Secrets
    ) -> tuple[dict[str, Any], Secrets]:  # fmt: skip
        """The checked options without the secret ones, and the secrets; one that is not given stays as it was kept. New
        secrets sign in anew, except where it is a person who signs in."""
        names = self._platforms.secret_names(platform)
        options = await self._platforms.resolve_options(platform, {**kept.options, **given})
        found = {name: options.pop(name, None) for name in names}
        secret = {name: str(value) for name, value in found.items() if value is not None}
        if secret == dict(kept.options):
            return options, kept
        publisher = self._platforms.kind(platform)
        by_hand = publisher.token_option
        if publisher.oauth is not None and secret.get(by_hand) == kept.options.get(by_hand):
            return options, replace(kept, options=secret)
        return options, Secrets(options=secret)

    async def _try_options(self, channel: Channel, given: dict[str, Any]) -> tuple[dict[str, Any], Account]:
        """Connect with new options. New secrets are tried under a name of their own; the kept ones stay until then."""
        try:
            kept = await self._vault.get(channel.id)
        except ActionRequiredError:
            kept = Secrets()  # its key is gone: entering the secrets again is the way out
        options, secrets = await self.split_options(channel.platform, given, kept)
        if self._platforms.is_elsewhere(channel.platform, channel.options, options):
            options, secrets = await self.split_options(channel.platform, given, Secrets())
        elif secrets == kept:
            return options, await self._connect(channel.with_(options=options))
        trial = f"trial-{uuid.uuid4().hex}"
        try:
            await self._vault.put(trial, secrets, self._clock.now())
            account = await self._connect(channel.with_(id=trial, options=options))
            await self._vault.put(channel.id, await self._vault.get(trial), self._clock.now())
        finally:
            await self._vault.remove(trial)
        return options, account

    async def _connect(self, channel: Channel) -> Account:
        try:
            async with self._platforms.connected(channel) as platform:
                return await platform.connect()
        except RetryableError as error:
            raise Conflict(f"{channel.platform} does not answer now ({error.detail}): try again later") from error
        except WorkError as error:
            raise InvalidInput.field("options", f"the channel cannot be connected: {error.detail}") from error

    async def _shown(self, id: str) -> Loaded[Channel]:
        loaded = await self._channels.load(id)
        if loaded.value.deleted_at is not None:
            raise NotFound(f"channel {loaded.value.name!r} was deleted")
        return loaded


def _asks(channel: Channel, text: str, now: datetime) -> Envelope:
    body = ChannelActionRequired(
        channel_id=channel.id, platform=channel.platform, name=channel.name, detail=text, paused=channel.paused, at=now
    )
    return envelope(body, source="publishing", subject=channel.id, now=now)


def of_account(account: Account) -> dict[str, Any]:
    """What a channel keeps of its connected account."""
    return {
        "account_name": account.name, "account_url": account.url, "account_id": account.id,
        "account": dict(account.facts),
    }  # fmt: skip
