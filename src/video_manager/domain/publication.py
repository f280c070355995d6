"""A publication: one approved version on its way to one channel, and the rules that keep it from going out twice.

The order within one attempt is claim, save the remote handle, arm, publish. `arm` is the line: before it nothing
can be public, so a lost attempt simply starts again; after it only the platform (or a person) knows, so the ledger
asks and never sends a second time in silence. An attempt that was armed stays `in doubt` until it is known to be
published or absent.
"""

from video_manager.domain.channel import Channel
from video_manager.domain.publication_attempts import (
    arm,
    asks,
    begin_asking,
    claim,
    create,
    doubt,
    expire,
    fail,
    fill,
    hand_back,
    held_up,
    is_early,
    keep_upload,
    mark_absent,
    mark_pending,
    mark_unknown,
    postpone,
    publish,
    renew,
    require_action,
    save_handle,
    stage,
    tombstone,
    wait_for_another,
    wait_for_limit,
)
from video_manager.domain.publication_decisions import cancel, reschedule, resolve, retry, take_down, withdraw
from video_manager.domain.publication_hand_over import (
    await_platform,
    awaits_platform,
    entrust,
    is_wanted_back,
    keep,
    look_at,
    may_be_taken_back,
    take_back,
)
from video_manager.domain.publication_model import (
    Approved,
    Attempt,
    Failure,
    HistoryEntry,
    Outcome,
    Publication,
    PublicationState,
    Withdrawal,
)  # fmt: skip
from video_manager.domain.wall_clock import instant_of

__all__ = [
    "Approved", "Attempt", "Channel", "Failure", "HistoryEntry", "Outcome", "Publication", "PublicationState",
    "Withdrawal", "arm", "asks", "await_platform", "awaits_platform", "begin_asking", "cancel", "claim", "create",
    "doubt", "entrust", "expire", "fail", "fill", "hand_back", "held_up", "instant_of", "is_early", "is_wanted_back",
    "keep", "keep_upload", "look_at", "mark_absent", "mark_pending", "mark_unknown", "may_be_taken_back", "postpone",
    "publish", "renew", "require_action", "reschedule", "resolve", "retry", "save_handle", "stage", "take_back",
    "take_down", "tombstone", "wait_for_another", "wait_for_limit", "withdraw",
]  # fmt: skip
