"""Deny by default: nothing behind this middleware sees a request without an actor, except what is listed as public."""

from collections.abc import Awaitable, Callable, Sequence
from typing import cast
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from video_manager.domain.access import Actor
from video_manager.errors import Forbidden, Unauthenticated
from video_manager.gateway.access import AccessService
from video_manager.gateway.origins import Origins
from video_manager.gateway.problems import problem_response
from video_manager.gateway.sessions import carries_csrf

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
CSRF_HEADER = "x-csrf-token"

Recheck = Callable[[], Awaitable[Actor | None]]

_PUBLIC: dict[str, frozenset[str]] = {
    "/login": frozenset({"GET", "HEAD", "POST"}),
    "/logout": frozenset({"POST"}),
    "/health/live": frozenset({"GET", "HEAD"}),
    "/health/ready": frozenset({"GET", "HEAD"}),
    "/health/work": frozenset({"GET", "HEAD"}),
    "/metrics": frozenset({"GET", "HEAD"}),  # decides for itself: loopback or an administrator
}


class Guard:
    """Pure ASGI, inside the session middleware. Puts the Actor into `scope["state"]["actor"]` and a way to ask again
    into `scope["state"]["recheck"]`, for connections that stay open.

    A request that rides on a session cookie must prove that one of our own pages made it: when its method is
    unsafe, and for every websocket. Requests with a key need not: a browser never adds those by itself."""

    def __init__(self, app: ASGIApp, access: AccessService, origins: Origins, public: Sequence[BaseRoute] = ()) -> None:
        self._app = app
        self._access = access
        self._origins = origins
        self._public = tuple(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        bearer = _bearer(headers)
        recheck = self._recheck(scope, bearer)
        actor = await recheck()
        state = scope.setdefault("state", {})
        state["actor"], state["recheck"] = actor, recheck
        if self._is_public(scope):
            await self._app(scope, receive, send)
        elif actor is None:
            await self._refuse(scope, receive, send, bearer)
        elif bearer is None and not self._made_by_our_page(scope, headers):
            error = Forbidden(
                "this request rides on a session but does not come from one of our own pages; "
                "send the session's token as X-CSRF-Token, or use an API key"
            )
            await _answer(problem_response(scope, error), scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _recheck(self, scope: Scope, bearer: str | None) -> Recheck:
        if bearer is not None:
            return lambda: self._access.actor_of_bearer(bearer)
        return lambda: self._access.actor_of_session(scope.get("session", {}))

    def _is_public(self, scope: Scope) -> bool:
        if scope["type"] != "http":
            return False
        if scope["method"] in _PUBLIC.get(scope["path"], ()):
            return True
        return any(route.matches(scope)[0] is Match.FULL for route in self._public)

    def _made_by_our_page(self, scope: Scope, headers: Headers) -> bool:
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return True
        proof = self._origins.proves_same_origin(headers)
        if proof is not None:
            return proof
        return scope["type"] == "http" and carries_csrf(scope.get("session", {}), headers.get(CSRF_HEADER))

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, bearer: str | None) -> None:
        if scope["type"] == "http" and bearer is None and _wants_page(scope):
            target = scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
            response: Response = RedirectResponse(f"/login?next={quote(target, safe='/')}", status_code=303)
        else:
            wrong_key = "this API key is unknown, wrong or revoked; ask an administrator for another"
            missing = "sign in, or send an API key as `Authorization: Bearer KEY`"
            response = problem_response(scope, Unauthenticated(missing if bearer is None else wrong_key))
        await _answer(response, scope, receive, send)


async def _answer(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        # Closing before accepting makes the server answer the handshake with 403.
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
    else:
        await response(scope, receive, send)


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _wants_page(scope: Scope) -> bool:
    accept = Headers(scope=scope).get("accept", "")
    return (
        scope["method"] in ("GET", "HEAD")
        and "text/html" in accept
        and not cast(str, scope["path"]).startswith("/api/")
    )
