"""Signed-in browsers. The cookie holds only a random id (signed); what it stands for is a document here, so that
signing out ends the session for every copy of the cookie and every open page."""

import hashlib
import secrets
from collections.abc import Mapping, MutableMapping
from datetime import timedelta
from typing import Any

from video_manager.domain.access import User
from video_manager.domain.model import Frozen, Instant
from video_manager.ports import Clock, CollectionSpec, DocumentStore, Op, Query, Where
from video_manager.repository import Repository, instant_text

SESSIONS = CollectionSpec("sessions", indexed=("user_id", "expires_at"))

TOKEN = "session_token"  # noqa: S105 - the name of the entry, not a secret
CSRF = "csrf"
_SWEEP_BATCH = 500


class Session(Frozen):
    """`id` is the sha256 of the cookie's token: who reads the documents cannot sign in with them."""

    id: str
    user_id: str
    session_epoch: int
    issued_at: Instant
    expires_at: Instant


class Sessions:
    def __init__(self, store: DocumentStore, clock: Clock, lifetime: timedelta) -> None:
        self._sessions = Repository(store, SESSIONS, Session)
        self._clock = clock
        self._lifetime = lifetime

    async def open(self) -> None:
        await self._sessions.register()

    async def begin(self, cookie: MutableMapping[str, Any], user: User) -> None:
        """Sign the browser in under new tokens: nothing that was known before the sign-in stays valid."""
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        await self._sessions.add(
            Session(
                id=session_id(token), user_id=user.id, session_epoch=user.session_epoch, issued_at=now,
                expires_at=now + self._lifetime,
            )
        )  # fmt: skip
        cookie.clear()
        cookie[TOKEN] = token
        cookie[CSRF] = secrets.token_urlsafe(32)

    async def end(self, cookie: MutableMapping[str, Any]) -> str | None:
        """Sign the browser out; the id of the session that ended."""
        token = cookie.get(TOKEN)
        ended = session_id(token) if isinstance(token, str) else None
        if ended is not None:
            await self._sessions.remove(ended)
        cookie.clear()
        return ended

    async def find(self, id: str) -> Session | None:
        """The session, unless it has expired."""
        found = await self._sessions.get(id)
        if found is None or found.value.expires_at <= self._clock.now():
            return None
        return found.value

    async def sweep(self) -> int:
        """Remove expired sessions; how many."""
        now = instant_text(self._clock.now())
        expired = await self._sessions.find(
            Query((Where("expires_at", Op.LE, now),), order_by="expires_at", limit=_SWEEP_BATCH)
        )
        for row in expired:
            await self._sessions.remove(row.value.id)
        return len(expired)


def session_id(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def csrf_token(cookie: MutableMapping[str, Any]) -> str:
    """The token that forms of this browser carry; made at the first form, before anybody is signed in."""
    token = cookie.get(CSRF)
    if not isinstance(token, str):
        token = secrets.token_urlsafe(32)
        cookie[CSRF] = token
    return token


def carries_csrf(cookie: Mapping[str, Any], sent: str | None) -> bool:
    token = cookie.get(CSRF)
    return isinstance(token, str) and sent is not None and secrets.compare_digest(token.encode(), sent.encode())
