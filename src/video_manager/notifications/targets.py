"""Administering the mail and chat addresses that notifications go to."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, SecretStr

from video_manager.domain.access import Actor, Right
from video_manager.domain.model import Instant, derived_id
from video_manager.errors import AlreadyExists, Conflict, InvalidInput, RetryableError, SettingsError
from video_manager.notifications.chat import ChatMessage, ChatSender
from video_manager.notifications.model import Health, Kind, Level, Origin, SentTest, SettingsUrls, Target
from video_manager.notifications.stores import Stores
from video_manager.ports import Clock, Op, Query, Where
from video_manager.repository import Loaded, Page

DEFAULT_KINDS = tuple(kind for kind in Kind if kind is not Kind.DECIDED)


class TargetView(BaseModel):
    """A target as people see it: the address is masked."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    origin: Origin
    url: str
    kinds: tuple[Kind, ...]
    enabled: bool
    health: Health
    created_at: Instant


def target_view(target: Target) -> TargetView:
    return TargetView(
        id=target.id, name=target.name, origin=target.origin, url=f"{target.service}://****", kinds=target.kinds,
        enabled=target.enabled, health=target.health, created_at=target.created_at,
    )  # fmt: skip


class TargetService:
    """`settings_urls` are the addresses from VIDEO_MANAGER_NOTIFY_URLS by target id (`targets_of_settings`)."""

    def __init__(self, stores: Stores, chat: ChatSender, clock: Clock, settings_urls: SettingsUrls) -> None:
        self._stores = stores
        self._chat = chat
        self._clock = clock
        self._settings_urls = settings_urls

    async def list(self, actor: Actor, cursor: str | None = None, limit: int = 50) -> Page[Loaded[TargetView]]:
        actor.require(Right.ADMINISTER)
        page = await self._stores.targets.page(order_by="created_at", limit=limit, cursor=cursor)
        return Page(tuple(_viewed(item) for item in page.items), page.next)

    async def get(self, actor: Actor, id: str) -> Loaded[TargetView]:
        actor.require(Right.ADMINISTER)
        return _viewed(await self._stores.targets.load(id))

    async def create(
        self, actor: Actor, id: str, name: str, url: str, kinds: Sequence[Kind] = DEFAULT_KINDS, *, enabled: bool = True
    ) -> Loaded[TargetView]:
        """Again without effect under the same id. Raises InvalidInput for an address Apprise does not know."""
        actor.require(Right.ADMINISTER)
        target = Target(
            id=id, name=_named(name), url=url, service=await self._chat.check(url), kinds=_unique(kinds),
            enabled=enabled, created_at=self._clock.now(),
        )  # fmt: skip
        try:
            return _viewed(await self._stores.targets.add(target))
        except AlreadyExists:
            return _viewed(await self._stores.targets.load(id))

    async def change(
        self, actor: Actor, id: str, *, name: str | None = None, url: str | None = None,
        kinds: Sequence[Kind] | None = None, enabled: bool | None = None, expected_revision: int | None = None,
    ) -> Loaded[TargetView]:  # fmt: skip
        """Change what is given. A new address, or switching on again, starts with a clean health."""
        actor.require(Right.ADMINISTER)
        service = await self._chat.check(url) if url is not None else None

        def decide(target: Target) -> Target:
            if target.origin is Origin.SETTINGS:
                raise _from_settings(target)
            fresh = url is not None or (enabled is True and not target.enabled)
            return target.with_(
                name=target.name if name is None else _named(name),
                url=target.url if url is None else url,
                service=service or target.service,
                kinds=target.kinds if kinds is None else _unique(kinds),
                enabled=target.enabled if enabled is None else enabled,
                health=Health() if fresh else target.health,
            )

        return _viewed(await self._stores.targets.change(id, decide, expected_revision=expected_revision))

    async def remove(self, actor: Actor, id: str, expected_revision: int | None = None) -> None:
        """What still waits for it is never sent. Raises NotFound."""
        actor.require(Right.ADMINISTER)
        target = (await self._stores.targets.load(id)).value
        if target.origin is Origin.SETTINGS:
            raise _from_settings(target)
        await self._stores.targets.remove(id, expected_revision)

    async def send_test(self, actor: Actor, id: str) -> SentTest:
        """Send a message now and say how it went."""
        actor.require(Right.ADMINISTER)
        target = (await self._stores.targets.load(id)).value
        message = ChatMessage("Test from video-manager", f"{actor.name} sent this to try {target.name!r}.", Level.INFO)
        try:
            await self._chat.send(self.address(target), message)
        except RetryableError as error:
            return SentTest(delivered=False, detail=error.detail)
        return SentTest(delivered=True, detail=f"{target.service} accepted the message")

    def address(self, target: Target) -> str:
        """The secret address. Raises RetryableError for one from settings that this process does not have."""
        if target.url is not None:
            return target.url
        secret = self._settings_urls.get(target.id)
        if secret is None:
            raise RetryableError("its address is no longer in VIDEO_MANAGER_NOTIFY_URLS")
        return secret.get_secret_value()

    async def adopt_settings(self) -> None:
        """Make a target of every address in the settings, and switch those off that are not there any more.
        Raises SettingsError for an address that Apprise does not know."""
        now = self._clock.now()
        for number, (id, secret) in enumerate(self._settings_urls.items(), start=1):
            try:
                service = await self._chat.check(secret.get_secret_value())
            except InvalidInput as error:
                raise SettingsError(f"VIDEO_MANAGER_NOTIFY_URLS, address {number}: {error.detail}") from error
            target = Target(
                id=id, name=f"{service} (from the settings)", origin=Origin.SETTINGS, service=service,
                kinds=DEFAULT_KINDS, created_at=now,
            )  # fmt: skip
            if not await self._stores.targets.add_if_absent(target):
                await self._stores.targets.change(id, lambda known: known.with_(enabled=True))
        known = Query(where=(Where("origin", Op.EQ, Origin.SETTINGS), Where("enabled", Op.EQ, value=True)))
        for loaded in await self._stores.targets.find(known):
            if loaded.value.id not in self._settings_urls:
                await self._stores.targets.change(loaded.value.id, lambda target: target.with_(enabled=False))


def targets_of_settings(urls: Sequence[SecretStr]) -> SettingsUrls:
    """The settings' addresses by the id of the target each becomes."""
    return {derived_id("notify-url", url.get_secret_value()): url for url in urls}


def _viewed(loaded: Loaded[Target]) -> Loaded[TargetView]:
    return Loaded(target_view(loaded.value), loaded.revision, loaded.handled)


def _named(name: str) -> str:
    name = name.strip()
    if not name:
        raise InvalidInput.field("name", "must not be empty")
    return name


def _unique(kinds: Sequence[Kind]) -> tuple[Kind, ...]:
    if not kinds:
        raise InvalidInput.field("kinds", "name at least one; switch the target off to receive nothing")
    return tuple(dict.fromkeys(kinds))


def _from_settings(target: Target) -> Conflict:
    return Conflict(f"{target.name} comes from VIDEO_MANAGER_NOTIFY_URLS: change it there and start again")
