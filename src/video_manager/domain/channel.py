"""A channel: a connected account on a platform."""

from typing import Any

from pydantic import Field

from video_manager.domain.model import Frozen, Instant
from video_manager.domain.posting import PostTexts
from video_manager.domain.schedule import PostingPolicy

_BY_PERSON = "paused by "


class Asker(Frozen):
    """The attempt of a publication that asks the person for what its channel needs."""

    publication_id: str
    attempt: int


class Channel(Frozen):
    """`options` are the platform's own, already checked by its publisher, without the secret ones. A disabled channel
    takes no new publications; a paused one keeps its scheduled ones waiting; a deleted one is only kept for what it
    published."""

    id: str
    name: str
    platform: str
    options: dict[str, Any] = Field(default_factory=dict)
    account_name: str = ""
    account_url: str | None = None
    account_id: str = ""
    account: dict[str, Any] = Field(default_factory=dict)
    """What the publisher wants to know of the account."""
    texts: PostTexts = PostTexts()
    post_options: dict[str, Any] = Field(default_factory=dict)
    """Defaults of what a person may choose for each post on this platform."""
    schedule: PostingPolicy = PostingPolicy()
    enabled: bool = True
    paused: bool = False
    paused_reason: str | None = None
    asker: Asker | None = None
    """Who paused it and has yet to ask the person; None: nobody needs to be asked any more."""
    created_by: str
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None = None

    @property
    def running(self) -> bool:
        """Whether its due publications are uploaded."""
        return self.enabled and not self.paused and self.deleted_at is None

    @property
    def paused_by_person(self) -> bool:
        """Whether somebody wants the pause, rather than something being broken."""
        return self.paused and (self.paused_reason or "").startswith(_BY_PERSON)


def pause(channel: Channel, reason: str, now: Instant, asker: Asker | None = None) -> Channel:
    """Paused once: a channel that already is keeps its first reason, and whoever asks for it."""
    if channel.paused:
        return channel
    return channel.with_(paused=True, paused_reason=reason, asker=asker, updated_at=now)


def by_person(name: str) -> str:
    """The reason of a pause that a person wants."""
    return f"{_BY_PERSON}{name}"


def repaired(channel: Channel, now: Instant) -> Channel:
    """What stopped it is mended. A pause that a person wants stays."""
    if channel.paused_by_person:
        return channel.with_(updated_at=now)
    return channel.with_(paused=False, paused_reason=None, asker=None, updated_at=now)
