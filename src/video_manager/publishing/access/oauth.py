"""OAuth 2 as the standards say it, through Authlib: what the publishers' `oauth` does not change."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from video_manager.errors import ActionRequiredError, RetryableError
from video_manager.plugins.api import OAuth, OAuthApp, Token


def client(oauth: OAuth, app: OAuthApp, transport: httpx.AsyncBaseTransport, **more: Any) -> AsyncOAuth2Client:
    """For one exchange with the platform's token endpoint."""
    made = AsyncOAuth2Client(
        client_id=app.client_id, client_secret=app.client_secret, transport=transport,
        token_endpoint_auth_method=oauth.token_endpoint_auth, timeout=20.0, **more,
    )  # fmt: skip
    if oauth.client_id_name != "client_id":
        made.register_client_auth_method((oauth.token_endpoint_auth, _named(oauth.client_id_name)))
    return made


def _named(name: str) -> Any:
    """The client's id and secret in the body, the id under another name (TikTok's `client_key`)."""

    def prepare(client: Any, method: str, uri: str, headers: Any, body: str) -> tuple[str, Any, str]:
        del method
        extra = httpx.QueryParams({name: client.client_id, "client_secret": client.client_secret})
        return uri, headers, f"{body}&{extra}" if body else str(extra)

    return prepare


async def renewed(
    oauth: OAuth, app: OAuthApp, token: Token, transport: httpx.AsyncBaseTransport, now: datetime, title: str
) -> Token:
    """A new token by the refresh token. Raises ActionRequiredError when the platform does not take it any more."""
    if token.refresh is None:
        raise ActionRequiredError(f"{title} no longer accepts this connection and cannot renew it: connect it again")
    async with client(oauth, app, transport) as session:
        try:
            answer = await session.refresh_token(oauth.token_url, refresh_token=token.refresh)
        except OAuthError as error:
            raise refused(title, error) from error
        except httpx.HTTPError as error:
            raise RetryableError(f"{title} gave no new token: {error}") from error
    return token_of(answer, now, before=token, separator=oauth.scope_separator)


def refused(title: str, error: OAuthError) -> ActionRequiredError | RetryableError:
    """What the error of a token endpoint asks for: only those that the standard names are the person's."""
    text = f"{title} refused the connection: {error.error} {error.description or ''}".strip()
    if error.error in ("temporarily_unavailable", "server_error", "slow_down"):
        return RetryableError(text)
    return ActionRequiredError(f"{text}; connect the channel again")


def token_of(answer: Mapping[str, Any], now: datetime, *, before: Token | None = None, separator: str = " ") -> Token:
    """A token endpoint's answer. A refresh token that is not repeated stays as it was."""
    access = answer.get("access_token")
    if not isinstance(access, str) or not access:
        raise RetryableError("the answer of the platform holds no access token")
    expires_at = _later(now, answer.get("expires_in"))
    refresh_expires_at = _later(now, answer.get("refresh_expires_in") or answer.get("refresh_token_expires_in"))
    scope = answer.get("scope")
    scopes = tuple(part for part in str(scope).replace(separator, " ").split()) if scope else ()
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
