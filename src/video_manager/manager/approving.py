"""Approving a version for channels: what each of them would post is composed first, and exactly that is bound."""

from collections.abc import Sequence
from dataclasses import dataclass

from video_manager.contracts.commands import CreatePublication
from video_manager.contracts.envelope import Envelope, envelope
from video_manager.domain import review as rules
from video_manager.domain.model import Instant
from video_manager.domain.posting import Composed, Draft, text_sha256
from video_manager.domain.video import (
    Approval,
    MediaRole,
    Metadata,
    Review,
    Severity,
    Version,
    VersionState,
    Video,
)  # fmt: skip
from video_manager.domain.wall_clock import instant_of
from video_manager.errors import Conflict, FieldError, InvalidInput, InvalidTransition, NotFound
from video_manager.manager.metadata import merge_metadata
from video_manager.manager.requests import MetadataEdit, PublishAt, Target, WallClock
from video_manager.manager.service import Channels, NewId
from video_manager.manager.withdrawal import publication_id
from video_manager.plugins.api import PlatformLimits
from video_manager.plugins.registry import Registry

ENDED_WITHOUT_POST = frozenset({"failed", "cancelled", "withdrawn"})
ON_ITS_WAY = frozenset({"uploading", "pending", "unknown"})


class Outdated(Exception):
    """The video was changed between composing and deciding: compose again."""


@dataclass(frozen=True)
class Prepared:
    """One target with what its channel would post of the draft."""

    target: Target
    draft: Draft
    composed: Composed


class Approving:
    def __init__(self, registry: Registry, channels: Channels) -> None:
        self._registry = registry
        self._channels = channels

    async def compose(
        self, video: Video, number: int, edit: MetadataEdit | None, targets: Sequence[Target]
    ) -> list[Prepared]:
        """What each channel would post. Raises InvalidInput naming the target (`targets.0.options.privacy`)."""
        if len({target.channel_id for target in targets}) != len(targets):
            raise InvalidInput.field("targets", "each channel may be named once")
        return [await self._compose(video, number, edit, target, index) for index, target in enumerate(targets)]

    async def _compose(
        self, video: Video, number: int, edit: MetadataEdit | None, target: Target, index: int
    ) -> Prepared:
        draft = _draft(video, video.version(number), edit, target)
        try:
            if target.publish_at == "next_slot":
                await self._channels.require_slots(target.channel_id)
            return Prepared(target, draft, await self._channels.compose(target.channel_id, draft))
        except NotFound as error:
            raise InvalidInput.field("channels", str(error)) from error
        except InvalidInput as error:
            wrong = [FieldError(f"targets.{index}.{item.field}", item.reason) for item in error.errors]
            raise InvalidInput(f"targets.{index}.{error.detail}", wrong) from error

    def require_fit(self, prepared: Sequence[Prepared]) -> None:
        """Raises InvalidInput for what a platform would refuse."""
        for one in prepared:
            self._require_texts(one.composed.metadata, one.composed.platform)
        faults = [
            FieldError("channels", f"{one.composed.channel_name}: {finding.message}")
            for one in prepared
            for finding in one.composed.findings
            if finding.severity is Severity.ERROR
        ]
        if faults:
            raise InvalidInput("; ".join(fault.reason for fault in faults), faults)

    def _require_texts(self, metadata: Metadata, platform: str) -> None:
        if not metadata.title.strip():
            raise InvalidInput.field("metadata.title", "a title is needed before the video can be approved")
        limits = self._registry.limits([platform]).get(platform, PlatformLimits())
        lengths = {
            "title": (len(metadata.title), limits.max_title_characters),
            "description": (len(metadata.description), limits.max_description_characters),
            "tags": (sum(len(tag) for tag in metadata.tags), limits.max_tags_characters),
        }
        errors = [
            FieldError(f"metadata.{field}", f"{length} characters; {platform} takes at most {limit}")
            for field, (length, limit) in lengths.items()
            if limit is not None and length > limit
        ]
        if errors:
            raise InvalidInput("; ".join(f"{item.field}: {item.reason}" for item in errors), errors)

    def approve(
        self, video: Video, review: Review, edit: MetadataEdit | None, prepared: Sequence[Prepared], new_id: NewId
    ) -> tuple[Video, tuple[Envelope, ...]]:
        """Bind the approvals and command their publications. Raises Outdated when something else was composed."""
        version = video.version(review.version)
        for one in prepared:
            _require_no_open_post(video, version.number, one.target.channel_id)
            if _draft(video, version, edit, one.target) != one.draft:
                raise Outdated
        made = [_approval(video, one, review, new_id("approval", index)) for index, one in enumerate(prepared)]
        changed = rules.approve(video, version.number, [approval for approval, _ in made], review, review.at)
        state = {publication_id(approval): "scheduled" for approval, _ in made}
        changed = changed.with_(publications={**changed.publications, **state})
        return changed, tuple(message for _, message in made)


