"""Verdicts and what they bind: approval, rejection, edited metadata, deletion."""

from collections.abc import Sequence

from video_manager.domain.model import Instant
from video_manager.domain.video import (
    OPEN_VERSION_STATES,
    Approval,
    MediaRole,
    Metadata,
    Review,
    Verdict,
    VersionState,
    Video,
    require_state,
)
from video_manager.errors import InvalidTransition


def approve(video: Video, number: int, approvals: Sequence[Approval], review: Review, now: Instant) -> Video:
    """Bind the approvals. An older approval of the same channel and version is replaced, so voided."""
    version = video.version(number)
    require_state(video, version, [VersionState.READY], "approved")
    if version.file(MediaRole.MASTER) is None:
        raise InvalidTransition(f"the files of version {number} of video {video.id} are gone: ask for another version")
    channels = {approval.channel_id for approval in approvals}
    kept = tuple(
        old.with_(voided_at=now, void_reason="approved again")
        if old.voided_at is None and old.version == number and old.channel_id in channels
        else old
        for old in video.approvals
    )
    changed = video.put(version.with_(verdict=Verdict.APPROVED), now)
    return changed.with_(approvals=(*kept, *approvals), reviews=(*video.reviews, review))


def reject(video: Video, number: int, review: Review, now: Instant, *, keep_files: bool) -> Video:
    """Rejecting voids the version's approvals; without `keep_files` its bytes are let go."""
    version = video.version(number)
    require_state(video, version, [VersionState.READY], "rejected")
    files = version.files if keep_files else ()
    changed = video.put(version.with_(verdict=Verdict.REJECTED, files=files), now)
    changed = changed.with_(reviews=(*video.reviews, review))
    return void_approvals(changed, number, "the version was rejected", now)


def edit_metadata(video: Video, number: int, metadata: Metadata, now: Instant) -> Video:
    """A real change voids the approvals of that version, which then needs a verdict again."""
    version = video.version(number)
    if metadata == version.metadata:
        return video
    if video.deleted_at is not None:
        raise InvalidTransition(f"video {video.id} is deleted")
    changed = video.put(version.with_(metadata=metadata), now)
    return void_approvals(changed, number, "title, text or thumbnail changed after the approval", now)


def void_approvals(video: Video, number: int, reason: str, now: Instant) -> Video:
    version = video.version(number)
    approvals = tuple(
        approval.with_(voided_at=now, void_reason=reason)
        if approval.version == number and approval.voided_at is None
        else approval
        for approval in video.approvals
    )
    if approvals == video.approvals:
        return video
    if version.verdict is Verdict.APPROVED:
        video = video.put(version.with_(verdict=Verdict.NONE), now)
    return video.with_(approvals=approvals, updated_at=now)


def voided_between(before: Video, after: Video) -> tuple[Approval, ...]:
    """The approvals that were in force before and are not any more."""
    in_force = {approval.id for approval in before.approvals if approval.voided_at is None}
    return tuple(item for item in after.approvals if item.id in in_force and item.voided_at is not None)


def delete(video: Video, now: Instant) -> Video:
    """Delete the video: every open version is cancelled, every approval voided, the bytes are let go."""
    if video.deleted_at is not None:
        return video
    for version in video.versions:
        video = void_approvals(video, version.number, "the video was deleted", now)
        state = VersionState.CANCELLED if version.state in OPEN_VERSION_STATES else version.state
        video = video.put(video.version(version.number).with_(files=(), state=state), now)
    return video.with_(deleted_at=now)
