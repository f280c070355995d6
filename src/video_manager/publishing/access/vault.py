"""The secrets of channels (and of connections under way, and of apps): one encrypted document for each owner."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from video_manager.domain.model import Frozen, Instant
from video_manager.errors import NotFound
from video_manager.plugins.api import OAuthApp, Token
from video_manager.ports import CollectionSpec, Query
from video_manager.publishing.access.keyring import Keyring
from video_manager.repository import Loaded, Repository

CREDENTIALS = CollectionSpec("credentials", indexed=("renew_at", "warn_at", "key", "updated_at"))
RENEWED_AT = 0.8
"""Of a token's life."""
WARNED_BEFORE = timedelta(days=10)
_SAME_END = timedelta(days=1)


class Credential(Frozen):
    """`sealed` holds the Secrets. The rest is what has to be known without opening it."""

    id: str
    sealed: str
    key: str
    """Which key encrypted it (Keyring.newest)."""
    renew_at: Instant | None = None
    """When the token is to be renewed, used or not."""
    ends_at: Instant | None = None
    """When nothing can renew the token any more."""
    warn_at: Instant | None = None
    """When people are to be told of that end; None: they know, or there is none."""
    renewer: str = ""
    """Who renews the token now; empty: nobody."""
    renewals: int = 0
    unanswered: bool = False
    """The last renewal got no answer: the platform may have given a new token that never arrived."""
    updated_at: Instant


@dataclass(frozen=True)
class Secrets:
    """`options` are the channel's options that are secret, by name. `app` is the one that the product registered
    itself, and that the token belongs to. `accounts` and `verifier` (PKCE) belong to a connection under way: the tokens
    that some of its accounts have for themselves, by the account's id."""

    options: Mapping[str, str] = field(default_factory=dict)
    token: Token | None = None
    obtained_at: datetime | None = None
    accounts: Mapping[str, Token] = field(default_factory=dict)
    verifier: str | None = None
    app: OAuthApp | None = None

    def with_token(self, token: Token, now: datetime) -> "Secrets":
        return replace(self, token=token, obtained_at=now)


class Vault:
    def __init__(self, credentials: Repository[Credential], keyring: Keyring) -> None:
        self._credentials = credentials
        self._keyring = keyring

    async def get(self, owner: str) -> Secrets:
        """Empty ones when nothing is kept. Raises ActionRequiredError when it cannot be opened."""
        loaded = await self._credentials.get(owner)
        return Secrets() if loaded is None else self.opened(loaded.value)

    async def load(self, owner: str) -> Loaded[Credential] | None:
        return await self._credentials.get(owner)

    async def put(self, owner: str, secrets: Secrets, now: datetime) -> None:
        """Replaces what was kept; a renewal under way elsewhere loses its turn."""
        new = self.sealed(owner, secrets, now)
        while not await self._credentials.add_if_absent(new):
            try:
                await self._credentials.change(owner, lambda old: new.with_(renewals=old.renewals + 1))
            except NotFound:
                continue  # removed in this moment
            return

    async def add(self, owner: str, secrets: Secrets, now: datetime) -> bool:
        """False, without effect, when something is kept already."""
        return await self._credentials.add_if_absent(self.sealed(owner, secrets, now)) is not None

    async def change(self, owner: str, decide: Callable[[Credential], Credential | None]) -> Loaded[Credential]:
        return await self._credentials.change(owner, decide)

    async def remove(self, owner: str) -> None:
        await self._credentials.remove(owner)

    async def find(self, query: Query) -> list[Loaded[Credential]]:
        return await self._credentials.find(query)

    def opened(self, credential: Credential) -> Secrets:
        """Raises ActionRequiredError."""
        content = self._keyring.open(credential.id, credential.sealed)
        token, app = content["token"], content.get("app")
        return Secrets(
            options=content["options"],
            token=None if token is None else _token(token),
            obtained_at=_instant(content["obtained_at"]),
            accounts={id: _token(one) for id, one in content.get("accounts", {}).items()},
            verifier=content.get("verifier"),
            app=None if app is None else OAuthApp(**app),
        )

    def sealed(self, owner: str, secrets: Secrets, now: datetime) -> Credential:
        plain = _jsonable(asdict(secrets))
        return Credential(
            id=owner, sealed=self._keyring.seal(owner, plain), key=self._keyring.newest,
            renew_at=renew_at(secrets), ends_at=ends_at(secrets), warn_at=warn_at(secrets), updated_at=now,
        )  # fmt: skip

    def renewed(self, before: Credential, secrets: Secrets, now: datetime) -> Credential:
        """With a renewed token. An end that did not move is the one that people know of, or will hear of, already."""
        new = self.sealed(before.id, secrets, now).with_(renewals=before.renewals)
        if new.ends_at and before.ends_at and new.ends_at <= before.ends_at + _SAME_END:
            return new.with_(ends_at=before.ends_at, warn_at=before.warn_at)
        return new

    def rotated(self, credential: Credential) -> Credential:
        """Encrypted with the newest key. Raises ActionRequiredError."""
        return credential.with_(sealed=self._keyring.rotate(credential.sealed), key=self._keyring.newest)


def renew_at(secrets: Secrets) -> datetime | None:
    """At four fifths of the token's life: early enough to try a few times. None: it needs none."""
    token = secrets.token
    if token is None or token.expires_at is None or secrets.obtained_at is None:
        return None
    return secrets.obtained_at + (token.expires_at - secrets.obtained_at) * RENEWED_AT


def ends_at(secrets: Secrets) -> datetime | None:
    """When a person has to connect again whatever is done here: where nothing can renew the token (LinkedIn), or its
    refresh token has an end of its own that does not move."""
    token = secrets.token
    if token is None:
        return None
    return token.refresh_expires_at if token.refresh else token.expires_at


def warn_at(secrets: Secrets) -> datetime | None:
    """Ten days before that end, or in the last fifth of shorter lives."""
    end = ends_at(secrets)
    if end is None or secrets.obtained_at is None:
        return None
    return end - min(WARNED_BEFORE, (end - secrets.obtained_at) * (1 - RENEWED_AT))


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _jsonable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _token(content: Mapping[str, Any]) -> Token:
    return Token(
        access=content["access"], expires_at=_instant(content["expires_at"]), refresh=content["refresh"],
        refresh_expires_at=_instant(content["refresh_expires_at"]), scopes=tuple(content["scopes"]),
    )  # fmt: skip


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
