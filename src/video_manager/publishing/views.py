"""What the API shows of channels and publications."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from video_manager.domain.channel import Channel
from video_manager.domain.posting import PostTexts
from video_manager.domain.publication import (
    Attempt,
    HistoryEntry,
    Outcome,
    Publication,
    PublicationState,
    Withdrawal,
)  # fmt: skip
from video_manager.domain.schedule import PostingPolicy
from video_manager.domain.video import Metadata
from video_manager.repository import Loaded


class ChannelView(BaseModel):
    """A connected account. `paused_reason` says what a person has to do, or who paused it."""

    id: str
    name: str
    platform: str
    options: dict[str, Any]
    account_name: str
    account_url: str | None
    account_id: str
    texts: PostTexts
    post_options: dict[str, Any]
    schedule: PostingPolicy
    enabled: bool
    paused: bool
    paused_reason: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    revision: int


class AttemptView(BaseModel):
    """One try. `armed_at`: from then on the post may be public. `entrusted_for`: when the platform publishes it by
    itself."""

    number: int
    worker: str
    progress: float
    stage: str
    started_at: datetime
    armed_at: datetime | None
    entrusted_for: datetime | None
    ended_at: datetime | None
    outcome: Outcome | None
    error: str | None


class PublicationView(BaseModel):
    """One version on its way to one channel. `due_at` is when the system acts next; `in_doubt` means that it may be
    public already, so that it is asked about and never sent again; `handed_over`, that the platform publishes it by
    itself at `publish_at`."""

    id: str
    state: PublicationState
    video_id: str
    version: int
    channel_id: str
    platform: str
    approval_id: str
    approved_by: str
    title: str
    metadata: Metadata
    options: dict[str, Any]
    publish_at: datetime | None
    requested_local: str | None
    waits_for: str | None
    missed_at: datetime | None
    due_at: datetime | None
    external_id: str | None
    external_url: str | None
    published_at: datetime | None
    in_doubt: bool
    handed_over: bool
    error: str | None
    warning: str | None
    attempts: list[AttemptView]
    history: list[HistoryEntry]
    withdrawal: Withdrawal | None
    created_at: datetime
    updated_at: datetime
    revision: int


def channel_view(loaded: Loaded[Channel]) -> ChannelView:
    fields = loaded.value.model_dump(exclude={"deleted_at", "account"})
    return ChannelView(**fields, revision=loaded.revision)


def publication_view(loaded: Loaded[Publication]) -> PublicationView:
    it = loaded.value
    content = it.content
    return PublicationView(
        id=it.id, state=it.state, video_id=content.video_id, version=content.version, channel_id=content.channel_id,
        platform=content.platform, approval_id=it.approval_id, approved_by=content.approved_by,
        title=content.metadata.title, metadata=content.metadata, options=content.options, publish_at=it.publish_at,
        requested_local=it.requested_local, waits_for=it.waits_for, missed_at=it.missed_at, due_at=it.due_at,
        external_id=it.external_id, external_url=it.url, published_at=it.published_at, in_doubt=it.in_doubt,
        handed_over=it.entrusted, error=it.error, warning=it.warning,
        attempts=[_attempt_view(attempt) for attempt in it.attempts], history=list(it.history),
        withdrawal=it.withdrawal, created_at=it.created_at, updated_at=it.updated_at, revision=loaded.revision,
    )  # fmt: skip


def _attempt_view(attempt: Attempt) -> AttemptView:
    """Without the handle: on some platforms it is a secret."""
    return AttemptView(**{name: getattr(attempt, name) for name in AttemptView.model_fields})
