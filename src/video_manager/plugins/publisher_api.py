"""What a publisher gets and returns: the protocol between the publication ledger and one platform.

A publisher does its part in steps, so that nothing is ever made public twice: `upload` brings the bytes and may be
repeated, then the ledger arms the attempt, then `publish` makes the one short call after which the post is public, and
`ask` tells what became of an armed attempt whose answer was lost.
"""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol

from pydantic import Field
from pydantic.config import JsonDict

from video_manager.domain.schedule import Pace
from video_manager.domain.video import Finding
from video_manager.errors import ActionRequiredError, WorkError
from video_manager.plugins.plugin import Context, Options, OptionsT, PlatformLimits, Plugin
from video_manager.plugins.signing_in import OAuth, OAuthApp, SignInServer

if TYPE_CHECKING:
    import httpx  # a third of the start of every process that only renders

SECRET_FORMAT = "password"  # noqa: S105 - the name of a JSON Schema format
"""JSON Schema `format` of an option that is kept encrypted and never shown again."""


def secret(description: str, **field_options: Any) -> Any:
    """A text option that is a secret (an app password, a bot token, a webhook's address): it is stored encrypted, apart
    from the channel, and no answer of the API shows it."""
    extra: JsonDict = {"format": SECRET_FORMAT, "writeOnly": True}
    return Field(description=description, json_schema_extra=extra, **field_options)


