"""The platform keeps the time: an attempt whose post the platform makes public by itself, at the publication's time.

From the hand-over on that may happen without us, so the attempt counts as armed: it is asked about and never sent
again. Before its time it can be taken back by a call to the platform; then it waits here, uploaded and not public.
"""

from datetime import timedelta

from video_manager.domain.model import Instant
from video_manager.domain.publication_attempts import is_early, mark_pending
from video_manager.domain.publication_model import Attempt, Outcome, Publication, PublicationState
from video_manager.domain.publication_steps import doubtful, end, note, put, unarmed, withdrawn
from video_manager.errors import InvalidTransition


def entrust(publication: Publication, number: int, now: Instant) -> Publication:
    """From here the platform may have the time. Needs a stored handle, so that it can be asked."""
    attempt = unarmed(publication, number)
    if attempt.handle is None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} has no stored handle to ask about")
    if not is_early(publication, now):
        raise InvalidTransition(f"the time of publication {publication.id} has come: there is nothing to hand over")
    entrusted = attempt.with_(armed_at=now, entrusted_for=publication.publish_at, progress=1.0, stage="handing over")
    return publication.with_(attempts=put(publication, entrusted), updated_at=now)


def await_platform(publication: Publication, number: int, platform: str, now: Instant) -> Publication:
    """The platform has the time: it is asked when that has come. Should the approval be void meanwhile, at once."""
    attempt = _entrusted(publication, number)
    handed = attempt.with_(stage="handed over", handed_over_at=attempt.handed_over_at or now)
    return publication.with_(
        state=PublicationState.PENDING, attempts=put(publication, handed),
        due_at=now if publication.withdrawal is not None else attempt.entrusted_for, tries=0, crashes=0, asked=0,
        error=None, waits_for=f"{platform} publishes it at its time", updated_at=now,
    )  # fmt: skip


def is_wanted_back(publication: Publication, now: Instant, *, paused: bool) -> bool:
    """Whether the platform should not publish it after all: its approval is void, or somebody paused its channel."""
    return awaits_platform(publication, now) and (paused or publication.withdrawal is not None)


def awaits_platform(publication: Publication, now: Instant) -> bool:
    """The platform has the time, and it has not come."""
    attempt = publication.attempt
    return publication.entrusted and attempt is not None and now < (attempt.entrusted_for or now)


def keep(publication: Publication, number: int, why: str, now: Instant) -> Publication:
    """The platform refused for certain to keep the time: it is published from here, with what is uploaded."""
    attempt = _entrusted(publication, number)
    staged = attempt.with_(armed_at=None, entrusted_for=None, outcome=Outcome.STAGED, ended_at=now, stage="uploaded")
    kept = publication.with_(
        state=PublicationState.SCHEDULED, attempts=put(publication, staged), due_at=publication.publish_at or now,
        tries=0, crashes=0, error=None, waits_for=None, updated_at=now,
    )  # fmt: skip
    kept = note(kept, now, "system", "hand-over refused", why)
    return withdrawn(kept, kept.withdrawal, now) if kept.withdrawal is not None else kept


def look_at(publication: Publication, now: Instant) -> Publication:
    """Its channel was paused, or somebody wants to know: the platform is asked, or told, at once."""
    if publication.state is not PublicationState.PENDING or not publication.entrusted:
        return publication
    return publication.with_(due_at=now, updated_at=now)


def may_be_taken_back(publication: Publication, trust_after: timedelta, now: Instant) -> bool:
    """Not while the call that gives the platform the time may still land, `trust_after` it was begun at the latest."""
    attempt = publication.attempt
    if attempt is None or not publication.entrusted or attempt.armed_at is None:
        return False
    return attempt.handed_over_at is not None or now >= attempt.armed_at + trust_after


def take_back(publication: Publication, number: int, trust_after: timedelta, now: Instant) -> Publication:
    """The platform has given the time back, and nothing is public: it waits here for its time, or is withdrawn. While
    the call that gave the time may still land, that is asked again later."""
    attempt = _entrusted(publication, number)
    if not may_be_taken_back(publication, trust_after, now):
        trusted_at = (attempt.armed_at or now) + trust_after
        return mark_pending(publication, number, "it is just being handed over; looked at again then", trusted_at, now)
    ended = end(publication, Outcome.RECALLED, now)
    attempts = tuple(one.with_(reusable=True) if one.number == number else one for one in ended)
    back = publication.with_(
        state=PublicationState.SCHEDULED, attempts=attempts, due_at=publication.publish_at or now, waits_for=None,
        error=None, updated_at=now,
    )  # fmt: skip
    return withdrawn(back, back.withdrawal, now) if back.withdrawal is not None else back


def _entrusted(publication: Publication, number: int) -> Attempt:
    attempt = doubtful(publication, number)
    if attempt.entrusted_for is None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} is published from here")
    return attempt
