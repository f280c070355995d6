"""A publication: one approved version on its way to one channel, and the rules that keep it from going out twice.

The order within one attempt is claim, save the remote handle, arm, publish. `arm` is the line: before it nothing
can be public, so a lost attempt simply starts again; after it only the platform (or a person) knows, so the ledger
asks and never sends a second time in silence. An attempt that was armed stays `in doubt` until it is known to be
published or absent.
"""

from datetime import timedelta
from typing import Any

from video_manager.domain.channel import Channel
from video_manager.domain.model import Instant
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
from video_manager.errors import InvalidTransition, LeaseLost

__all__ = [
    "Approved", "Attempt", "Channel", "Failure", "HistoryEntry", "Outcome", "Publication", "PublicationState",
    "Withdrawal", "arm", "begin_asking", "cancel", "claim", "create", "doubt", "expire", "fail", "fill", "hand_back",
    "instant_of", "is_early", "mark_absent", "mark_pending", "mark_unknown", "postpone", "publish", "renew",
    "require_action", "reschedule", "resolve", "retry", "save_handle", "stage", "take_down", "tombstone",
    "wait_for_limit", "withdraw",
]  # fmt: skip

KEPT_ATTEMPTS = 50


# ---- small steps that the transitions share -------------------------------------------------------------


def _refuse(publication: Publication, verb: str, hint: str = "") -> InvalidTransition:
    text = f"publication {publication.id} is {publication.state}: it cannot be {verb}"
    return InvalidTransition(f"{text}; {hint}" if hint else text)


def _note(publication: Publication, now: Instant, by: str, action: str, detail: str = "") -> Publication:
    return publication.noted(now, by, action, detail)


def _put(publication: Publication, attempt: Attempt) -> tuple[Attempt, ...]:
    return tuple(attempt if old.number == attempt.number else old for old in publication.attempts)


def _owned(publication: Publication, number: int) -> Attempt:
    """The running attempt. Raises LeaseLost when it is not this one's any more."""
    attempt = publication.attempt
    if attempt is None or attempt.number != number or publication.state is not PublicationState.UPLOADING:
        raise LeaseLost(f"publication {publication.id} is {publication.state}: attempt {number} has nothing left to do")
    return attempt


def _unarmed(publication: Publication, number: int) -> Attempt:
    attempt = _owned(publication, number)
    if attempt.armed_at is not None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} is armed: only ask the platform")
    return attempt


def _doubtful(publication: Publication, number: int) -> Attempt:
    attempt = publication.attempt
    if attempt is None or attempt.number != number or not attempt.in_doubt:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} is not in doubt")
    return attempt


def _end(publication: Publication, outcome: Outcome, now: Instant, error: str | None = None) -> tuple[Attempt, ...]:
    """The attempts with the newest one ended, if it was open."""
    attempt = publication.attempt
    if attempt is None or attempt.outcome is not None:
        return publication.attempts
    return _put(publication, attempt.with_(outcome=outcome, ended_at=now, error=error or attempt.error))


# ---- birth ------------------------------------------------------------------------------------------------


def create(
    id: str, approval_id: str, approved: Approved, now: Instant, *, publish_at: Instant | None = None,
    requested_local: str | None = None,
) -> Publication:  # fmt: skip
    """A publication that is due at `publish_at`, or at once."""
    publication = Publication(
        id=id, approval_id=approval_id, approved=approved, state=PublicationState.SCHEDULED, publish_at=publish_at,
        requested_local=requested_local, due_at=publish_at or now, created_at=now, updated_at=now,
    )  # fmt: skip
    return _note(publication, now, approved.approved_by, "approved")


def tombstone(id: str, approval_id: str, reason: str, now: Instant) -> Publication:
    """The withdrawal came first: remember it."""
    return Publication(
        id=id, approval_id=approval_id, approved=None, state=PublicationState.WITHDRAWN, created_at=now, updated_at=now,
        withdrawal=Withdrawal(reason=reason, at=now, refused=False),
    )  # fmt: skip


