"""Signing in, and who is behind a request."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import timedelta
from typing import Any

from video_manager.domain.access import COMMAND_LINE, SYSTEM, Actor, Role, User
from video_manager.domain.model import derived_id
from video_manager.errors import InvalidInput, SettingsError, Unauthenticated
from video_manager.gateway.audit import AuditLog
from video_manager.gateway.calendar_tokens import CalendarTokens
from video_manager.gateway.keys import Keys
from video_manager.gateway.passwords import Passwords, check_new_password
from video_manager.gateway.sessions import TOKEN, Session, Sessions, session_id
from video_manager.gateway.throttle import Throttle
from video_manager.gateway.users import Users
from video_manager.ports import Clock, DocumentStore
from video_manager.settings import Settings
from video_manager.turns import Turns

CACHE_SECONDS = 3.0
"""How long a checked credential is believed. Changes made through this object are seen at once."""

_CACHE_SIZE = 2000
_FIRST_USER = "admin"


class AccessService:
    """`users`, `keys` and `audit` hold the use cases of administration; here is what the guard, the login page and
    the studio need. `cli_token` (see local_secrets) authenticates the command line on this machine."""

    def __init__(
        self, store: DocumentStore, clock: Clock, settings: Settings, cli_token: str | None = None,
        passwords: Passwords | None = None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._settings = settings
        self._passwords = passwords or Passwords()
        self._cli_token = cli_token
        self._throttle = Throttle(store, clock, settings.login_attempts_per_minute)
        self._turns = Turns(store, clock)
        self._sessions = Sessions(store, clock, timedelta(hours=settings.session_hours))
        self._known: OrderedDict[str, tuple[Actor, float]] = OrderedDict()
        self.audit = AuditLog(store, clock)
        self.users = Users(store, self.audit, self._passwords, clock, self._turns, self.forget_checks)
        self.keys = Keys(store, self.audit, clock, self.forget_checks)
        self.calendars = CalendarTokens(self.users, self.audit, settings.base_url)

    async def open(self) -> None:
        """Make the collections if they are missing."""
        for part in (self.audit, self.users, self.keys, self._sessions, self._throttle, self._turns):
            await part.open()

    async def record(self, actor: Actor, action: str, subject: str, detail: str = "") -> None:
        """Write to the audit log; handed to other services as their `audit`."""
        await self.audit.record(actor, action, subject, detail)

    # ---- signing in and out ----------------------------------------------------------------------------

    async def sign_in(self, cookie: MutableMapping[str, Any], name: str, password: str, address: str) -> Actor:
        """Check the password and put a new session into the cookie. Raises TooManyRequests after too many failures
        from this address, Unauthenticated with the same words and in the same time for every other reason."""
        await self._throttle.begin(address)
        user = await self.users.by_name(name[:200])
        right = await self._passwords.matches(password, user.password_hash if user else None)
        if user is None or not right or user.disabled:
            # A name nobody has may be a password typed into the wrong field: not written down.
            who = user.name if user else "an unknown name"
            await self.audit.record(SYSTEM, "sign-in.failed", user.id if user else "", f"{who} from {address}")
            raise Unauthenticated("the name or the password is wrong")
        await self._throttle.forgive(address)
        if self._passwords.is_outdated(user.password_hash):
            await self.users.store_hash(user.id, user.password_hash, await self._passwords.hash(password))
        actor = _person(user)
        await self.audit.record(actor, "sign-in", user.id, f"from {address}")
        await self.sign_out(cookie)
        await self._sessions.begin(cookie, user)
        return actor

    async def sign_out(self, cookie: MutableMapping[str, Any]) -> None:
        """End the session: its pages, its copies and its open connections lose their rights."""
        ended = await self._sessions.end(cookie)
        if ended is not None:
            self._known.pop(ended, None)

    async def change_password(
        self, actor: Actor, cookie: MutableMapping[str, Any] | None, current: str, new: str, address: str
    ) -> None:
        """Ends all sessions of the user; the browser that asked (`cookie`) gets a new one."""
        await self._throttle.begin(address)
        user = (await self.users.change_own_password(actor, current, new)).value
        await self._throttle.forgive(address)
        if cookie is not None:
            await self.sign_out(cookie)
            await self._sessions.begin(cookie, user)

    # ---- who is asking -----------------------------------------------------------------------------------

    async def actor_of_session(self, cookie: Mapping[str, Any]) -> Actor | None:
        """The signed-in person behind a session cookie. The studio asks this again inside its handlers: a page that
        is still open after a sign-out, a lowered role or a disabled account must lose its rights."""
        token = cookie.get(TOKEN)
        if not isinstance(token, str):
            return None
        id = session_id(token)
        return await self._believed(id, lambda: self._check_session(id))

    async def actor_of_bearer(self, token: str) -> Actor | None:
        """Whom an API key, or this machine's CLI token, stands for."""
        if self._cli_token is not None and hmac.compare_digest(token.encode(), self._cli_token.encode()):
            return Actor(id=COMMAND_LINE, name=COMMAND_LINE, role=Role.ADMIN)
        id = "bearer:" + hashlib.sha256(token.encode()).hexdigest()
        return await self._believed(id, lambda: self.keys.actor_of(token))

    def forget_checks(self) -> None:
        """Check every credential anew: happens after each change to users and keys."""
        self._known.clear()

    # ---- start and upkeep ---------------------------------------------------------------------------------

    async def ensure_first_admin(self) -> str | None:
        """Make the account `admin` when there are no users, with the password of the setting or a random one.
        Returns the password, to be shown once, or None when there was nothing to do. Who missed it sets a new one
        by the command line on this machine. Raises SettingsError for a setting that is too easy to guess."""
        if await self.users.exist():
            return None
        given = self._settings.admin_password
        if given is not None:
            _check_setting(given.get_secret_value())
        password = given.get_secret_value() if given else "-".join(secrets.token_hex(2) for _ in range(5))
        user = User(
            # A fixed id: of two processes that start at once, one makes it.
            id=derived_id("first-admin"), name=_FIRST_USER, role=Role.ADMIN,
            password_hash=await self._passwords.hash(password), created_at=self._clock.now(),
        )  # fmt: skip
        if not await self.users.add_first(user):
            return None
        await self.audit.record(SYSTEM, "user.create", user.id, "the first administrator")
        return password

    async def sweep(self) -> int:
        """Remove expired sessions and forgotten sign-ins; how many."""
        return await self._sessions.sweep() + await self._throttle.sweep()

    async def _check_session(self, id: str) -> Actor | None:
        session: Session | None = await self._sessions.find(id)
        user = await self.users.by_id(session.user_id) if session else None
        if session is None or user is None or user.disabled or user.session_epoch != session.session_epoch:
            return None
        return _person(user)

    async def _believed(self, id: str, check: Callable[[], Awaitable[Actor | None]]) -> Actor | None:
        known = self._known.get(id)
        if known is not None and self._clock.monotonic() < known[1]:
            return known[0]
        self._known.pop(id, None)
        actor = await check()
        if actor is not None:
            self._known[id] = (actor, self._clock.monotonic() + CACHE_SECONDS)
            while len(self._known) > _CACHE_SIZE:
                self._known.popitem(last=False)
        return actor


def _check_setting(password: str) -> None:
    try:
        check_new_password(password, _FIRST_USER)
    except InvalidInput as error:
        reasons = "; ".join(item.reason for item in error.errors)
        raise SettingsError(f"VIDEO_MANAGER_ADMIN_PASSWORD: {reasons}") from error


def _person(user: User) -> Actor:
    return Actor(id=user.id, name=user.name, role=user.role)
