"""Voided approvals take their publications with them."""

from video_manager.contracts.commands import WithdrawPublication
from video_manager.contracts.envelope import Envelope, envelope
from video_manager.domain.model import derived_id
from video_manager.domain.review import voided_between
from video_manager.domain.video import Approval, Video


def publication_id(approval: Approval) -> str:
    """One publication per approval and channel."""
    return derived_id("publication", approval.id, approval.channel_id)


def withdraw_messages(before: Video, after: Video) -> tuple[Envelope, ...]:
    """A withdrawal for each approval that this change voids."""
    return tuple(
        envelope(
            WithdrawPublication(
                publication_id=publication_id(approval), approval_id=approval.id, reason=approval.void_reason or ""
            ),
            source="manager",
            subject=publication_id(approval),
            correlation_id=after.id,
            id_from=(approval.id, "withdraw"),
        )
        for approval in voided_between(before, after)
    )
