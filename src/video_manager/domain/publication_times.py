"""How the schedule itself changes when a publication goes out. What people change is in `publication.py`."""

from datetime import timedelta

from video_manager.domain.model import Instant
from video_manager.domain.publication import retry
from video_manager.domain.publication_model import Publication, PublicationState
from video_manager.domain.schedule import MissedRule, PostingPolicy, SlotTime
from video_manager.domain.wall_clock import instant_of
from video_manager.errors import InvalidTransition

SCHEDULE = "schedule"
"""Who did it, in the history."""


def is_missed(publication: Publication, policy: PostingPolicy, now: Instant) -> bool:
    """Whether a set time passed by more than the grace and nobody looked. What has no set time is never late, and what
    was made to wait is late only after the time it waits for."""
    if publication.publish_at is None or publication.due_at is None:
        return False
    # A try to upload ahead of the time may have failed, so that it is due before it.
    return now > max(publication.due_at, publication.publish_at) + timedelta(minutes=policy.grace_minutes)


def goes_out(publication: Publication) -> Instant | None:
    """When it is to go out: not before its time, though a try to upload it ahead may be due earlier."""
    return max((at for at in (publication.publish_at, publication.due_at) if at is not None), default=None)


def wait_for_turn(publication: Publication, until: Instant, why: str, now: Instant) -> Publication:
    """Due, and a distance or cap of its channel lets it out later. Nothing failed: no try is counted."""
    _due(publication, now)
    held = publication.with_(due_at=until, waits_for=why)
    return held.noted(now, SCHEDULE, "waits", f"until {_shown(until)}: {why}")


def ask_about_missed(publication: Publication, now: Instant) -> Publication:
    """A person decides: it waits for them, and its channel goes on."""
    _due(publication, now)
    at = publication.publish_at or now
    text = (
        f"its time ({publication.requested_local or _shown(at)}) passed while the system was down or busy, or the "
        "channel paused: publish it now (try again), or move it to another time"
    )
    asking = publication.with_(state=PublicationState.ACTION_REQUIRED, due_at=None, error=text, missed_at=now)
    return asking.noted(now, SCHEDULE, "missed", MissedRule.ASK)


def move_missed(publication: Publication, slot: SlotTime, now: Instant) -> Publication:
    """To the next free slot."""
    _due(publication, now)
    return _placed(publication, slot).noted(now, SCHEDULE, "missed", f"moved to {slot.written}")


def place(publication: Publication, slot: SlotTime, by: str, now: Instant) -> Publication:
    """A new publication, or one whose time is changed, gets a slot."""
    return _placed(publication, slot).noted(now, by, "next free slot", slot.written)


def ask_for_time(publication: Publication, why: str, now: Instant) -> Publication:
    """It was to get a slot, and there is none: a person chooses a time."""
    asking = publication.with_(
        state=PublicationState.ACTION_REQUIRED, due_at=None, missed_at=now, error=f"{why}; move it to a time"
    )
    return asking.noted(now, SCHEDULE, "no free slot", why)


def resume(publication: Publication, by: str, now: Instant) -> Publication:
    """Its channel goes on: what waited for that is tried again, with its time as it was, so that the rule for missed
    times holds. What waits for a decision about its own time still does."""
    if publication.missed_at is not None:
        return publication
    again = retry(publication, by, now)
    return again.with_(due_at=publication.publish_at or now) if not again.in_doubt else again


def realign(publication: Publication, now: Instant) -> Publication:
    """The zone's rules may have changed since the time was set: the wall-clock time stays, its instant moves."""
    waiting = publication.state is PublicationState.SCHEDULED and publication.requested_local is not None
    if not waiting or publication.publish_at is None or publication.publish_at <= now:
        return publication
    local, _, zone = (publication.requested_local or "").rpartition(" ")
    at = instant_of(local, zone)
    if at == publication.publish_at:
        return publication
    due = at if publication.due_at == publication.publish_at else publication.due_at
    detail = f"{publication.requested_local} is {_shown(at)} now, no longer {_shown(publication.publish_at)}"
    return publication.with_(publish_at=at, due_at=due).noted(now, SCHEDULE, "time zone rules changed", detail)


def _placed(publication: Publication, slot: SlotTime) -> Publication:
    return publication.with_(
        state=PublicationState.SCHEDULED, publish_at=slot.at, requested_local=slot.written, due_at=slot.at,
        waits_for=None, missed_at=None, error=None,
    )  # fmt: skip


def _due(publication: Publication, now: Instant) -> None:
    if publication.state is not PublicationState.SCHEDULED or publication.due_at is None or publication.due_at > now:
        raise InvalidTransition(f"publication {publication.id} is not due: it stays as it is")


def _shown(at: Instant) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
