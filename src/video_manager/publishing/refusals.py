"""What the ledger does when a platform says that nothing was made: again, later, a person, or the end."""

from datetime import datetime, timedelta

from video_manager.domain import publication as rules
from video_manager.domain.publication import Failure, Publication
from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, StillUploaded
from video_manager.plugins.api import Asked
from video_manager.publishing.rules import PublishingRules


def failure_of(error: BaseException | None) -> tuple[Failure | None, str]:
    """What an error asks for, and its words. None is a shutdown."""
    if error is None:
        return None, "stopped by a shutdown"
    if isinstance(error, ActionRequiredError):
        return Failure.ACTION_REQUIRED, error.detail
    if isinstance(error, PermanentError):
        return Failure.PERMANENT, error.detail
    if isinstance(error, TimeoutError):
        return Failure.RETRYABLE, "it took too long"
    return Failure.RETRYABLE, str(error) or type(error).__name__


def delay_of(publication: Publication, error: BaseException | None, settings: PublishingRules) -> timedelta:
    """How long to wait before the next try: not shorter than the platform asked for."""
    delay = settings.retry_delay(publication.tries)
    named = getattr(error, "retry_after_seconds", None)
    return max(delay, timedelta(seconds=named)) if named else delay


def refused(
    publication: Publication, number: int, cause: BaseException, settings: PublishingRules, now: datetime
) -> Publication:
    """The platform itself said that an armed attempt made nothing and never will: there is nothing to ask. A limit is
    no failed try. After one, and where what was uploaded is known to be good, the next try goes on with it."""
    kind, text = failure_of(cause)
    limited = isinstance(cause, LimitReached)
    enough = publication.tries + 1 >= settings.max_tries and not limited
    retry_at = None if enough else now + delay_of(publication, cause, settings)
    doubtful = rules.doubt(publication, number, text, now, kind)
    absent = rules.mark_absent(doubtful, number, timedelta(0), retry_at, now)
    if limited:
        return rules.held_up(absent, number, publication.tries, text)
    return rules.keep_upload(absent, number) if isinstance(cause, StillUploaded) else absent


def absent(
    publication: Publication, number: int, asked: Asked, trust_after: timedelta, settings: PublishingRules,
    now: datetime,
) -> Publication:  # fmt: skip
    """The platform was asked, and has no post."""
    enough = publication.tries + 1 >= settings.max_tries
    retry_at = None if enough else now + settings.retry_delay(publication.tries)
    marked = rules.mark_absent(publication, number, trust_after, retry_at, now)
    return rules.keep_upload(marked, number) if asked.still_uploaded else marked