def _draft(video: Video, version: Version, edit: MetadataEdit | None, target: Target) -> Draft:
    """What a person approves for the channel. Raises InvalidTransition without a finished file."""
    metadata = merge_metadata(video, version, version.metadata, edit)
    metadata = merge_metadata(video, version, metadata, target.metadata)
    chosen = version.with_(metadata=metadata)
    master = version.file(MediaRole.MASTER)
    if master is None or version.state is not VersionState.READY:
        raise InvalidTransition(f"version {version.number} of video {video.id} has no finished file to approve")
    own = target.metadata.model_fields_set if target.metadata is not None else frozenset()
    return Draft(
        video_id=video.id, version=version.number, metadata=metadata.with_(title=metadata.title or video.title),
        master=master, thumbnail=chosen.file(MediaRole.THUMBNAIL), captions=chosen.file(MediaRole.CAPTIONS),
        own=frozenset(own), options=target.options,
    )  # fmt: skip


def _approval(video: Video, one: Prepared, review: Review, id: str) -> tuple[Approval, Envelope]:
    """Bind bytes and final metadata for one channel, and the command that publishes them."""
    draft, composed, target = one.draft, one.composed, one.target
    approval = Approval(
        id=id, version=draft.version, channel_id=target.channel_id, master_sha256=draft.master.sha256,
        thumbnail_sha256=draft.thumbnail and draft.thumbnail.sha256,
        captions_sha256=draft.captions and draft.captions.sha256, metadata=composed.metadata,
        options=composed.options, approved_by=review.author, approved_at=review.at,
    )  # fmt: skip
    command = CreatePublication(
        publication_id=publication_id(approval), approval_id=id, video_id=video.id, version=draft.version,
        channel_id=target.channel_id, metadata=composed.metadata, master=draft.master, thumbnail=draft.thumbnail,
        captions=draft.captions, publish_at=resolve_time(target.publish_at),
        requested_local=_as_written(target.publish_at), next_slot=target.publish_at == "next_slot",
        approved_by=review.author, options=composed.options,
        text_sha256=text_sha256(composed.metadata, composed.options),
    )  # fmt: skip
    told = envelope(command, source="manager", subject=command.publication_id, correlation_id=video.id, id_from=(id,))
    return approval, told


def _require_no_open_post(video: Video, number: int, channel_id: str) -> None:
    """One post of a version on a channel: approving again must not send a second one beside the first, whose
    withdrawal may come too late. An approval that was voided counts while its post may be going out this moment."""
    for approval in video.approvals:
        if (approval.version, approval.channel_id) != (number, channel_id):
            continue
        id = publication_id(approval)
        state = video.publications.get(id)
        if state in ON_ITS_WAY or (approval.voided_at is None and state not in ENDED_WITHOUT_POST):
            raise Conflict(
                f"version {number} of video {video.id} already has a publication on that channel ({id}, {state}): "
                "leave the channel out, or cancel that one first; another time needs no new approval"
            )


def resolve_time(at: PublishAt | None) -> Instant | None:
    """The instant of a wall-clock time; see WallClock for skipped and repeated ones. None: at once, or in a slot."""
    if isinstance(at, WallClock):
        try:
            return instant_of(at.local, at.zone)
        except ValueError as error:
            raise InvalidInput.field("publish_at.local", f"{at.local!r} is no time such as 2026-11-24T18:00") from error
    return None if at == "next_slot" else at


def _as_written(at: PublishAt | None) -> str | None:
    return f"{at.local} {at.zone}" if isinstance(at, WallClock) else None
