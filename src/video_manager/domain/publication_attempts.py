"""The way of a publication by its workers: from its creation over uploading and publishing to asking the platform."""

from datetime import timedelta
from typing import Any

from video_manager.domain.model import Instant
from video_manager.domain.publication_model import (
    Approved,
    Attempt,
    Failure,
    Outcome,
    Publication,
    PublicationState,
    Withdrawal,
)
from video_manager.domain.publication_steps import doubtful, end, note, owned, put, refuse, unarmed, withdrawn
from video_manager.errors import InvalidTransition, LeaseLost

KEPT_ATTEMPTS = 50

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
    return note(publication, now, approved.approved_by, "approved")


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
        raise refuse(publication, "claimed")
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
    attempt = owned(publication, number)
    renewed = attempt.with_(renewals=attempt.renewals + 1, progress=max(0.0, min(1.0, progress)), stage=stage)
    return publication.with_(attempts=put(publication, renewed))


def save_handle(publication: Publication, number: int, handle: dict[str, Any]) -> Publication:
    """Store the remote handle; it may grow until the attempt is armed, and is fixed from then on."""
    attempt = unarmed(publication, number)
    return publication.with_(attempts=put(publication, attempt.with_(handle=handle)))


def arm(publication: Publication, number: int, now: Instant) -> Publication:
    """From here the post may become public. Needs a stored handle, so that the platform can be asked."""
    attempt = unarmed(publication, number)
    if attempt.handle is None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} has no stored handle to ask about")
    if is_early(publication, now):
        raise InvalidTransition(f"publication {publication.id} is not to be public before {publication.publish_at}")
    armed = attempt.with_(armed_at=now, progress=1.0, stage="publishing")
    return publication.with_(attempts=put(publication, armed), updated_at=now)


def is_early(publication: Publication, now: Instant) -> bool:
    """Whether the time that was asked for has not come."""
    return publication.publish_at is not None and now < publication.publish_at


def stage(publication: Publication, number: int, now: Instant) -> Publication:
    """Everything is uploaded and nothing public: the publishing call is made at its time, by another attempt that goes
    on with the stored handle."""
    attempt = unarmed(publication, number)
    if attempt.handle is None:
        raise InvalidTransition(f"attempt {number} of publication {publication.id} has uploaded nothing")
    attempts = put(publication, attempt.with_(outcome=Outcome.STAGED, ended_at=now, progress=1.0, stage="uploaded"))
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
    attempts = end(publication, Outcome.CANCELLED, now, f"attempt {number} turned out to be published")
    done = attempt.with_(outcome=Outcome.PUBLISHED, ended_at=now)
    attempts = tuple(done if item.number == number else item for item in attempts)
    return publication.with_(
        state=PublicationState.PUBLISHED, attempts=attempts, external_id=external_id, url=url,
        published_at=min(now, attempt.entrusted_for or now),
        due_at=None, error=None, warning=warning, waits_for=None, updated_at=now,
    )  # fmt: skip


def postpone(publication: Publication, number: int, error: str, retry_at: Instant, now: Instant) -> Publication:
    """Not armed and worth another try, at `retry_at`."""
    unarmed(publication, number)
    return publication.with_(
        state=PublicationState.SCHEDULED, attempts=end(publication, Outcome.FAILED, now, error), due_at=retry_at,
        tries=publication.tries + 1, error=error, updated_at=now,
    )  # fmt: skip


def wait_for_limit(
    publication: Publication, number: int, reason: str, retry_at: Instant, now: Instant
) -> Publication:  # fmt: skip
    """Not armed, and the platform allows no more before `retry_at`: nothing failed, so no try is counted."""
    return postpone(publication, number, reason, retry_at, now).with_(tries=publication.tries)


def fail(publication: Publication, number: int, error: str, now: Instant) -> Publication:
    """Not armed, and trying again cannot help."""
    unarmed(publication, number)
    return publication.with_(
        state=PublicationState.FAILED, attempts=end(publication, Outcome.FAILED, now, error), due_at=None,
        error=error, updated_at=now,
    )  # fmt: skip


def require_action(publication: Publication, number: int, error: str, now: Instant) -> Publication:
    """A person has to do something first. An attempt in doubt stays in doubt, and is tried again when it turns out that
    nothing was made: what the person did is the answer to its failure, too."""
    attempt = publication.attempt
    if attempt and attempt.number == number and attempt.in_doubt:
        asked = attempt.with_(failure=None, asked=True)
    else:
        asked = unarmed(publication, number).with_(asked=True)
        publication = publication.with_(attempts=put(publication, asked))
        asked = end(publication, Outcome.FAILED, now, error)[-1]
    return publication.with_(
        state=PublicationState.ACTION_REQUIRED, attempts=put(publication, asked), due_at=None, error=error,
        updated_at=now,
    )  # fmt: skip


def wait_for_another(publication: Publication, number: int, error: str, ask_at: Instant, now: Instant) -> Publication:
    """The person is asked because of another publication: what they do is the answer for this one, too, which is asked
    about again afterwards. That is no question without an answer."""
    attempt = doubtful(publication, number)
    waiting = publication.with_(
        attempts=put(publication, attempt.with_(failure=None)), asked=max(0, publication.asked - 1)
    )
    return mark_pending(waiting, number, error, ask_at, now)


