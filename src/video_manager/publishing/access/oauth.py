"""OAuth 2 as the standards say it, through Authlib: what the publishers' `oauth` does not change."""

import warnings
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

from video_manager.errors import ActionRequiredError, RetryableError
from video_manager.plugins.api import OAuth, OAuthApp, Token
from video_manager.plugins.platform_http import fault_of_status

if TYPE_CHECKING:
    from authlib.integrations.base_client import OAuthError
    from authlib.integrations.httpx_client import AsyncOAuth2Client

LONGEST_WORDS = 500
"""Of what a platform says; nobody knows what it sends."""
_PASSING = ("temporarily_unavailable", "server_error", "slow_down")
_CALL_SECONDS = 20.0


class CannotRenew(ActionRequiredError):
    """The platform gave nothing to renew the token with: it lives as long as it lives."""


def authorize_address(oauth: OAuth, app: OAuthApp, *, redirect_url: str, state: str, verifier: str | None) -> httpx.URL:
    """Where the person is sent to agree. `verifier` is PKCE's; None where the platform knows none."""
    made = _client(oauth, app, None, scope=oauth.scope_separator.join(oauth.scopes), redirect_uri=redirect_url,
                   code_challenge_method="S256")  # fmt: skip
    more = {**oauth.authorize_parameters, **({"code_verifier": verifier} if verifier else {})}
    address, _ = made.create_authorization_url(oauth.authorize_url, state=state, **more)
    url = httpx.URL(address)
    named = [(oauth.client_id_name if name == "client_id" else name, value) for name, value in url.params.multi_items()]
    return url.copy_with(params=named)


async def exchanged(
    oauth: OAuth, app: OAuthApp, transport: httpx.AsyncBaseTransport, now: datetime, title: str, *, code: str,
    redirect_url: str, verifier: str | None,
) -> Token:  # fmt: skip
    """The token for the code of a callback. Raises ActionRequiredError, RetryableError: the code is spent then."""
    more = {"code_verifier": verifier} if verifier else {}
    answer = await _asked(oauth, app, transport, title, "fetch_token", code=code, redirect_uri=redirect_url, **more)
    return token_of(answer, now, separator=oauth.scope_separator)


async def renewed(
    oauth: OAuth, app: OAuthApp, token: Token, transport: httpx.AsyncBaseTransport, now: datetime, title: str
) -> Token:
    """A new token by the refresh token. Raises ActionRequiredError when the platform does not take it any more."""
    if token.refresh is None:
        raise CannotRenew(f"{title} no longer accepts this connection and cannot renew it: connect it again")
    answer = await _asked(oauth, app, transport, title, "refresh_token", refresh_token=token.refresh)
    return token_of(answer, now, before=token, separator=oauth.scope_separator)


async def _asked(
    oauth: OAuth, app: OAuthApp, transport: httpx.AsyncBaseTransport, title: str, method: str, **question: Any
) -> Mapping[str, Any]:
    """The token endpoint's answer."""
    from authlib.integrations.base_client import OAuthError  # noqa: PLC0415 - see _client

    def heard(response: httpx.Response) -> httpx.Response:
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise fault_of_status(response, title)
        return response

    async with _client(oauth, app, transport) as session:
        session.register_compliance_hook("access_token_response", heard)
        session.register_compliance_hook("refresh_token_response", heard)
        try:
            answer: Mapping[str, Any] = await getattr(session, method)(oauth.token_url, **question)
        except OAuthError as error:
            raise refused(title, error) from error
        except (httpx.HTTPError, ValueError) as error:  # ValueError: no JSON, a page for people
            words = str(error)[:LONGEST_WORDS] or type(error).__name__
            raise RetryableError(f"{title} gave no token: {words}") from error
    return answer


def refused(title: str, error: "OAuthError") -> ActionRequiredError | RetryableError:
    """What the error of a token endpoint asks for: only those that the standard names are the person's."""
    text = f"{title} refused the connection: {error.error} {error.description or ''}".strip()[:LONGEST_WORDS]
    if error.error in _PASSING:
        return RetryableError(text)
    if error.error in ("invalid_client", "unauthorized_client"):
        return ActionRequiredError(f"{text}; check the client id and secret of the app, then connect the channel again")
    return ActionRequiredError(f"{text}; connect the channel again")


def token_of(answer: Mapping[str, Any], now: datetime, *, before: Token | None = None, separator: str = " ") -> Token:
    """A token endpoint's answer. A refresh token that is not repeated stays as it was."""
    access = answer.get("access_token")
    if not isinstance(access, str) or not access:
        raise RetryableError("the answer of the platform holds no access token")
    expires_at = _later(now, answer.get("expires_in"))
    refresh_expires_at = _later(now, answer.get("refresh_expires_in") or answer.get("refresh_token_expires_in"))
    scope = answer.get("scope")
    # Some answer with commas although they are asked with spaces (LinkedIn).
    scopes = tuple(str(scope).replace(separator, " ").replace(",", " ").split()) if scope else ()
    refresh = answer.get("refresh_token") or (before.refresh if before else None)
    return Token(
        access=access, expires_at=expires_at, refresh=refresh,
        refresh_expires_at=refresh_expires_at or (before.refresh_expires_at if before else None),
        scopes=scopes or (before.scopes if before else ()),
    )  # fmt: skip


def _later(now: datetime, seconds: Any) -> datetime | None:
    try:
        return (now + timedelta(seconds=float(seconds))).astimezone(UTC) if seconds else None
    except (TypeError, ValueError, OverflowError):
        return None


# ---- Authlib ------------------------------------------------------------------------------------------------


class _Borrowed(httpx.AsyncBaseTransport):
    """A transport that others use too: Authlib's client, which lives for one exchange, does not close it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)


def _client(
    oauth: OAuth, app: OAuthApp, transport: httpx.AsyncBaseTransport | None, **more: Any
) -> "AsyncOAuth2Client":
    """For one exchange. Authlib is loaded at the first: it takes a third of a second, and most starts need none."""
    from authlib.deprecate import AuthlibDeprecationWarning  # noqa: PLC0415 - see above

    with warnings.catch_warnings():
        # It would rather have httpx's successor, and tells whoever starts us.
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)
        from authlib.integrations.httpx_client import AsyncOAuth2Client  # noqa: PLC0415 - see above

    made = AsyncOAuth2Client(
        client_id=app.client_id, client_secret=app.client_secret,
        transport=_Borrowed(transport) if transport is not None else None,
        token_endpoint_auth_method=oauth.token_endpoint_auth, timeout=_CALL_SECONDS, trust_env=False, **more,
    )  # fmt: skip
    if oauth.client_id_name != "client_id":
        made.register_client_auth_method((oauth.token_endpoint_auth, _named(oauth.client_id_name)))
    return made


def _named(name: str) -> Any:
    """The client's id and secret in the body, the id under another name (TikTok's `client_key`)."""

    def prepare(client: Any, method: str, uri: str, headers: Any, body: bytes) -> tuple[str, Any, str]:
        del method
        form = httpx.QueryParams(body.decode()).merge({name: client.client_id, "client_secret": client.client_secret})
        return uri, headers, str(form)

    return prepare