def fill(publication: Publication, created: Publication) -> Publication:
    """The create command arrived for a document that exists: a tombstone gets its content and stays withdrawn,
    anything else is left as it is."""
    if publication.approved is not None:
        return publication
    return created.with_(
        state=PublicationState.WITHDRAWN, withdrawal=publication.withdrawal, due_at=None,
        error=publication.withdrawal.reason if publication.withdrawal else None, created_at=publication.created_at,
    )  # fmt: skip


# ---- the worker's way ---------------------------------------------------------------------------------------


def claim(publication: Publication, worker: str, now: Instant, early: timedelta = timedelta(0)) -> Publication:
    """A due publication becomes the worker's; a new attempt begins. One that is due in less than `early` may be
    uploaded already; it is armed only when its time has come."""
    if publication.state is not PublicationState.SCHEDULED or publication.in_doubt:
        raise _refuse(publication, "claimed")
    if publication.due_at is None or publication.due_at > now + early:
        raise InvalidTransition(f"publication {publication.id} is not due before {publication.due_at}")
    number = publication.attempt.number + 1 if publication.attempt else 1
    attempt = Attempt(number=number, worker=worker, started_at=now, stage="starting")
    return publication.with_(
        state=PublicationState.UPLOADING, attempts=(*publication.attempts, attempt)[-KEPT_ATTEMPTS:], due_at=None,
        asked=0, waits_for=None, missed_at=None, updated_at=now,
    )  # fmt: skip


def renew(publication: Publication, number: int, progress: float, stage: str) -> Publication:
    """Keep the lease and report progress. Raises LeaseLost when it was cancelled, withdrawn or taken over."""
    attempt = _owned(publication, number)
    renewed = attempt.with_(renewals=attempt.renewals + 1, progress=max(0.0, min(1.0, progress)), stage=stage)
    return publication.with_(attempts=_put(publication, renewed))


def save_handle(publication: Publication, number: int, handle: dict[str, Any]) -> Publication:
    """Store the remote handle; it may grow until the attempt is armed, and is fixed from then on."""
    attempt = _unarmed(publication, number)
    return publication.with_(attempts=_put(publication, attempt.with_(handle=handle)))


def arm(publication: Publication, number: int, now: Instant) -> Publication:
    """From here the post may become public. Needs a stored handle, so that the platform can be asked."""
    attempt = _unarmed(publication, number)
    if attempt.handle is None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} has no stored handle to ask about")
    if is_early(publication, now):
        raise InvalidTransition(f"publication {publication.id} is not to be public before {publication.publish_at}")
    armed = attempt.with_(armed_at=now, progress=1.0, stage="publishing")
    return publication.with_(attempts=_put(publication, armed), updated_at=now)


def is_early(publication: Publication, now: Instant) -> bool:
    """Whether the time that was asked for has not come."""
    return publication.publish_at is not None and now < publication.publish_at


def stage(publication: Publication, number: int, now: Instant) -> Publication:
    """Everything is uploaded and nothing public: the publishing call is made at its time, by another attempt that goes
    on with the stored handle."""
    attempt = _unarmed(publication, number)
    if attempt.handle is None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} has uploaded nothing")
    attempts = _put(publication, attempt.with_(outcome=Outcome.STAGED, ended_at=now, progress=1.0, stage="uploaded"))
    return publication.with_(
        state=PublicationState.SCHEDULED, attempts=attempts, due_at=publication.publish_at or now, tries=0, crashes=0,
        error=None, updated_at=now,
    )  # fmt: skip


