"""What every `routes.py` shares: who is asking, pages, revisions as ETags, ids that survive a repeated request."""

import uuid
from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel

from video_manager.domain.access import Actor
from video_manager.domain.model import derived_id
from video_manager.errors import InvalidInput, Unauthenticated

ItemT = TypeVar("ItemT")


class Items(BaseModel, Generic[ItemT]):
    """One page: `next` is the cursor of the following page, null on the last."""

    items: list[ItemT]
    next: str | None = None


def current_actor(request: Request) -> Actor:
    """The actor that the gateway's guard put on the request. Raises Unauthenticated when there is none."""
    actor = getattr(request.state, "actor", None)
    if not isinstance(actor, Actor):
        raise Unauthenticated("sign in, or send an API key as `Authorization: Bearer KEY`")
    return actor


CurrentActor = Annotated[Actor, Depends(current_actor)]

_REVISION_DIGITS = 18
"""Longer numbers are no revision of ours, and too large for a database."""

NewId = Callable[..., str]
"""Makes the id of a created object. Parts (`new_id("video", 0)`) tell several objects of one request apart."""


def random_ids(*_parts: str | int) -> str:
    return uuid.uuid4().hex


def request_ids(
    request: Request,
    actor: CurrentActor,
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=200, description="Repeat a request safely with the same key.")
    ] = None,
) -> NewId:
    """With an `Idempotency-Key` the ids derive from it, so that a repeated request creates nothing again."""
    if idempotency_key is None:
        return random_ids
    scope = ("idempotency", actor.id, request.method, request.url.path, idempotency_key)
    return lambda *parts: derived_id(*scope, *parts)


RequestIds = Annotated[NewId, Depends(request_ids)]


def expected_revision(
    if_match: Annotated[str | None, Header(description="The ETag that was read; a stale one is refused.")] = None,
) -> int | None:
    """The revision in `If-Match`; None when there is none or it is `*`. Raises InvalidInput when malformed."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) <= _REVISION_DIGITS):
        raise InvalidInput.field("If-Match", f'expected an ETag as this API gives it, such as "7", not {if_match!r}')
    return int(text)


ExpectedRevision = Annotated[int | None, Depends(expected_revision)]


def set_etag(response: Response, revision: int) -> None:
    response.headers["ETag"] = f'"{revision}"'


Cursor = Annotated[str | None, Query(max_length=500, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200, description="Most items on a page.")]
