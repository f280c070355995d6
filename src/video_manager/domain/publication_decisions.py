"""What people decide about a publication, and what a voided approval does to it."""

from video_manager.domain.model import Instant
from video_manager.domain.publication_attempts import publish
from video_manager.domain.publication_hand_over import awaits_platform
from video_manager.domain.publication_model import Outcome, Publication, PublicationState, Withdrawal
from video_manager.domain.publication_steps import end, note, refuse, withdrawn


def retry(publication: Publication, by: str, now: Instant) -> Publication:
    """Try again now, or at its time if that is still to come; one that may be public is asked about instead, never sent
    again."""
    states = PublicationState
    waiting = publication.state is states.SCHEDULED and publication.tries > 0
    stopped = publication.state in (states.FAILED, states.ACTION_REQUIRED, states.CANCELLED, states.UNKNOWN)
    if publication.withdrawal is not None:
        raise refuse(publication, "tried again", "its approval was withdrawn: approve the version again")
    if not (waiting or stopped or publication.state is states.PENDING):
        raise refuse(publication, "tried again")
    state = states.PENDING if publication.in_doubt else states.SCHEDULED
    due_at = now if publication.in_doubt else max(now, publication.publish_at or now)
    again = publication.with_(
        state=state, due_at=due_at, tries=0, crashes=0, asked=0, error=None, waits_for=None, missed_at=None
    )
    return note(again, now, by, "retry")


def resolve(
    publication: Publication, by: str, now: Instant, *, published: bool, external_id: str | None = None,
    url: str | None = None,
) -> Publication:  # fmt: skip
    """A person looked: it is public (then where), or it is not (then it may be tried again)."""
    attempt = publication.attempt
    if attempt is None or not attempt.in_doubt or publication.state is PublicationState.UPLOADING:
        raise refuse(publication, "resolved", "only one that may or may not be public needs that")
    if awaits_platform(publication, now):
        raise refuse(publication, "resolved", "its platform is to publish it at its time: cancel or move it")
    if published:
        done = publish(publication, attempt.number, external_id or url or publication.id, url, now)
        return note(done, now, by, "resolved: published", url or external_id or "")
    ended = publication.with_(attempts=end(publication, Outcome.ABSENT, now), due_at=None)
    if publication.withdrawal is not None:
        ended = withdrawn(ended, publication.withdrawal, now)
    else:
        ended = ended.with_(state=PublicationState.FAILED, error=f"{by} found that it was not published")
    return note(ended, now, by, "resolved: not published")


def cancel(publication: Publication, by: str, now: Instant) -> Publication:
    """Stop it for good, unless it may already be public."""
    states = PublicationState
    if publication.in_doubt:
        raise refuse(publication, "cancelled", "it may already be public: look there and resolve it")
    if publication.state not in (states.SCHEDULED, states.UPLOADING, states.FAILED, states.ACTION_REQUIRED):
        raise refuse(publication, "cancelled")
    attempts = end(publication, Outcome.CANCELLED, now)
    return note(publication.with_(state=states.CANCELLED, attempts=attempts, due_at=None), now, by, "cancelled")


def reschedule(
    publication: Publication, by: str, publish_at: Instant | None, requested_local: str | None, now: Instant
) -> Publication:
    """Another time; None is as soon as possible. The approval stays: the time is not part of it. One that waits for a
    person may be moved too, unless it may be public."""
    states = PublicationState
    if publication.state not in (states.SCHEDULED, states.ACTION_REQUIRED) or publication.in_doubt:
        raise refuse(publication, "moved to another time")
    moved = publication.with_(
        state=states.SCHEDULED, publish_at=publish_at, requested_local=requested_local, due_at=publish_at or now,
        waits_for=None, missed_at=None, error=None,
    )  # fmt: skip
    before = publication.publish_at.isoformat() if publication.publish_at else "as soon as possible"
    after = publish_at.isoformat() if publish_at else "as soon as possible"
    return note(moved, now, by, "rescheduled", f"{before} -> {after}")


def withdraw(publication: Publication, reason: str, now: Instant) -> Publication:
    """The approval is void. What is armed or public stays, and the refusal is remembered: should it turn out to be
    absent, it is withdrawn then."""
    if publication.withdrawal is not None:
        return publication
    refused = publication.in_doubt or publication.state is PublicationState.PUBLISHED
    withdrawal = Withdrawal(reason=reason, at=now, refused=refused)
    if refused:
        if publication.entrusted and publication.state is PublicationState.PENDING:
            asked_back = publication.with_(withdrawal=withdrawal, due_at=now)
            return note(asked_back, now, "system", "taken back from the platform", reason)
        return note(publication.with_(withdrawal=withdrawal), now, "system", "withdrawal refused", reason)
    ended = publication.with_(attempts=end(publication, Outcome.WITHDRAWN, now))
    return note(withdrawn(ended, withdrawal, now), now, "system", "withdrawn", reason)


def take_down(publication: Publication, by: str, now: Instant) -> Publication:
    """The post was public and is deleted on its platform. Without effect when that is written down already."""
    if publication.state is PublicationState.WITHDRAWN:
        return publication
    if publication.state is not PublicationState.PUBLISHED:
        raise refuse(publication, "taken down", "it is not public")
    gone = publication.with_(state=PublicationState.WITHDRAWN, error=f"taken down by {by}", warning=None)
    return note(gone, now, by, "taken down", publication.url or publication.external_id or "")
