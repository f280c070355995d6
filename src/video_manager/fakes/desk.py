"""The sign-in desk of a fake platform: OAuth 2 code flow with PKCE, refresh tokens, scopes, and people who may untick
some of them. Strict: codes work once and for the app they were made for, redirects and scopes must be those registered,
verifiers must match."""

import base64
import hashlib
import html
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

CODE_SECONDS = 60.0
CLIENT_ID, CLIENT_SECRET = "demo-client", "demo-secret"
"""What an operator has registered at every fake platform."""


@dataclass(frozen=True)
class Grant:
    """What somebody agreed to. `account` is the platform's id of who."""

    account: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Client:
    """An app. None: it may use any redirect address, or ask for any scope."""

    id: str
    secret: str
    redirect_uris: tuple[str, ...] | None = None
    scopes: frozenset[str] | None = None


@dataclass
class _Code:
    grant: Grant
    client_id: str
    redirect_uri: str
    challenge: str | None
    at: float


@dataclass
class _Access:
    grant: Grant
    until: float | None
    client_id: str


class Refused(Exception):
    """The token is not valid (401) or lacks a scope (403); the platform words it in its own way."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass
class Desk:
    """`accounts` (id: name) may sign in; the first does, unless the page is told another. `rotates`: a refresh token
    works once and is replaced."""

    now: Callable[[], float]
    accounts: Mapping[str, str]
    access_seconds: float | None = 3600.0
    refreshes: bool = True
    rotates: bool = False
    needs_pkce: bool = False
    client_id_name: str = "client_id"
    scope_separator: str = " "
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    unticked: frozenset[str] = frozenset()
    """Scopes that the person does not grant."""
    also: Callable[[Grant], Mapping[str, Any]] = lambda _grant: {}
    """Further fields of a token answer."""
    clients: dict[str, Client] = field(default_factory=dict)
    """Further apps, by their id."""
    ignores_pkce: bool = False
    reuses: bool = False
    """Whoever signs in again with the same app and scopes gets the token that they have."""
    issuer: str | None = None
    """With one, every answer of the page names it (`iss`, RFC 9207)."""
    codes: dict[str, _Code] = field(default_factory=dict)
    access: dict[str, _Access] = field(default_factory=dict)
    refresh: dict[str, Grant] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)

    # ---- for tests and for calls of the API -----------------------------------------------------------------

    def issue(self, account: str, scopes: Sequence[str]) -> dict[str, Any]:
        """A token answer, as if that person had just signed in."""
        return self._answer(Grant(account, frozenset(scopes)))

    def revoke(self, account: str) -> None:
        """The person withdraws what they agreed to: nothing of theirs works any more."""
        self.access = {token: one for token, one in self.access.items() if one.grant.account != account}
        self.refresh = {token: grant for token, grant in self.refresh.items() if grant.account != account}

    def client_of(self, token: str) -> str | None:
        """Whose token it is: the app's id."""
        known = self.access.get(token)
        return known.client_id if known else None

    def drop(self, token: str) -> None:
        """From now on that token does not work."""
        self.access.pop(token, None)

    def require(self, request: Request, *any_of: str, scheme: str = "Bearer") -> Grant:
        """Who calls. Raises Refused without a valid token, or without one of these scopes (none: any token does)."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != scheme:
            raise Refused(401, f"the Authorization header must be {scheme}")
        return self.holder(token, *any_of)

    def holder(self, token: str, *any_of: str) -> Grant:
        """Whose token it is. Raises Refused."""
        known = self.access.get(token)
        if known is None:
            raise Refused(401, "unknown or revoked access token")
        if known.until is not None and self.now() >= known.until:
            raise Refused(401, "expired access token")
        if any_of and not known.grant.scopes & set(any_of):
            raise Refused(403, f"needs one of the scopes {', '.join(any_of)}")
        return known.grant

    # ---- over HTTP ------------------------------------------------------------------------------------------

    def client(self, id: str) -> Client | None:
        """An app by its id."""
        own = Client(self.client_id, self.client_secret) if self.client_id else None
        return own if own is not None and id == own.id else self.clients.get(id)

    def routes(self, authorize_path: str, token_path: str) -> list[BaseRoute]:
        return [
            Route(authorize_path, self._authorize, methods=["GET"]),
            Route(token_path, self._token, methods=["POST"]),
        ]

    async def _authorize(self, request: Request) -> Response:
        """A page with two buttons; with `decide=allow` or `deny` it answers at once, as the buttons do."""
        query = request.query_params
        fault = self._fault(query)
        if fault:
            return HTMLResponse(f"<h1>400</h1><p>{html.escape(fault)}</p>", 400)
        decision = query.get("decide")
        if decision is None:
            return HTMLResponse(self._page(query))
        back = {"state": query["state"], **({"iss": self.issuer} if self.issuer else {})}
        if decision == "deny":
            return RedirectResponse(f"{query['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}", 303)
        account = query.get("account") or next(iter(self.accounts))
        wanted = query["scope"].replace(self.scope_separator, " ").split()
        code = secrets.token_urlsafe(24)
        grant = Grant(account, frozenset(wanted) - self.unticked)
        challenge = None if self.ignores_pkce else query.get("code_challenge")
        id = query[self.client_id_name]
        self.codes[code] = _Code(grant, id, query["redirect_uri"], challenge, self.now())
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode({**back, 'code': code})}", 303)

    def _fault(self, query: Mapping[str, str]) -> str | None:
        missing = [name for name in (self.client_id_name, "redirect_uri", "state", "scope") if not query.get(name)]
        if missing:
            return f"missing: {', '.join(missing)}"
        if query.get("response_type") != "code":
            return "response_type must be code"
        client = self.client(query[self.client_id_name])
        if client is None:
            return f"unknown {self.client_id_name}"
        if client.redirect_uris is not None and query["redirect_uri"] not in client.redirect_uris:
            return "the redirect_uri is not one of those registered"
        wanted = query["scope"].replace(self.scope_separator, " ").split()
        if client.scopes is not None and not client.scopes.issuperset(wanted):
            return "the requested scope is not one of those registered"
        if query.get("code_challenge") and query.get("code_challenge_method") != "S256":
            return "the code_challenge_method must be S256"
        if self.needs_pkce and not query.get("code_challenge"):
            return "PKCE with S256 is needed"
        return None

    def _page(self, query: Mapping[str, str]) -> str:
        def link(**more: str) -> str:
            return html.escape("?" + urlencode({**query, **more}))

        people = "".join(
            f'<li><a id="allow-{html.escape(id)}" href="{link(decide="allow", account=id)}">Allow as '
            f"{html.escape(name)}</a></li>"
            for id, name in self.accounts.items()
        )
        scopes = "".join(f"<li>{html.escape(scope)}</li>" for scope in query["scope"].split(self.scope_separator))
        return (
            "<!doctype html><meta name=viewport content='width=device-width'><title>Fake platform</title>"
            "<body style='font-family:sans-serif;max-width:32rem;margin:3rem auto'><h1>This is a fake platform</h1>"
            f"<p>video-manager would like to:</p><ul>{scopes}</ul><ul>{people}"
            f'<li><a id="deny" href="{link(decide="deny")}">Deny</a></li></ul>'
        )

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        client = self.authenticated(request, form)
        if client is None:
            return error("invalid_client", 401)
        match form.get("grant_type"):
            case "authorization_code":
                return self._redeem(form, client)
            case "client_credentials" if self.clients:
                return self._app_token(form, client)
            case "refresh_token":
                return self._refresh(form)
        return error("unsupported_grant_type")

    def authenticated(self, request: Request, form: Mapping[str, str]) -> Client | None:
        """The app that calls, by its id and secret."""
        kind, _, pair = request.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            id, _, secret = base64.b64decode(pair).decode().partition(":")
        else:
            id, secret = form.get(self.client_id_name, ""), form.get("client_secret", "")
        client = self.client(id)
        return client if client is not None and secret == client.secret else None

    def _app_token(self, form: Mapping[str, str], client: Client) -> Response:
        """For the app itself: nobody's account."""
        scopes = frozenset(form.get("scope", "").split())
        if not scopes or (client.scopes is not None and not scopes <= client.scopes):
            return error("invalid_scope")
        return JSONResponse(self._answer(Grant("", scopes), client_id=client.id))

    def _redeem(self, form: Mapping[str, str], client: Client) -> Response:
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or self.now() - code.at > CODE_SECONDS or form.get("redirect_uri") != code.redirect_uri:
            return error("invalid_grant")
        if code.client_id != client.id:
            return error("invalid_grant")
        if code.challenge is not None and challenge_of(form.get("code_verifier", "")) != code.challenge:
            return error("invalid_grant")
        return JSONResponse(self._answer(code.grant, client_id=client.id))

    def _refresh(self, form: Mapping[str, str]) -> Response:
        token = form.get("refresh_token", "")
        grant = self.refresh.get(token)
        if grant is None:
            return error("invalid_grant")
        if self.rotates:
            del self.refresh[token]
            self.spent.add(token)
        return JSONResponse(self._answer(grant, None if self.rotates else token))

    def _answer(self, grant: Grant, refresh: str | None = None, client_id: str = "") -> dict[str, Any]:
        until = None if self.access_seconds is None else self.now() + self.access_seconds
        new = _Access(grant, until, client_id)
        had = next((token for token, one in self.access.items() if self.reuses and one == new), None)
        access = had or secrets.token_urlsafe(24)
        self.access[access] = new
        answer: dict[str, Any] = {
            "access_token": access, "token_type": "Bearer", "scope": self.scope_separator.join(sorted(grant.scopes)),
        }  # fmt: skip
        if self.access_seconds is not None:
            answer["expires_in"] = int(self.access_seconds)
        if self.refreshes:
            answer["refresh_token"] = refresh or secrets.token_urlsafe(24)
            self.refresh[answer["refresh_token"]] = grant
        return {**answer, **self.also(grant)}


def challenge_of(verifier: str) -> str:
    """PKCE's S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def error(code: str, status: int = 400) -> Response:
    """As RFC 6749 has it."""
    return JSONResponse({"error": code, "error_description": code.replace("_", " ")}, status)
