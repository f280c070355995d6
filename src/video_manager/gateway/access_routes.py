"""Who am I, users, keys and the audit log over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from video_manager.domain.access import ApiKey, AuditEntry, Right, Role, User
from video_manager.gateway.access import AccessService
from video_manager.gateway.login import client_address
from video_manager.gateway.passwords import MAX_LENGTH, MIN_LENGTH
from video_manager.gateway.sessions import TOKEN, csrf_token
from video_manager.repository import Loaded
from video_manager.web import CurrentActor, Cursor, ExpectedRevision, Items, Limit, RequestIds, set_etag


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Me(BaseModel):
    """`csrf_token` is for pages that ride on a session: send it as X-CSRF-Token with every change."""

    id: str
    name: str
    role: Role | None
    rights: list[Right]
    csrf_token: str | None = None


class UserOut(BaseModel):
    id: str
    name: str
    role: Role
    email: str | None
    disabled: bool
    created_at: datetime


NewPassword = Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]


class UserIn(_In):
    name: str = Field(min_length=1, max_length=100, description="Letters a-z, digits and . _ @ + -")
    password: NewPassword
    role: Role
    email: str | None = Field(None, max_length=300)


class UserChange(_In):
    """Only what is given changes; an empty `email` removes it."""

    role: Role | None = None
    disabled: bool | None = None
    email: str | None = Field(None, max_length=300)
    password: NewPassword | None = None


class PasswordChange(_In):
    current_password: str = Field(max_length=4096)
    new_password: NewPassword


class CalendarOut(BaseModel):
    """`address` is shown once, when it is made."""

    active: bool
    address: str | None = None


class KeyOut(BaseModel):
    """`prefix` recognises the key: it starts with `vm_PREFIX_`."""

    id: str
    name: str
    role: Role
    prefix: str
    created_by: str
    created_at: datetime
    revoked_at: datetime | None


class KeyIn(_In):
    name: str = Field(min_length=1, max_length=100)
    role: Role


class NewKeyOut(KeyOut):
    key: str = Field(description="What the program sends as `Authorization: Bearer KEY`. Shown this once.")


def access_routes(access: AccessService) -> APIRouter:
    router = APIRouter(tags=["access"])
    router.include_router(_me_routes(access))
    router.include_router(_user_routes(access))
    router.include_router(_key_routes(access))

    @router.get("/audit")
    async def audit(
        actor: CurrentActor,
        subject: Annotated[str | None, Query(max_length=200)] = None,
        actor_id: Annotated[str | None, Query(max_length=200)] = None,
        action: Annotated[str | None, Query(max_length=200)] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Items[AuditEntry]:
        """Who did what, the newest first."""
        page = await access.audit.page(
            actor, subject=subject, actor_id=actor_id, action=action, cursor=cursor, limit=limit
        )
        return Items(items=list(page.items), next=page.next)

    return router


def _me_routes(access: AccessService) -> APIRouter:
    router = APIRouter()

    @router.get("/me")
    async def me(request: Request, actor: CurrentActor) -> Me:
        rights = [right for right in Right if actor.may(right)]
        return Me(id=actor.id, name=actor.name, role=actor.role, rights=rights, csrf_token=_csrf_of(request))

    @router.post("/me/password", status_code=204)
    async def change_password(request: Request, actor: CurrentActor, body: PasswordChange) -> None:
        """Ends every session of yours but this one."""
        cookie = request.session if TOKEN in request.session else None
        await access.change_password(actor, cookie, body.current_password, body.new_password, client_address(request))

    @router.get("/me/calendar")
    async def calendar(actor: CurrentActor) -> CalendarOut:
        """Whether your calendar has an address."""
        return CalendarOut(active=await access.calendars.has_one(actor))

    @router.post("/me/calendar", status_code=201)
    async def make_calendar(actor: CurrentActor) -> CalendarOut:
        """A new secret address to subscribe to; the one before stops working."""
        return CalendarOut(active=True, address=await access.calendars.make(actor))

    @router.delete("/me/calendar", status_code=204)
    async def end_calendar(actor: CurrentActor) -> None:
        """Your address stops working."""
        await access.calendars.end(actor)

    return router


def _user_routes(access: AccessService) -> APIRouter:
    router = APIRouter(prefix="/users")

    @router.get("")
    async def users(actor: CurrentActor, cursor: Cursor = None, limit: Limit = 50) -> Items[UserOut]:
        page = await access.users.page(actor, cursor, limit)
        return Items(items=[_user_out(row.value) for row in page.items], next=page.next)

    @router.post("", status_code=201)
    async def create_user(actor: CurrentActor, body: UserIn, new_id: RequestIds, response: Response) -> UserOut:
        made = await access.users.create(actor, new_id("user"), body.name, body.password, body.role, body.email)
        response.headers["Location"] = f"/api/v1/users/{made.value.id}"
        return _shown(made, response)

    @router.get("/{user_id}")
    async def user(actor: CurrentActor, user_id: str, response: Response) -> UserOut:
        return _shown(await access.users.get(actor, user_id), response)

    @router.patch("/{user_id}")
    async def change_user(
        actor: CurrentActor, user_id: str, body: UserChange, revision: ExpectedRevision, response: Response
    ) -> UserOut:
        changed = await access.users.change(
            actor, user_id, role=body.role, disabled=body.disabled, email=body.email, password=body.password,
            expected_revision=revision,
        )  # fmt: skip
        return _shown(changed, response)

    @router.delete("/{user_id}", status_code=204)
    async def remove_user(actor: CurrentActor, user_id: str, revision: ExpectedRevision) -> None:
        await access.users.remove(actor, user_id, revision)

    return router


def _key_routes(access: AccessService) -> APIRouter:
    router = APIRouter(prefix="/keys")

    @router.get("")
    async def keys(actor: CurrentActor, cursor: Cursor = None, limit: Limit = 50) -> Items[KeyOut]:
        page = await access.keys.page(actor, cursor, limit)
        return Items(items=[_key_out(row.value) for row in page.items], next=page.next)

    @router.post("", status_code=201)
    async def create_key(actor: CurrentActor, body: KeyIn, new_id: RequestIds, response: Response) -> NewKeyOut:
        """The answer holds the key; it is shown this once."""
        made = await access.keys.create(actor, new_id("key"), body.name, body.role)
        # Also keeps the answer out of the records of Idempotency-Key.
        response.headers["Cache-Control"] = "no-store"
        set_etag(response, made.key.revision)
        return NewKeyOut(key=made.text, **_key_out(made.key.value).model_dump())

    @router.delete("/{key_id}", status_code=204)
    async def revoke_key(actor: CurrentActor, key_id: str, revision: ExpectedRevision) -> None:
        """The key stops working at once; it stays in the list."""
        await access.keys.revoke(actor, key_id, revision)

    return router


def _csrf_of(request: Request) -> str | None:
    return csrf_token(request.session) if TOKEN in request.session else None


def _shown(user: Loaded[User], response: Response) -> UserOut:
    set_etag(response, user.revision)
    return _user_out(user.value)


def _user_out(user: User) -> UserOut:
    return UserOut(**user.model_dump(include=set(UserOut.model_fields)))


def _key_out(key: ApiKey) -> KeyOut:
    return KeyOut(**key.model_dump(include=set(KeyOut.model_fields)))
