"""The sign-in of a Mastodon server: apps that register by themselves, the code flow, and what it tells of itself.

As docs.joinmastodon.org has it (methods/apps, methods/oauth) and as Mastodon configures Doorkeeper: tokens last, there
are no refresh tokens, an app gets the same token again for the same person and scopes, and scopes must be known.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.desk import Client, Desk, Refused, error

SCOPES = frozenset({
    "profile", "read", "read:accounts", "read:statuses", "write", "write:media", "write:statuses", "follow", "push",
})  # fmt: skip
"""Those that matter here; `profile` since 4.3."""
_KEY = "BJGht7R8h9FMwI4oZFyjwGx9_RmR0ylu5_XEVifgiVXM7h8XNEf8zbi4kc_52DVHv_TBinj7TY_Ahl_A6NmkEuI="


class MastodonDesk:
    """`old`: a server before 4.3, without metadata and PKCE. `closed`: it lets nobody register an app."""

    def __init__(self, now: Callable[[], float], host: str, account: str) -> None:
        self.desk = Desk(
            now, {account: f"@demo@{host}"}, access_seconds=None, refreshes=False, client_id="", reuses=True,
            also=lambda _grant: {"created_at": int(now())},
        )  # fmt: skip
        self.closed = False
        self._host = host
        self._old = False
        self.metadata: dict[str, Any] = {}
        """What it says of itself differently."""

    @property
    def old(self) -> bool:
        return self._old

    @old.setter
    def old(self, is_old: bool) -> None:
        self._old = self.desk.ignores_pkce = is_old

    def routes(self) -> list[BaseRoute]:
        return [
            *self.desk.routes("/oauth/authorize", "/oauth/token"),
            Route("/oauth/revoke", self._revoke, methods=["POST"]),
            Route("/api/v1/apps", self._register, methods=["POST"]),
            Route("/.well-known/oauth-authorization-server", self._describe, methods=["GET"]),
        ]

    def scopes_of(self, token: str) -> set[str] | None:
        """What a token that somebody signed in for allows; None: it is none."""
        try:
            return set(self.desk.holder(token).scopes)
        except Refused:
            return None

    def forget_apps(self) -> None:
        """As a server before 4.3 did with those that had no token, or one whose database was made anew."""
        self.desk.clients.clear()

    async def _register(self, request: Request) -> Response:
        if self.closed:
            return JSONResponse({"error": "This action is not allowed"}, 403)
        given = await _given(request)
        name, addresses, scopes = (str(given.get(one) or "") for one in ("client_name", "redirect_uris", "scopes"))
        fault = self._fault(name, addresses.split(), scopes.split())
        if fault:
            return JSONResponse({"error": f"Validation failed: {fault}"}, 422)
        client = Client(
            secrets.token_urlsafe(32), secrets.token_urlsafe(32), tuple(addresses.split()),
            frozenset(scopes.split() or ["read"]),
        )  # fmt: skip
        self.desk.clients[client.id] = client
        return JSONResponse(_credential_application(client, name, str(given.get("website") or "") or None))

    def _fault(self, name: str, addresses: Sequence[str], scopes: Sequence[str]) -> str | None:
        if not name:
            return "Application name can't be blank"
        if not addresses:
            return "Redirect URI can't be blank"
        if any(not urlsplit(one).scheme or not re.match(r"(urn:|https?://[^/])", one) for one in addresses):
            return "Redirect URI must be an absolute URI."
        known = SCOPES - {"profile"} if self.old else SCOPES
        return None if known.issuperset(scopes) else "Scopes doesn't match configured on the server."

    async def _revoke(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        client, token = self.desk.authenticated(request, form), form.get("token", "")
        if client is None or self.desk.client_of(token) not in (None, client.id):
            return error("unauthorized_client", 403)
        self.desk.drop(token)
        return JSONResponse({})

    async def _describe(self, _request: Request) -> Response:
        if self.old:
            return JSONResponse({"error": "Not Found"}, 404)
        page = f"https://{self._host}"
        return JSONResponse({
            "issuer": f"{page}/", "authorization_endpoint": f"{page}/oauth/authorize",
            "token_endpoint": f"{page}/oauth/token", "revocation_endpoint": f"{page}/oauth/revoke",
            "userinfo_endpoint": f"{page}/oauth/userinfo", "scopes_supported": sorted(SCOPES),
            "response_types_supported": ["code"], "response_modes_supported": ["query", "fragment", "form_post"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"], "service_documentation": "https://docs.joinmastodon.org/",
            "app_registration_endpoint": f"{page}/api/v1/apps", **self.metadata,
        })  # fmt: skip


def _credential_application(client: Client, name: str, website: str | None) -> dict[str, Any]:
    addresses = list(client.redirect_uris or ())
    return {
        "id": str(secrets.randbelow(10**9)), "name": name, "website": website, "scopes": sorted(client.scopes or ()),
        "redirect_uris": addresses, "vapid_key": _KEY, "redirect_uri": "\n".join(addresses),
        "client_id": client.id, "client_secret": client.secret, "client_secret_expires_at": 0,
    }  # fmt: skip


async def _given(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        given: dict[str, Any] = await request.json()
        return given
    return dict(await request.form())