# ---- the account ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """The connected account, shown to the person before the channel is saved. `id` is the platform's own, `facts` what
    the publisher wants to have at hand later (`context.account`): small, JSON, not secret."""

    name: str
    url: str | None = None
    id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    token: "Token | None" = None
    """Where this account has a token of its own (a Facebook Page)."""


@dataclass(frozen=True)
class Token:
    """What lets us act for an account. `expires_at` None: as long as nobody revokes it."""

    access: str
    expires_at: datetime | None = None
    refresh: str | None = None
    refresh_expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quota:
    """An allowance of the platform that is counted here, so that nothing is begun that it would refuse. `window` counts
    back from now; with `resets_in` (an IANA zone) it ends at midnight there instead."""

    name: str
    limit: int
    window: timedelta = timedelta(days=1)
    resets_in: str | None = None
    per_channel: bool = True
    """False: all channels of the platform share it (a project's quota)."""


# ---- the post -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Post:
    """One approved version for one channel. `publication_id` is the marker that must make the post findable. `extra` is
    what the person chose for this platform, as the publisher's `PostOptions` says. While limits are checked before
    anything is stored here, the paths name no files: `check` reads only the facts."""

    publication_id: str
    video_id: str
    version: int
    title: str
    description: str
    tags: tuple[str, ...]
    language: str
    video: Path
    video_sha256: str
    thumbnail: Path | None
    thumbnail_sha256: str | None
    captions: Path | None
    captions_sha256: str | None
    duration_seconds: float
    extra: Mapping[str, Any] = field(default_factory=dict)
    video_bytes: int = 0
    video_type: str = "video/mp4"
    width: int = 0
    height: int = 0
    frame_rate: str | None = None
    thumbnail_bytes: int = 0
    captions_bytes: int = 0


@dataclass(frozen=True)
class Published:
    """`warning` is what people should know although the post is made (the platform kept it private)."""

    external_id: str
    url: str | None
    warning: str | None = None


class Answer(StrEnum):
    """What a platform says of a post that may have been made."""

    PUBLISHED = "published"
    PENDING = "pending"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Asked:
    """`published` is set exactly when `answer` is PUBLISHED.

    `failure`, with ABSENT: the platform itself has given up on this post for good, and why. That is believed at once,
    and what comes next depends on the error, as with NotPublished; without it, "not there" is believed only once the
    publishing call can no longer land.

    `still_uploaded`, with ABSENT and no failure: the next try gets the handle and goes on with it, so that a call which
    lands against all expectation lands in the same post."""

    answer: Answer
    published: Published | None = None
    detail: str = ""
    failure: WorkError | None = None
    still_uploaded: bool = False


Handle = Mapping[str, Any]
"""The remote handle: small, JSON, stored (encrypted) in the attempt before any call that can make something public."""


# ---- the context ----------------------------------------------------------------------------------------


class PublisherContext(Context, Protocol):
    """A publisher runs inside the service; the ledger stores what it must not lose."""

    @property
    def save_handle(self) -> Callable[[Handle], Awaitable[None]]:
        """Store the remote handle durably; returns after the write. Call it as soon as there is one, and again when
        there is more of it."""
        ...

    @property
    def earlier(self) -> Handle | None:
        """The handle of the attempt before this one, which ended without a post: what it uploaded can be gone on with.
        None at the first attempt, and after the platform said that there is no post, unless it named a limit or what
        was uploaded is known to be good (StillUploaded, `Asked.still_uploaded`)."""
        ...

    @property
    def http(self) -> "httpx.AsyncClient":
        """For calls to the platform: public addresses only, no redirects, with time-outs."""
        ...

    @property
    def account(self) -> Mapping[str, Any]:
        """`Account.facts` from when the channel was connected, with `id`, `name` and `url`."""
        ...

    @property
    def app(self) -> OAuthApp:
        """Raises ActionRequiredError when the operator has registered none for this platform."""
        ...

    async def token(self, refused: str | None = None) -> str:
        """A valid access token; with `refused`, one that the platform did not take (401), another one. Renewed early,
        by one process at a time, and stored before it is used. Raises ActionRequiredError when the person has to
        connect the channel again."""
        ...

    async def renewed(self, token: Token) -> Token:
        """The standard renewal by refresh token, at the `token_url` of the publisher's `oauth`."""
        ...

    async def spend(self, quota: str, cost: int = 1) -> None:
        """Take so much of one of the publisher's `quotas`, before the call that costs it. Raises LimitReached."""
        ...

    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None:
        """Wait between two questions to the platform."""
        ...

    @property
    def site(self) -> "SiteShelf":
        """The product's own public site."""
        ...

    @property
    def published_folder(self) -> Path:
        """Where the `folder` platform puts files when its options name a relative path."""
        ...


class SiteShelf(Protocol):
    """Where the `site` publisher puts its own copy of a video and its page."""

    async def stage(self, post: Post) -> str:
        """Copy the files under ids derived from the publication; returns the page's id. Nothing is public."""
        ...

    async def show(self, post: Post, page_id: str) -> str:
        """Make the page public (again without effect); returns its URL."""
        ...

    async def find(self, page_id: str) -> str | None:
        """The URL of a public page, None when it is not public."""
        ...

    async def remove(self, page_id: str) -> None: ...


# ---- the publisher --------------------------------------------------------------------------------------


class Publisher(Plugin, ABC, Generic[OptionsT]):
    """Protocol: `upload` (nothing public), then the ledger arms the attempt, then `publish` (one short call).

    `ask` answers for an armed attempt whose outcome was lost; `remembers` is False on platforms that cannot be
    asked, whose lost answers become `unknown`. An error of `publish` never leads to a second try by itself: the
    platform is asked first. Only NotPublished, the platform's certain refusal, ends the attempt at once.
    """

    limits: ClassVar[PlatformLimits] = PlatformLimits()
    PostOptions: ClassVar[type[Options]] = Options
    """What a person chooses for each post on this platform (privacy, made for kids, AI disclosure)."""
    oauth: ClassVar[OAuth | None] = None
    """How people sign in; None: they do not."""
    registers_apps: ClassVar[bool] = False
    """People sign in at a server that the options name (`sign_in_server`), and the product registers its own app there.
    False: there is one platform, and the operator registers the app."""
    token_option: ClassVar[str] = ""
    """The secret option for a token made by hand, which stands in for signing in; empty: there is none."""
    server_option: ClassVar[str] = ""
    """The option that names the server which the secrets are for: with another server they have to be entered anew."""
    quotas: ClassVar[tuple[Quota, ...]] = ()
    pace: ClassVar[Pace] = Pace()
    """How often one account may post; a channel may be stricter."""
    guide: ClassVar[str] = ""
    """What the operator must register first, in a sentence or two; shown before connecting."""
    remembers: ClassVar[bool] = True
    keeps_hours: ClassVar[float] = 0.0
    """How long the platform keeps what `upload` brought, unpublished. With some hours, uploading begins ahead of the
    publication's time, and at its time only the publishing call is left; 0: it begins at its time."""
    deletes: ClassVar[bool] = True
    """Whether a post can be taken down through the platform's API."""
    publish_timeout_seconds: ClassVar[float] = 60.0

    @abstractmethod
    async def connect(self, options: OptionsT, context: PublisherContext) -> Account:
        """Prove that the channel works and say which account it is."""

    def oauth_at(self, options: OptionsT) -> OAuth | None:
        """`oauth` with the addresses that the options name, without any call."""
        del options
        return self.oauth

    def sign_in_server(self, options: OptionsT, context: PublisherContext) -> SignInServer:
        """Only where the publisher `registers_apps`."""
        del options, context
        raise TypeError(f"{self.name} registers no apps")

    async def accounts(self, options: OptionsT, context: PublisherContext) -> tuple[Account, ...]:
        """The accounts that the person who has just signed in may choose from."""
        return (await self.connect(options, context),)

    async def renew(self, token: Token | None, options: OptionsT, context: PublisherContext) -> Token:
        """A token for one that has run out or was refused; None: there never was one. Platforms with sessions of their
        own (an app password, a user and password) sign in here. Raises ActionRequiredError when only a person can
        help."""
        del options
        if token is None:
            raise ActionRequiredError(f"this channel has no access to {self.title}: connect it")
        return await context.renewed(token)

    async def exchanged(self, token: Token, context: PublisherContext) -> Token:
        """After the person agreed: the lasting token for the first one, on platforms that make a difference."""
        del context
        return token

    async def check(self, post: Post, options: OptionsT, context: PublisherContext) -> tuple[Finding, ...]:
        """Faults that this platform would refuse, found before anything is sent: from the post's facts and texts and
        from `context.account` alone, without a call. The review page shows them, too."""
        del post, options, context  # a platform without limits of its own
        return ()

    @abstractmethod
    async def upload(self, post: Post, options: OptionsT, context: PublisherContext) -> Handle: ...

    @abstractmethod
    async def publish(self, post: Post, handle: Handle, options: OptionsT, context: PublisherContext) -> Published: ...

    @abstractmethod
    async def ask(self, post: Post, handle: Handle, options: OptionsT, context: PublisherContext) -> Asked: ...

    @abstractmethod
    async def delete(self, external_id: str, options: OptionsT, context: PublisherContext) -> None:
        """Take the post down. One that is gone already is no error: the answer to an earlier try may have been lost."""


class SchedulingPublisher(Publisher[OptionsT]):
    """A publisher whose platform can be given the time, and then publishes by itself what `upload` brought. Whether it
    is, each channel says (`schedule.hand_over`)."""

    least_ahead: ClassVar[timedelta] = timedelta(minutes=10)
    """With less time left, the post is published from here."""
    most_ahead: ClassVar[timedelta] = timedelta(days=30)

    @classmethod
    def takes(cls, at: datetime, now: datetime) -> bool:
        """Whether the platform can be given that time now."""
        return cls.least_ahead <= at - now <= cls.most_ahead

    @abstractmethod
    async def hand_over(
        self, post: Post, handle: Handle, at: datetime, options: OptionsT, context: PublisherContext
    ) -> None:
        """One short call: the platform publishes at that instant by itself. From then on until that happens `ask`
        answers PENDING; ABSENT means that the platform does not have the time, and nothing is public."""

    @abstractmethod
    async def recall(self, post: Post, handle: Handle, options: OptionsT, context: PublisherContext) -> Asked:
        """Take the time back. ABSENT: nothing is public and nothing will be, also when there was no time to take back;
        PUBLISHED: it was too late."""
