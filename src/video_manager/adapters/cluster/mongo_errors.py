"""What the errors of MongoDB and its driver mean."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import ConnectionFailure, DocumentTooLarge, OperationFailure, PyMongoError

from video_manager.errors import SettingsError, StorageFull, TooLarge, Unavailable, VideoManagerError

SETTING = "VIDEO_MANAGER_MONGODB_URL"

UNAUTHORIZED = frozenset({11, 13, 18, 8000})
"""UserNotFound, Unauthorized, AuthenticationFailed, and the one that hosted clusters give."""
_DISK_FULL = frozenset({14031})
_TOO_LARGE = frozenset({10334, 17419, 17420})
_PASSING = frozenset({
    6, 7, 50, 64, 89, 91, 100, 189, 202, 262, 317, 358, 9001, 10107, 11600, 11602, 13435, 13436,
})  # fmt: skip
"""Hosts not reached, time limits, write concerns not satisfied in time, stepping down, shutting down, not primary."""


def reason_of(error: Exception) -> str:
    """The driver's words without its description of the whole topology. They hold no credentials."""
    return re.split(r", Timeout:|, full error:| \(configured timeouts", str(error), maxsplit=1)[0]


@contextmanager
def explained(what: str = "the document") -> Iterator[None]:
    """MongoDB's errors in the words of the ports: Unavailable (whether a write took place is then unknown),
    StorageFull, TooLarge for `what`, SettingsError for a missing permission. Others are mistakes of ours and pass."""
    try:
        yield
    except ConnectionFailure as error:
        raise _unavailable(error) from error
    except DocumentTooLarge as error:
        raise _too_large(what) from error
    except OperationFailure as error:
        meaning = _meaning(error, what)
        if meaning is None:
            raise
        raise meaning from error


def _meaning(error: OperationFailure, what: str) -> VideoManagerError | None:
    if error.code in _DISK_FULL or "no space left" in str(error).lower():
        return StorageFull("the disk of MongoDB is full: free some space there, then try again")
    if error.code in _TOO_LARGE:
        return _too_large(what)
    if error.code in UNAUTHORIZED:
        return SettingsError(f"{SETTING}: MongoDB refuses this user ({reason_of(error)}): correct its role or password")
    passing = error.code in _PASSING or error.timeout
    if passing or error.has_error_label("RetryableWriteError") or error.has_error_label("TransientTransactionError"):
        return _unavailable(error)
    return None


def _unavailable(error: PyMongoError) -> Unavailable:
    return Unavailable(f"MongoDB does not answer ({reason_of(error)}): it is tried again")


def _too_large(what: str) -> TooLarge:
    return TooLarge(f"{what} is larger than the 16 MiB that MongoDB keeps in one: make it smaller")
