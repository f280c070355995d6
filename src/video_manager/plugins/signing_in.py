"""How people sign in at a platform (OAuth 2, code flow), and as which app the product does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class OAuth:
    """How a person lets us act for their account: OAuth 2, code flow. `needed` are the scopes without which nothing
    works; people can untick single ones on some platforms, so what was granted is checked."""

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    needed: tuple[str, ...]
    pkce: bool = True
    client_id_name: str = "client_id"
    """TikTok says `client_key`."""
    scope_separator: str = " "
    authorize_parameters: Mapping[str, str] = field(default_factory=dict)
    token_endpoint_auth: str = "client_secret_post"  # noqa: S105 - the name of a method
    issuer: str = ""
    """As whom the platform answers (`iss`, RFC 9207); empty: it is not known."""
    names_issuer: bool = False
    """Whether the platform's metadata says that every answer carries `iss`: one without it is refused."""


@dataclass(frozen=True)
class OAuthApp:
    """What is registered at the platform: by the operator, or by the product itself (`SignInServer`)."""

    client_id: str
    client_secret: str


class SignInServer(Protocol):
    """A server that a person chose to sign in at, and where the product registers its own app."""

    async def described(self) -> OAuth:
        """The publisher's `oauth` with this server's addresses, and with what it says that it supports. Raises
        InvalidInput (`options.<name>`) when nothing usable is there, RetryableError while it does not answer."""
        ...

    async def register(self, redirect_url: str) -> OAuthApp:
        """Another app at this server, whoever has one there already. Raises as `described` does."""
        ...

    async def knows(self, app: OAuthApp) -> bool:
        """Whether the server (still) takes this app's id and secret. Raises RetryableError."""
        ...