def publish(
    publication: Publication, number: int, external_id: str, url: str | None, now: Instant, *,
    warning: str | None = None,
) -> Publication:  # fmt: skip
    """The post is public. True news are taken late too, from any armed attempt that no later armed one replaced,
    whatever was believed meanwhile."""
    if publication.state is PublicationState.PUBLISHED:
        return publication
    attempt = next((item for item in publication.attempts if item.number == number), None)
    if attempt is None or attempt.armed_at is None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} was never armed")
    if any(later.number > number and later.armed_at is not None for later in publication.attempts):
        raise LeaseLost(f"attempt {number} of publication {publication.id} was replaced by a later armed one")
    attempts = _end(publication, Outcome.CANCELLED, now, f"attempt {number} turned out to be published")
    done = attempt.with_(outcome=Outcome.PUBLISHED, ended_at=now)
    attempts = tuple(done if item.number == number else item for item in attempts)
    return publication.with_(
        state=PublicationState.PUBLISHED, attempts=attempts, external_id=external_id, url=url, published_at=now,
        due_at=None, error=None, warning=warning, updated_at=now,
    )  # fmt: skip


def postpone(publication: Publication, number: int, error: str, retry_at: Instant, now: Instant) -> Publication:
    """Not armed and worth another try, at `retry_at`."""
    _unarmed(publication, number)
    return publication.with_(
        state=PublicationState.SCHEDULED, attempts=_end(publication, Outcome.FAILED, now, error), due_at=retry_at,
        tries=publication.tries + 1, error=error, updated_at=now,
    )  # fmt: skip


def wait_for_limit(
    publication: Publication, number: int, reason: str, retry_at: Instant, now: Instant
) -> Publication:  # fmt: skip
    """Not armed, and the platform allows no more before `retry_at`: nothing failed, so no try is counted."""
    return postpone(publication, number, reason, retry_at, now).with_(tries=publication.tries)


def fail(publication: Publication, number: int, error: str, now: Instant) -> Publication:
    """Not armed, and trying again cannot help."""
    _unarmed(publication, number)
    return publication.with_(
        state=PublicationState.FAILED, attempts=_end(publication, Outcome.FAILED, now, error), due_at=None,
        error=error, updated_at=now,
    )  # fmt: skip


def require_action(publication: Publication, number: int, error: str, now: Instant) -> Publication:
    """A person has to do something first. An attempt in doubt stays in doubt."""
    attempt = publication.attempt
    if not (attempt and attempt.number == number and attempt.in_doubt):
        _unarmed(publication, number)
        attempts = _end(publication, Outcome.FAILED, now, error)
    else:
        attempts = publication.attempts
    return publication.with_(
        state=PublicationState.ACTION_REQUIRED, attempts=attempts, due_at=None, error=error, updated_at=now
    )


def hand_back(publication: Publication, number: int, now: Instant) -> Publication:
    """The worker stops (shutdown) before arming: due again at once, and no try is counted."""
    _unarmed(publication, number)
    attempts = _end(publication, Outcome.HANDED_BACK, now)
    return publication.with_(state=PublicationState.SCHEDULED, attempts=attempts, due_at=now, updated_at=now)


def expire(publication: Publication, number: int, renewals: int, max_crashes: int | None, now: Instant) -> Publication:
    """The worker fell silent: unarmed it starts again, armed it is only asked about. Without effect when the
    attempt moved on. `max_crashes` None does not count: the whole system was started anew."""
    attempt = publication.attempt
    if attempt is None or publication.state is not PublicationState.UPLOADING:
        return publication
    if (attempt.number, attempt.renewals) != (number, renewals):
        return publication
    error = f"the worker {attempt.worker} stopped without a word"
    if attempt.in_doubt:
        return doubt(publication, number, error, now)
    crashes = publication.crashes + (max_crashes is not None)
    gave_up = max_crashes is not None and crashes >= max_crashes
    return publication.with_(
        state=PublicationState.FAILED if gave_up else PublicationState.SCHEDULED,
        attempts=_end(publication, Outcome.EXPIRED, now, error), due_at=None if gave_up else now, crashes=crashes,
        error=f"{error}, {crashes} times" if gave_up else publication.error, updated_at=now,
    )  # fmt: skip


# ---- doubt: asking the platform -------------------------------------------------------------------------------


