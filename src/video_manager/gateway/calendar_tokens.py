"""Secret calendar addresses: calendar programs cannot sign in, so a person's address carries a token that may read and
nothing else. Only its hash is stored, with the account; a new one ends the one before."""

import hashlib
import hmac
import re
import secrets
from urllib.parse import urlencode

from video_manager.domain.access import Actor, Role
from video_manager.gateway.audit import AuditLog
from video_manager.gateway.users import Users

PATH = "/calendar.ics"
_SHAPE = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9a-f]{48})")


class CalendarTokens:
    def __init__(self, users: Users, audit: AuditLog, base_url: str) -> None:
        self._users = users
        self._audit = audit
        self._base_url = base_url

    async def has_one(self, actor: Actor) -> bool:
        user = await self._users.by_id(actor.id)
        return user is not None and user.calendar_sha256 is not None

    async def make(self, actor: Actor) -> str:
        """The new address, shown this once. Raises Forbidden for a key: the address belongs to a person."""
        secret = secrets.token_hex(24)
        async with self._audit.about_to(actor, "calendar.make", actor.id):
            await self._users.keep_calendar(actor, _digest(secret))
        return f"{self._base_url}{PATH}?{urlencode({'token': f'{actor.id}.{secret}'})}"

    async def end(self, actor: Actor) -> None:
        """The address stops working at once. Again without effect."""
        async with self._audit.about_to(actor, "calendar.end", actor.id):
            await self._users.keep_calendar(actor, None)

    async def actor_of(self, token: str) -> Actor | None:
        """Whose calendar it is, with the right to view only; None for a token that is wrong, or was ended."""
        shape = _SHAPE.fullmatch(token)
        user = await self._users.by_id(shape[1]) if shape else None
        if shape is None or user is None or user.disabled or user.calendar_sha256 is None:
            return None
        if not hmac.compare_digest(user.calendar_sha256, _digest(shape[2])):
            return None
        return Actor(id=user.id, name=user.name, role=Role.VIEWER)


def _digest(secret: str) -> str:
    # A plain hash is enough: the secret has 192 random bits, there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
