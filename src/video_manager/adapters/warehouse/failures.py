"""What an error of the database means: to the start, and to whoever asked."""

import errno
import socket
import ssl

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

from video_manager.adapters.warehouse.address import SETTING, shown
from video_manager.errors import PermanentError, RetryableError, SettingsError, StorageFull, Unavailable

DATABASE_ERRORS = (DBAPIError, NoFreeConnection, OSError)
"""TimeoutError is an OSError."""

_GONE = ("08", "57P0", "53300", "57014", "25006")
"""SQLSTATEs, or how they begin: no connection, server stops or starts, too many connections, took too long, only
readable (a standby that is about to take over)."""
_COLLIDED = ("40001", "40P01")
_NO_ENCRYPTION = "rejected SSL upgrade"
_LOCKED = "55P03"
_DISK_FULL = "53100"
_WRONG_VALUE = ("22", "23")
_LOGIN = "which does not let us in: {said}; correct user and password, or allow {user} in the server's pg_hba.conf"
_RIGHTS = (
    "where {user} lacks a right: {said}; ALTER DATABASE {database} OWNER TO {user}, or have the owner of the tables "
    "GRANT ALL ON ALL TABLES IN SCHEMA public TO {user} and GRANT USAGE, CREATE ON SCHEMA public TO {user}"
)
_REFUSALS = {
    "28000": _LOGIN,
    "28P01": _LOGIN,
    "3D000": "but {said}; make it: CREATE DATABASE {database} OWNER {user}",
    "42501": _RIGHTS,
    "3F000": _RIGHTS,
    "42P07": "which holds tables of something else ({said}); name an empty database",
}
"""What the person who starts the system has to do about PostgreSQL's refusals."""


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's five letters; empty when the error has none."""
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(getattr(original, "sqlstate", None) or "")


def words(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    if isinstance(original, OSError) and original.strerror:
        return original.strerror
    if isinstance(original, TimeoutError):
        return "no answer in time"
    return next(iter(str(original).splitlines()), "") or type(original).__name__


def collided(error: BaseException) -> bool:
    """Two transactions were in each other's way; the one that was ended is tried again."""
    return sqlstate(error) in _COLLIDED


def lock_is_taken(error: BaseException) -> bool:
    return sqlstate(error) == _LOCKED


def does_not_answer(error: BaseException) -> bool:
    """No connection, rather than a refusal by a server that works."""
    if isinstance(error, ssl.SSLError) or _NO_ENCRYPTION in str(error):
        return False
    if isinstance(error, OSError | NoFreeConnection) or sqlstate(error).startswith(_GONE):
        return True
    if isinstance(error, InterfaceError) and "closed" in words(error):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def while_working(error: BaseException) -> RetryableError | StorageFull | PermanentError:
    """For somebody who asked or wrote."""
    state = sqlstate(error)
    if getattr(error, "errno", None) == errno.ENOSPC or state == _DISK_FULL or "is full" in words(error):
        return StorageFull("the disk of the warehouse is full: free some space")
    if state == _LOCKED:
        return Unavailable("the warehouse is being made again; it is tried again later", 5.0)
    if does_not_answer(error):
        return Unavailable(f"the warehouse did not answer: {words(error)}")
    if state.startswith(_WRONG_VALUE):
        return PermanentError(f"the warehouse does not take these values: {words(error)}")
    return RetryableError(f"the warehouse could not do it: {words(error)}")


def while_opening(error: BaseException, url: URL) -> SettingsError | Unavailable:
    """For the person who starts the system."""
    where = f"{SETTING} names {shown(url)}"
    if isinstance(error, socket.gaierror):
        return SettingsError(f"{where}: there is no host {url.host!r} ({words(error)}); correct the name")
    if _NO_ENCRYPTION in str(error):
        return SettingsError(f"{where}, which takes no encrypted connection: correct sslmode, or it is no PostgreSQL")
    if does_not_answer(error):
        return Unavailable(f"{where}, which does not answer: {words(error)}; start it, or correct the address")
    if sqlstate(error) == _LOCKED or (isinstance(error, DBAPIError) and "is locked" in words(error)):
        return Unavailable(f"{where}, which another process keeps locked; end it, or start again later")
    refusal = _REFUSALS.get(sqlstate(error))
    if refusal is not None:
        return SettingsError(f"{where}, " + refusal.format(said=words(error), user=url.username, database=url.database))
    return SettingsError(
        f"the warehouse {shown(url)} cannot be opened: {words(error)}; check {SETTING}, and that the database runs "
        "and can be written to"
    )