def doubt(
    publication: Publication, number: int, error: str, now: Instant, failure: Failure | None = None
) -> Publication:
    """The publishing call ended without a clear answer: ask the platform, as soon as possible."""
    attempt = _doubtful(publication, number)
    attempts = _put(publication, attempt.with_(failure=failure or attempt.failure, error=error))
    return publication.with_(state=PublicationState.PENDING, attempts=attempts, due_at=now, error=error, updated_at=now)


def begin_asking(publication: Publication, ask_again_at: Instant, now: Instant) -> Publication:
    """One scheduler asks now; if it dies, the next asks at `ask_again_at`."""
    asked = publication.state in (PublicationState.PENDING, PublicationState.UNKNOWN) and publication.in_doubt
    if not asked or publication.due_at is None or publication.due_at > now:
        raise _refuse(publication, "asked about now")
    return publication.with_(due_at=ask_again_at, asked=publication.asked + 1)


def mark_pending(publication: Publication, number: int, detail: str, ask_at: Instant, now: Instant) -> Publication:
    """The platform has it and is not done."""
    _doubtful(publication, number)
    return publication.with_(
        state=PublicationState.PENDING, due_at=ask_at, error=detail or publication.error, updated_at=now
    )


def mark_unknown(
    publication: Publication, number: int, detail: str, ask_at: Instant | None, now: Instant
) -> Publication:
    """The platform gave no answer; it is asked again at `ask_at` where it can be asked at all."""
    _doubtful(publication, number)
    return publication.with_(state=PublicationState.UNKNOWN, due_at=ask_at, error=detail, updated_at=now)


def mark_absent(
    publication: Publication, number: int, trust_after: timedelta, retry_at: Instant | None, now: Instant
) -> Publication:
    """The platform says the post is not there. That is only trusted once the publishing call can no longer land,
    `trust_after` the arming; until then the question is put again. `retry_at` None: enough tries were made."""
    attempt = _doubtful(publication, number)
    if attempt.armed_at is None or now < attempt.armed_at + trust_after:
        trusted_at = (attempt.armed_at or now) + trust_after
        return mark_pending(publication, number, "not there yet; the answer is final at its next look", trusted_at, now)
    ended = publication.with_(attempts=_end(publication, Outcome.ABSENT, now), due_at=None, updated_at=now)
    if publication.withdrawal is not None:
        return _withdrawn(ended, publication.withdrawal, now)
    if attempt.failure is Failure.PERMANENT:
        return ended.with_(state=PublicationState.FAILED, error=attempt.error)
    if attempt.failure is Failure.ACTION_REQUIRED:
        return ended.with_(state=PublicationState.ACTION_REQUIRED, error=attempt.error)
    if retry_at is None:
        error = f"gave up after {publication.tries + 1} tries: {attempt.error}"
        return ended.with_(state=PublicationState.FAILED, error=error)
    return ended.with_(state=PublicationState.SCHEDULED, due_at=retry_at, tries=publication.tries + 1)


# ---- people -----------------------------------------------------------------------------------------------------


def retry(publication: Publication, by: str, now: Instant) -> Publication:
    """Try again now; one that may be public is asked about instead, never sent again."""
    states = PublicationState
    waiting = publication.state is states.SCHEDULED and publication.tries > 0
    stopped = publication.state in (states.FAILED, states.ACTION_REQUIRED, states.CANCELLED, states.UNKNOWN)
    if publication.withdrawal is not None:
        raise _refuse(publication, "tried again", "its approval was withdrawn: approve the version again")
    if not (waiting or stopped or publication.state is states.PENDING):
        raise _refuse(publication, "tried again")
    state = states.PENDING if publication.in_doubt else states.SCHEDULED
    again = publication.with_(
        state=state, due_at=now, tries=0, crashes=0, asked=0, error=None, waits_for=None, missed_at=None
    )
    return _note(again, now, by, "retry")


