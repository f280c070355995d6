"""People's accounts: who may sign in, and in which role."""

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from video_manager.domain.access import Actor, Right, Role, User
from video_manager.errors import AlreadyExists, Conflict, Forbidden, InvalidInput
from video_manager.gateway.audit import AuditLog
from video_manager.gateway.passwords import Passwords, check_new_password
from video_manager.ports import Clock, CollectionSpec, DocumentStore, Op, Where
from video_manager.repository import Loaded, Page, Repository
from video_manager.turns import Turns

USERS = CollectionSpec("users", indexed=("name", "role", "disabled"), unique=("name",))

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def normal_name(name: str) -> str:
    """Names are compared without regard to case or surrounding spaces."""
    return name.strip().lower()


class Users:
    """Use cases about accounts. Changes to an account reach its sessions within seconds; a new password, a
    disabled account and a lowered role end them."""

    def __init__(
        self, store: DocumentStore, audit: AuditLog, passwords: Passwords, clock: Clock, turns: Turns,
        on_change: Callable[[], None],
    ) -> None:  # fmt: skip
        self._users = Repository(store, USERS, User)
        self._audit = audit
        self._passwords = passwords
        self._clock = clock
        self._on_change = on_change
        self._turns = turns

    async def open(self) -> None:
        await self._users.register()

    async def page(self, actor: Actor, cursor: str | None = None, limit: int = 50) -> Page[Loaded[User]]:
        actor.require(Right.ADMINISTER)
        return await self._users.page(order_by="name", limit=limit, cursor=cursor)

    async def get(self, actor: Actor, user_id: str) -> Loaded[User]:
        """An administrator sees everybody, everybody sees themselves. Raises NotFound."""
        if actor.id != user_id:
            actor.require(Right.ADMINISTER)
        return await self._users.load(user_id)

    async def create(
        self, actor: Actor, user_id: str, name: str, password: str, role: Role, email: str | None = None
    ) -> Loaded[User]:
        """Raises AlreadyExists when the name is taken; the same id again answers the account that is there."""
        actor.require(Right.ADMINISTER)
        name = normal_name(name)
        if not _NAME.fullmatch(name):
            raise InvalidInput.field(
                "name", "must have 1 to 100 letters a-z, digits or . _ @ + - and start with a letter or digit"
            )
        check_new_password(password, name)
        user = User(
            id=user_id, name=name, role=_person_role(role), password_hash=await self._passwords.hash(password),
            email=_address(email), created_at=self._clock.now(),
        )  # fmt: skip
        try:
            async with self._audit.about_to(actor, "user.create", user_id, f"{name} as {role}"):
                return await self._users.add(user)
        except AlreadyExists:
            there = await self._users.get(user_id)
            if there is not None and there.value.name == name:
                return there
            raise AlreadyExists(f"there is already a user {name!r}; choose another name") from None

    async def change(
        self, actor: Actor, user_id: str, *, role: Role | None = None, disabled: bool | None = None,
        email: str | None = None, password: str | None = None, expected_revision: int | None = None,
    ) -> Loaded[User]:  # fmt: skip
        """Change what is given. Raises Conflict when nobody would be left who may administer."""
        actor.require(Right.ADMINISTER)
        if role is not None:
            _person_role(role)
        email = _address(email)
        async with self._one_at_a_time():
            before = (await self._users.load(user_id)).value
            if (role not in (None, Role.ADMIN) or disabled) and await self._is_last_admin(before):
                raise Conflict(f"{before.name} is the last active administrator; make somebody else one first")
            password_hash = None
            if password is not None:
                check_new_password(password, before.name)
                password_hash = await self._passwords.hash(password)

            def decide(user: User) -> User:
                changed = user.with_(
                    role=role or user.role,
                    disabled=user.disabled if disabled is None else disabled,
                    email=user.email if email is None else (email or None),
                    password_hash=password_hash or user.password_hash,
                )
                ends_sessions = password_hash or changed.role != user.role or (changed.disabled and not user.disabled)
                return changed.with_(session_epoch=user.session_epoch + 1) if ends_sessions else changed

            what = {"role": role, "disabled": disabled, "email": email, "password": "new" if password else None}
            detail = ", ".join(f"{name}: {value}" for name, value in what.items() if value is not None)
            async with self._audit.about_to(actor, "user.change", user_id, f"{before.name}: {detail}"):
                changed = await self._users.change(user_id, decide, expected_revision=expected_revision)
        self._on_change()
        return changed

    async def remove(self, actor: Actor, user_id: str, expected_revision: int | None = None) -> None:
        """Raises NotFound, Conflict for the last administrator and for oneself."""
        actor.require(Right.ADMINISTER)
        async with self._one_at_a_time():
            user = (await self._users.load(user_id)).value
            if user.id == actor.id:
                raise Conflict("you cannot remove yourself; ask another administrator")
            if await self._is_last_admin(user):
                raise Conflict(f"{user.name} is the last active administrator; make somebody else one first")
            async with self._audit.about_to(actor, "user.remove", user_id, user.name):
                await self._users.remove(user_id, expected_revision)
        self._on_change()

    async def change_own_password(self, actor: Actor, current: str, new: str) -> Loaded[User]:
        """Ends every session of the user. Raises Forbidden for a wrong current password."""
        loaded = await self._users.get(actor.id)
        if loaded is None:
            raise Forbidden(f"{actor.name} is no user account and has no password; sign in as a person")
        if not await self._passwords.matches(current, loaded.value.password_hash):
            raise Forbidden("the current password is wrong; an administrator can set a new one")
        check_new_password(new, loaded.value.name, "new_password")
        password_hash = await self._passwords.hash(new)
        async with self._audit.about_to(actor, "user.password", actor.id, loaded.value.name):
            changed = await self._users.change(actor.id, lambda user: _next_epoch(user, password_hash))
        self._on_change()
        return changed

    async def keep_calendar(self, actor: Actor, sha256: str | None) -> None:
        """Replace the secret of the actor's own calendar address. Raises Forbidden for who is no user account."""
        if await self._users.get(actor.id) is None:
            raise Forbidden(f"{actor.name} is no user account and has no calendar; sign in as a person")
        await self._users.change(actor.id, lambda user: user.with_(calendar_sha256=sha256))

    # ---- for sign-in and the first start; no actor yet ---------------------------------------------------

    async def by_name(self, name: str) -> User | None:
        found = await self._users.first(Where("name", Op.EQ, normal_name(name)))
        return found.value if found else None

    async def by_id(self, user_id: str) -> User | None:
        found = await self._users.get(user_id)
        return found.value if found else None

    async def store_hash(self, user_id: str, old_hash: str, new_hash: str) -> None:
        """Replace an outdated hash of the same password, unless the password was changed meanwhile."""
        await self._users.change(
            user_id, lambda user: user.with_(password_hash=new_hash) if user.password_hash == old_hash else None
        )

    async def exist(self) -> bool:
        """Whether there is any account."""
        return await self._users.count() > 0

    async def add_first(self, user: User) -> bool:
        """False when another process was faster."""
        return await self._users.add_if_absent(user) is not None

    def _one_at_a_time(self) -> AbstractAsyncContextManager[None]:
        """Who is the last administrator is a rule about all accounts, so changes to them take turns, whatever gateway
        they come by."""
        return self._turns.hold("administrators")

    async def _is_last_admin(self, user: User) -> bool:
        if user.role is not Role.ADMIN or user.disabled:
            return False
        active = await self._users.count(Where("role", Op.EQ, Role.ADMIN), Where("disabled", Op.EQ, value=False))
        return active <= 1


def _next_epoch(user: User, password_hash: str) -> User:
    return user.with_(password_hash=password_hash, session_epoch=user.session_epoch + 1)


def _person_role(role: Role) -> Role:
    if role is Role.WORKER:
        raise InvalidInput.field("role", "worker is a role for API keys only; make a key with it instead")
    return role


def _address(email: str | None) -> str | None:
    """None: leave it; an empty text: remove it."""
    if email and not _EMAIL.fullmatch(email):
        raise InvalidInput.field("email", "must look like name@example.org")
    return email
