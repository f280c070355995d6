"""A channel's access token, always valid: renewed early, by one process at a time, and stored before it is used."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime

from video_manager.errors import ActionRequiredError, RetryableError, StaleRevision
from video_manager.plugins.api import Token
from video_manager.ports import Clock
from video_manager.publishing.access.vault import Credential, Secrets, Vault, renew_at
from video_manager.repository import Loaded

RENEWAL_SECONDS = 30.0
"""A renewal ends by then; who has a turn for twice as long is dead."""
_LOOK_SECONDS = 0.2

Renew = Callable[[Token | None], Awaitable[Token]]
"""The platform's way to a new token; None: there never was one."""

log = logging.getLogger(__name__)


class Tokens:
    """Renewing matters: on some platforms the former refresh token dies with its first use, so that two processes that
    renew at once would cut the channel off."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._name = uuid.uuid4().hex

    async def token(self, owner: str, renew: Renew, refused: str | None = None) -> str:
        """The access token; with `refused`, one that the platform did not take, another one.

        Raises ActionRequiredError when a person has to connect again, RetryableError when the platform is silent.
        """
        watched = _Watched(self._clock)
        while True:
            loaded = await self._loaded(owner)
            secrets = self._vault.opened(loaded.value)
            now = self._clock.now()
            token = secrets.token
            if token is not None and token.access != refused and not _is_due(secrets, now):
                return token.access
            busy = bool(loaded.value.renewer) and not watched.is_dead(loaded.value)
            if busy and token is not None and token.access != refused and _is_valid(token, now):
                return token.access  # somebody renews it, early; this one does for now
            if busy:
                await self._clock.sleep(_LOOK_SECONDS)
                continue
            turn = await self._take_turn(loaded)
            if turn is not None:
                return (await self._renew(turn, secrets, renew)).access

    async def _loaded(self, owner: str) -> Loaded[Credential]:
        loaded = await self._vault.load(owner)
        if loaded is None:
            await self._vault.put(owner, Secrets(), self._clock.now())
            loaded = await self._vault.load(owner)
        if loaded is None:
            raise ActionRequiredError("the channel's access was just removed: connect it again")
        return loaded

    async def _take_turn(self, loaded: Loaded[Credential]) -> Credential | None:
        """None: somebody was faster."""
        before = loaded.value

        def take(now: Credential) -> Credential | None:
            if (now.renewer, now.renewals) != (before.renewer, before.renewals):
                return None
            return now.with_(renewer=self._name, renewals=now.renewals + 1)

        try:
            taken = (await self._vault.change(before.id, take)).value
        except StaleRevision:
            return None
        mine = taken.renewer == self._name and taken.renewals == before.renewals + 1
        return taken if mine else None

    async def _renew(self, turn: Credential, secrets: Secrets, renew: Renew) -> Token:
        try:
            async with asyncio.timeout(RENEWAL_SECONDS):
                token = await renew(secrets.token)
        except TimeoutError as error:
            await self._give_back(turn)
            raise RetryableError("the platform gave no new token in time") from error
        except BaseException:
            await self._give_back(turn)
            raise
        now = self._clock.now()
        renewed = secrets.with_token(token, now)
        fresh = self._vault.sealed(turn.id, renewed, now)

        def keep(current: Credential) -> Credential | None:
            # Connected anew meanwhile: what the person brought is newer than what was renewed.
            return fresh.with_(renewals=current.renewals) if _same_turn(current, turn) else None

        await self._vault.change(turn.id, keep)
        return token

    async def _give_back(self, turn: Credential) -> None:
        def free(current: Credential) -> Credential | None:
            return current.with_(renewer="") if _same_turn(current, turn) else None

        await self._vault.change(turn.id, free)


def _same_turn(current: Credential, turn: Credential) -> bool:
    return (current.renewer, current.renewals) == (turn.renewer, turn.renewals)


def _is_due(secrets: Secrets, now: datetime) -> bool:
    due = renew_at(secrets)
    return due is not None and now >= due


def _is_valid(token: Token, now: datetime) -> bool:
    return token.expires_at is None or now < token.expires_at


class _Watched:
    """Whether the same turn has stood still for too long, on this process's own clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._mark: tuple[str, int] | None = None
        self._since = 0.0

    def is_dead(self, credential: Credential) -> bool:
        mark = (credential.renewer, credential.renewals)
        now = self._clock.monotonic()
        if mark != self._mark:
            self._mark, self._since = mark, now
        return now - self._since > 2 * RENEWAL_SECONDS
