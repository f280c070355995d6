"""API keys: how programs sign in. A key looks like `vm_PREFIX_SECRET`; only the hash of the secret is stored."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from video_manager.domain.access import Actor, ApiKey, Right, Role
from video_manager.errors import InvalidInput
from video_manager.gateway.audit import AuditLog
from video_manager.ports import Clock, CollectionSpec, DocumentStore, Op, Where
from video_manager.repository import Loaded, Page, Repository

KEYS = CollectionSpec("keys", indexed=("created_at", "name"), unique=("prefix",))

_SHAPE = re.compile(r"vm_([0-9a-f]{10})_([0-9a-f]{48})")


@dataclass(frozen=True)
class NewKey:
    """A key just made: `text` is what the program sends, shown this once."""

    key: Loaded[ApiKey]
    text: str


class Keys:
    def __init__(self, store: DocumentStore, audit: AuditLog, clock: Clock, on_change: Callable[[], None]) -> None:
        self._keys = Repository(store, KEYS, ApiKey)
        self._audit = audit
        self._clock = clock
        self._on_change = on_change

    async def open(self) -> None:
        await self._keys.register()

    async def page(self, actor: Actor, cursor: str | None = None, limit: int = 50) -> Page[Loaded[ApiKey]]:
        actor.require(Right.ADMINISTER)
        return await self._keys.page(order_by="created_at", descending=True, limit=limit, cursor=cursor)

    async def create(self, actor: Actor, key_id: str, name: str, role: Role) -> NewKey:
        """Raises AlreadyExists for an id that was used before: its secret was shown and is not kept."""
        actor.require(Right.ADMINISTER)
        name = name.strip()
        if not 1 <= len(name) <= 100:
            raise InvalidInput.field("name", "must have 1 to 100 characters and say what uses the key")
        prefix, secret = secrets.token_hex(5), secrets.token_hex(24)
        key = ApiKey(
            id=key_id, name=name, role=role, prefix=prefix, secret_sha256=_digest(secret), created_by=actor.id,
            created_at=self._clock.now(),
        )  # fmt: skip
        async with self._audit.about_to(actor, "key.create", key_id, f"{name} as {role}"):
            return NewKey(await self._keys.add(key), f"vm_{prefix}_{secret}")

    async def revoke(self, actor: Actor, key_id: str, expected_revision: int | None = None) -> None:
        """The key stops working at once and stays in the list. Again without effect. Raises NotFound."""
        actor.require(Right.ADMINISTER)
        key = (await self._keys.load(key_id)).value
        if key.revoked_at is not None:
            return
        now = self._clock.now()
        async with self._audit.about_to(actor, "key.revoke", key_id, key.name):
            await self._keys.change(
                key_id,
                lambda current: current if current.revoked_at else current.with_(revoked_at=now),
                expected_revision=expected_revision,
            )
        self._on_change()

    async def actor_of(self, text: str) -> Actor | None:
        """Whom a key stands for; None when it is unknown, wrong or revoked."""
        shape = _SHAPE.fullmatch(text)
        if shape is None:
            return None
        found = await self._keys.first(Where("prefix", Op.EQ, shape[1]))
        if found is None or found.value.revoked_at is not None:
            return None
        if not hmac.compare_digest(found.value.secret_sha256, _digest(shape[2])):
            return None
        return Actor(id=found.value.id, name=f"key {found.value.name}", role=found.value.role)


def _digest(secret: str) -> str:
    # A plain hash is enough: the secret has 192 random bits, there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
