"""Small steps that the transitions of a publication share."""

from video_manager.domain.model import Instant
from video_manager.domain.publication_model import Attempt, Outcome, Publication, PublicationState, Withdrawal
from video_manager.errors import InvalidTransition, LeaseLost


def refuse(publication: Publication, verb: str, hint: str = "") -> InvalidTransition:
    text = f"publication {publication.id} is {publication.state}: it cannot be {verb}"
    return InvalidTransition(f"{text}; {hint}" if hint else text)


def note(publication: Publication, now: Instant, by: str, action: str, detail: str = "") -> Publication:
    return publication.noted(now, by, action, detail)


def put(publication: Publication, attempt: Attempt) -> tuple[Attempt, ...]:
    return tuple(attempt if old.number == attempt.number else old for old in publication.attempts)


def owned(publication: Publication, number: int) -> Attempt:
    """The running attempt. Raises LeaseLost when it is not this one's any more."""
    attempt = publication.attempt
    if attempt is None or attempt.number != number or publication.state is not PublicationState.UPLOADING:
        raise LeaseLost(f"publication {publication.id} is {publication.state}: attempt {number} has nothing left to do")
    return attempt


def unarmed(publication: Publication, number: int) -> Attempt:
    attempt = owned(publication, number)
    if attempt.armed_at is not None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} is armed: only ask the platform")
    return attempt


def doubtful(publication: Publication, number: int) -> Attempt:
    attempt = publication.attempt
    if attempt is None or attempt.number != number or not attempt.in_doubt:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} is not in doubt")
    return attempt


def end(publication: Publication, outcome: Outcome, now: Instant, error: str | None = None) -> tuple[Attempt, ...]:
    """The attempts with the newest one ended, if it was open."""
    attempt = publication.attempt
    if attempt is None or attempt.outcome is not None:
        return publication.attempts
    return put(publication, attempt.with_(outcome=outcome, ended_at=now, error=error or attempt.error))


def withdrawn(publication: Publication, withdrawal: Withdrawal, now: Instant) -> Publication:
    return publication.with_(
        state=PublicationState.WITHDRAWN, withdrawal=withdrawal.with_(refused=False), due_at=None,
        error=withdrawal.reason, updated_at=now,
    )  # fmt: skip