def asks(publication: Publication, number: int) -> bool | None:
    """Whether a person was asked because of that attempt; None: it goes on, and may still ask."""
    attempt = next((one for one in publication.attempts if one.number == number), None)
    if attempt is None or attempt.asked:
        return True
    newest = publication.attempts[-1].number == number
    questioned = attempt.in_doubt and publication.due_at is not None
    return None if newest and (publication.state is PublicationState.UPLOADING or questioned) else False


def hand_back(publication: Publication, number: int, now: Instant) -> Publication:
    """The worker stops (shutdown) before arming: due again at once, and no try is counted."""
    unarmed(publication, number)
    attempts = end(publication, Outcome.HANDED_BACK, now)
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
        attempts=end(publication, Outcome.EXPIRED, now, error), due_at=None if gave_up else now, crashes=crashes,
        error=f"{error}, {crashes} times" if gave_up else publication.error, updated_at=now,
    )  # fmt: skip


# ---- doubt: asking the platform -------------------------------------------------------------------------------


def doubt(
    publication: Publication, number: int, error: str, now: Instant, failure: Failure | None = None
) -> Publication:
    """The publishing call ended without a clear answer: ask the platform, as soon as possible."""
    attempt = doubtful(publication, number)
    attempts = put(publication, attempt.with_(failure=failure or attempt.failure, error=error))
    return publication.with_(state=PublicationState.PENDING, attempts=attempts, due_at=now, error=error, updated_at=now)


def held_up(publication: Publication, number: int, tries: int, reason: str) -> Publication:
    """The attempt ended by a limit of the platform: no try is counted, and the next goes on with what is uploaded."""
    return keep_upload(publication, number).with_(tries=tries, error=reason)


def keep_upload(publication: Publication, number: int) -> Publication:
    """What the attempt uploaded is still good: the next one goes on with it."""
    attempts = tuple(one.with_(reusable=True) if one.number == number else one for one in publication.attempts)
    return publication.with_(attempts=attempts)


def begin_asking(publication: Publication, ask_again_at: Instant, now: Instant) -> Publication:
    """One scheduler asks now; if it dies, the next asks at `ask_again_at`."""
    asked = publication.state in (PublicationState.PENDING, PublicationState.UNKNOWN) and publication.in_doubt
    if not asked or publication.due_at is None or publication.due_at > now:
        raise refuse(publication, "asked about now")
    return publication.with_(due_at=ask_again_at, asked=publication.asked + 1)


def mark_pending(publication: Publication, number: int, detail: str, ask_at: Instant, now: Instant) -> Publication:
    """The platform has it and is not done."""
    doubtful(publication, number)
    return publication.with_(
        state=PublicationState.PENDING, due_at=ask_at, error=detail or publication.error, updated_at=now
    )


def mark_unknown(
    publication: Publication, number: int, detail: str, ask_at: Instant | None, now: Instant
) -> Publication:
    """The platform gave no answer; it is asked again at `ask_at` where it can be asked at all."""
    doubtful(publication, number)
    return publication.with_(state=PublicationState.UNKNOWN, due_at=ask_at, error=detail, updated_at=now)


def mark_absent(
    publication: Publication, number: int, trust_after: timedelta, retry_at: Instant | None, now: Instant
) -> Publication:
    """The platform says the post is not there. That is only trusted once the publishing call can no longer land,
    `trust_after` the arming, or the time at which the platform was to publish; until then the question is put again.
    `retry_at` None: enough tries were made."""
    attempt = doubtful(publication, number)
    landing = attempt.entrusted_for if attempt.entrusted_for and attempt.entrusted_for <= now else attempt.armed_at
    if landing is None or now < landing + trust_after:
        trusted_at = (landing or now) + trust_after
        return mark_pending(publication, number, "not there yet; the answer is final at its next look", trusted_at, now)
    if attempt.entrusted_for is not None:  # what is uploaded is still there: it only was not made public
        publication = publication.with_(attempts=put(publication, attempt.with_(reusable=True)))
    ended = publication.with_(
        attempts=end(publication, Outcome.ABSENT, now), due_at=None, waits_for=None, updated_at=now
    )
    if publication.withdrawal is not None:
        return withdrawn(ended, publication.withdrawal, now)
    if attempt.failure is Failure.PERMANENT:
        return ended.with_(state=PublicationState.FAILED, error=attempt.error)
    if attempt.failure is Failure.ACTION_REQUIRED:
        asked = put(ended, ended.attempts[-1].with_(asked=True))
        return ended.with_(state=PublicationState.ACTION_REQUIRED, attempts=asked, error=attempt.error)
    if retry_at is None:
        error = f"gave up after {publication.tries + 1} tries: {attempt.error}"
        return ended.with_(state=PublicationState.FAILED, error=error)
    return ended.with_(state=PublicationState.SCHEDULED, due_at=retry_at, tries=publication.tries + 1)