def resolve(
    publication: Publication, by: str, now: Instant, *, published: bool, external_id: str | None = None,
    url: str | None = None,
) -> Publication:  # fmt: skip
    """A person looked: it is public (then where), or it is not (then it may be tried again)."""
    attempt = publication.attempt
    if attempt is None or not attempt.in_doubt or publication.state is PublicationState.UPLOADING:
        raise _refuse(publication, "resolved", "only one that may or may not be public needs that")
    if published:
        done = publish(publication, attempt.number, external_id or url or publication.id, url, now)
        return _note(done, now, by, "resolved: published", url or external_id or "")
    ended = publication.with_(attempts=_end(publication, Outcome.ABSENT, now), due_at=None)
    if publication.withdrawal is not None:
        ended = _withdrawn(ended, publication.withdrawal, now)
    else:
        ended = ended.with_(state=PublicationState.FAILED, error=f"{by} found that it was not published")
    return _note(ended, now, by, "resolved: not published")


def cancel(publication: Publication, by: str, now: Instant) -> Publication:
    """Stop it for good, unless it may already be public."""
    states = PublicationState
    if publication.in_doubt:
        raise _refuse(publication, "cancelled", "it may already be public: look there and resolve it")
    if publication.state not in (states.SCHEDULED, states.UPLOADING, states.FAILED, states.ACTION_REQUIRED):
        raise _refuse(publication, "cancelled")
    attempts = _end(publication, Outcome.CANCELLED, now)
    return _note(publication.with_(state=states.CANCELLED, attempts=attempts, due_at=None), now, by, "cancelled")


def reschedule(
    publication: Publication, by: str, publish_at: Instant | None, requested_local: str | None, now: Instant
) -> Publication:
    """Another time; None is as soon as possible. The approval stays: the time is not part of it. One that waits for a
    person may be moved too, unless it may be public."""
    states = PublicationState
    if publication.state not in (states.SCHEDULED, states.ACTION_REQUIRED) or publication.in_doubt:
        raise _refuse(publication, "moved to another time")
    moved = publication.with_(
        state=states.SCHEDULED, publish_at=publish_at, requested_local=requested_local, due_at=publish_at or now,
        waits_for=None, missed_at=None, error=None,
    )  # fmt: skip
    before = publication.publish_at.isoformat() if publication.publish_at else "as soon as possible"
    after = publish_at.isoformat() if publish_at else "as soon as possible"
    return _note(moved, now, by, "rescheduled", f"{before} -> {after}")


def withdraw(publication: Publication, reason: str, now: Instant) -> Publication:
    """The approval is void. What is armed or public stays, and the refusal is remembered: should it turn out to be
    absent, it is withdrawn then."""
    if publication.withdrawal is not None:
        return publication
    refused = publication.in_doubt or publication.state is PublicationState.PUBLISHED
    withdrawal = Withdrawal(reason=reason, at=now, refused=refused)
    if refused:
        return _note(publication.with_(withdrawal=withdrawal), now, "system", "withdrawal refused", reason)
    ended = publication.with_(attempts=_end(publication, Outcome.WITHDRAWN, now))
    return _note(_withdrawn(ended, withdrawal, now), now, "system", "withdrawn", reason)


def take_down(publication: Publication, by: str, now: Instant) -> Publication:
    """The post was public and is deleted on its platform. Without effect when that is written down already."""
    if publication.state is PublicationState.WITHDRAWN:
        return publication
    if publication.state is not PublicationState.PUBLISHED:
        raise _refuse(publication, "taken down", "it is not public")
    gone = publication.with_(state=PublicationState.WITHDRAWN, error=f"taken down by {by}", warning=None)
    return _note(gone, now, by, "taken down", publication.url or publication.external_id or "")


def _withdrawn(publication: Publication, withdrawal: Withdrawal, now: Instant) -> Publication:
    return publication.with_(
        state=PublicationState.WITHDRAWN, withdrawal=withdrawal.with_(refused=False), due_at=None,
        error=withdrawal.reason, updated_at=now,
    )  # fmt: skip
