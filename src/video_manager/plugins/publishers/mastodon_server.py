"""Signing in at a Mastodon server that a person named: what it supports, and the product's own app there.

As docs.joinmastodon.org has it (methods/apps, methods/oauth). PKCE and the metadata came with release 4.3; at older
servers people sign in without. Before 4.3 a server threw apps away that had no token: asking whether it knows the app,
by a token for the app itself, is also what keeps it.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from video_manager.errors import InvalidInput, RetryableError
from video_manager.plugins.api import OAuth, OAuthApp, PublisherContext
from video_manager.plugins.platform_http import Api, words

SCOPES = ("read:accounts", "read:statuses", "write:media", "write:statuses")
OAUTH = OAuth(
    authorize_url="/oauth/authorize", token_url="/oauth/token", scopes=SCOPES, needed=SCOPES, pkce=False,  # noqa: S106
    # Else who has agreed before comes back as the same account, without being asked.
    authorize_parameters={"force_login": "true"},
)  # fmt: skip
"""Its addresses are those on each server."""
METADATA = "/.well-known/oauth-authorization-server"
CLIENT_NAME = "video-manager"
_JUDGED = frozenset(range(200, 500)) - {408, 429}
"""The answers that say something of the server; the others are about this moment."""
_LONGEST = 2000
_ADDRESS = re.compile(r"https://[^/?#\s@]+/?")
_TOKEN_INSTEAD = "make an access token there (Preferences > Development) and enter it instead"  # noqa: S105 - a text


def address_of(server: str) -> str:
    """A server's address as all its ways are written: no capitals, no slash at the end. Raises ValueError."""
    try:
        url = httpx.URL(server)
    except httpx.InvalidURL as error:
        raise ValueError(f"is no address: {error}") from error
    host = url.raw_host.decode("ascii").lower()
    if not host or url.userinfo:
        raise ValueError("is no address of a server")
    host = f"[{host}]" if ":" in host else host
    return f"https://{host}" if url.port in (None, 443) else f"https://{host}:{url.port}"


def completed(written: str) -> str:
    """An address as a person wrote it, perhaps without https. Raises ValueError."""
    server = written.strip() if "://" in written else f"https://{written.strip()}"
    if not _ADDRESS.fullmatch(server):
        raise ValueError("must be the address of a server, such as https://mastodon.social")
    address_of(server)
    return server


def oauth_of(server: str) -> OAuth:
    """Where people sign in at a server. Raises ValueError."""
    base = address_of(server)
    return replace(
        OAUTH, authorize_url=base + OAUTH.authorize_url, token_url=base + OAUTH.token_url, issuer=base
    )  # fmt: skip


class MastodonServer:
    """A SignInServer (see plugins/signing_in.py)."""

    def __init__(self, server: str, context: PublisherContext) -> None:
        self._base = address_of(server)
        self._context = context

    async def described(self) -> OAuth:
        way, said = oauth_of(self._base), await self._metadata()
        methods = said.get("code_challenge_methods_supported")
        return replace(
            way, pkce=isinstance(methods, list) and "S256" in methods, issuer=str(said.get("issuer") or way.issuer),
            names_issuer=said.get("authorization_response_iss_parameter_supported") is True,
        )  # fmt: skip

    async def _metadata(self) -> Mapping[str, Any]:
        """Empty where there is none, and where it is another server's: that is not to be used (RFC 8414, 3.3)."""
        found = _object(await self._call("GET", METADATA))
        return found if str(found.get("issuer", "")).rstrip("/") == self._base else {}

    async def register(self, redirect_url: str) -> OAuthApp:
        asked = {"client_name": CLIENT_NAME, "redirect_uris": redirect_url, "scopes": " ".join(SCOPES)}
        answer = await self._call("POST", "/api/v1/apps", data=asked)
        made = _object(answer)
        id, secret = made.get("client_id"), made.get("client_secret")
        if answer.is_success and _is_text(id) and _is_text(secret):
            return OAuthApp(str(id), str(secret))
        raise _refusal(answer)

    async def knows(self, app: OAuthApp) -> bool:
        asked = {
            "grant_type": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret,
            "scope": SCOPES[0],
        }  # fmt: skip
        answer = await self._call("POST", OAUTH.token_url, hidden=app.client_secret, data=asked)
        return _object(answer).get("error") != "invalid_client"

    async def _call(self, method: str, path: str, hidden: str = "", **request: Any) -> httpx.Response:
        api = Api(self._context, "the server", hidden=(hidden,) if hidden else ())
        try:
            return await api.call(method, self._base + path, signed=False, ok=_JUDGED, **request)
        except RetryableError as error:
            if isinstance(error.__cause__, httpx.ConnectError):
                raise _wrong(f"leads to no server that can be reached: {error.__cause__}") from error
            raise


def _refusal(answer: httpx.Response) -> InvalidInput:
    """Why there is no app."""
    if answer.is_redirect:
        to = answer.headers.get("Location", "")[:200]
        return _wrong(f"sends on to {to!r}: enter the address that the server has at the end")
    if answer.status_code in (401, 403):
        return _wrong(f"does not let apps register by themselves ({words(answer)}): {_TOKEN_INSTEAD}")
    if answer.status_code in (400, 422) and _object(answer):
        return _wrong(f"refused to register an app ({words(answer)}): {_TOKEN_INSTEAD}")
    return _wrong(
        "is no Mastodon server, nor one that speaks its API: asked to register an app, it answered "
        f"{answer.status_code}"
    )


def _wrong(reason: str) -> InvalidInput:
    return InvalidInput.field("options.server", reason)


def _object(answer: httpx.Response) -> Mapping[str, Any]:
    """The JSON object that was answered; empty for anything else."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST
