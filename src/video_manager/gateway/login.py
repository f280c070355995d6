"""The login page. A plain form: the studio's websocket cannot set cookies."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from video_manager.domain.access import Actor
from video_manager.errors import Forbidden, TooManyRequests, Unauthenticated, VideoManagerError
from video_manager.gateway.access import AccessService
from video_manager.gateway.login_page import render_login
from video_manager.gateway.origins import Origins
from video_manager.gateway.sessions import carries_csrf, csrf_token

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}


def login_routes(access: AccessService, origins: Origins) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.api_route("/login", methods=["GET", "HEAD"])
    async def show(request: Request, next: str = "/") -> Response:
        if isinstance(getattr(request.state, "actor", None), Actor):
            return RedirectResponse(local_target(next), status_code=303)
        return _page(request, next)

    @router.post("/login")
    async def sign_in(
        request: Request,
        name: Annotated[str, Form(max_length=200)] = "",
        password: Annotated[str, Form(max_length=4096)] = "",
        csrf: Annotated[str, Form(max_length=200)] = "",
        next: Annotated[str, Form(max_length=2000)] = "/",
    ) -> Response:
        if origins.proves_same_origin(request.headers) is False or not carries_csrf(request.session, csrf):
            # Also an honest form whose cookie ran out: a fresh form is all that is needed.
            return _page(request, next, name, Forbidden("this form was too old; please try again"))
        try:
            await access.sign_in(request.session, name, password, client_address(request))
        except (Unauthenticated, TooManyRequests) as error:
            return _page(request, next, name, error)
        return RedirectResponse(local_target(next), status_code=303)

    @router.post("/logout")
    async def sign_out(request: Request, csrf: Annotated[str, Form(max_length=200)] = "") -> Response:
        if not (origins.proves_same_origin(request.headers) or carries_csrf(request.session, csrf)):
            raise Forbidden("this sign-out does not come from one of our own pages; open the studio and sign out there")
        await access.sign_out(request.session)
        return RedirectResponse("/login", status_code=303)

    return router


def local_target(next: str) -> str:
    """Where to go after signing in: a path on this system, or the start page for anything else."""
    unsafe = any(ord(letter) < 33 or letter == "\\" for letter in next)
    parts = None if unsafe or not next.startswith("/") or next.startswith("//") else urlsplit(next)
    if parts is None or parts.scheme or parts.netloc or parts.path in ("/login", "/logout"):
        return "/"
    return next


def client_address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _page(request: Request, next: str, name: str = "", error: VideoManagerError | None = None) -> HTMLResponse:
    headers = dict(_HEADERS)
    retry_after = getattr(error, "retry_after_seconds", None)
    if retry_after is not None:
        headers["Retry-After"] = str(max(1, round(retry_after)))
    page = render_login(csrf_token(request.session), local_target(next), name, error.detail if error else None)
    return HTMLResponse(page, error.status if error else 200, headers)
