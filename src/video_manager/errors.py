"""Every error the product raises on purpose.

An error that reaches a person carries its HTTP status and a stable `code`; its text says what happened, to
which object, and what to do next. An error that reaches a worker says whether to try again, to ask a person,
or to give up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class VideoManagerError(Exception):
    """Base of all our errors. `code` is stable and machine readable, `status` its HTTP status."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


# ---- answers for people -------------------------------------------------------------------------------


@dataclass(frozen=True)
class FieldError:
    """One wrong field: its dotted path (`options.text`) and the reason in words."""

    field: str
    reason: str


class InvalidInput(VideoManagerError):
    code = "invalid_input"
    status = 422

    def __init__(self, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)

    @classmethod
    def field(cls, field: str, reason: str) -> "InvalidInput":
        return cls(f"{field}: {reason}", [FieldError(field, reason)])


class Unauthenticated(VideoManagerError):
    code = "unauthenticated"
    status = 401


class Forbidden(VideoManagerError):
    code = "forbidden"
    status = 403


class NotFound(VideoManagerError):
    code = "not_found"
    status = 404


class Conflict(VideoManagerError):
    code = "conflict"
    status = 409


class AlreadyExists(Conflict):
    code = "already_exists"


class InvalidTransition(Conflict):
    """The state machine does not allow this now (approve a failed version, cancel a finished one)."""

    code = "invalid_transition"


class StaleRevision(VideoManagerError):
    """Somebody else changed the object since it was read."""

    code = "stale_revision"
    status = 412


class TooLarge(VideoManagerError):
    code = "too_large"
    status = 413


class TooManyRequests(VideoManagerError):
    code = "too_many_requests"
    status = 429


class StorageFull(VideoManagerError):
    """No space left for the bytes of one file; everything else goes on."""

    code = "storage_full"
    status = 507


class SettingsError(VideoManagerError):
    """A wrong setting: the start stops with this text and no stack trace."""

    code = "wrong_setting"


# ---- answers for workers ------------------------------------------------------------------------------


class WorkError(VideoManagerError):
    """Base of what a handler, worker or plugin raises about its work."""


class RetryableError(WorkError):
    """Try again later: after `retry_after` seconds where the other side named a time, else by backoff."""

    code = "retryable"

    def __init__(self, detail: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class LimitReached(RetryableError):
    """A rate limit or quota of the other side: nothing is wrong, and it goes on after `retry_after_seconds`. However
    often that happens, it is no failed try."""

    code = "limit_reached"

    def __init__(self, detail: str, retry_after_seconds: float) -> None:
        super().__init__(detail, retry_after_seconds)


class StillUploaded(RetryableError):
    """A platform made no post, and has what was uploaded as before: the next try goes on with it."""

    code = "still_uploaded"


class Unavailable(RetryableError):
    """A store or the broker does not answer; it is tried again. The start stops with it after `connect_seconds`,
    naming the setting and what was found."""

    code = "unavailable"
    status = 503


class ActionRequiredError(WorkError):
    """A person has to do something first (reconnect a channel, free space)."""

    code = "action_required"


class PermanentError(WorkError):
    """Trying again cannot help; `log_excerpt` keeps the tool's own words (ffmpeg's last lines)."""

    code = "permanent"

    def __init__(self, detail: str, log_excerpt: str | None = None) -> None:
        super().__init__(detail)
        self.log_excerpt = log_excerpt


class NotPublished(WorkError):
    """The platform answered the publishing call so that it is certain that nothing was made; `cause` says what the
    answer asks for. Any other error of that call leaves it open."""

    code = "not_published"

    def __init__(self, cause: WorkError) -> None:
        super().__init__(cause.detail)
        self.cause = cause


class Cancelled(WorkError):
    """The work was cancelled by a person; not a failure."""

    code = "cancelled"


class LeaseLost(WorkError):
    """The attempt no longer owns the job or publication: stop at once and report nothing."""

    code = "lease_lost"
    status = 409
