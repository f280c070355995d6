"""A channel's access token, always valid: renewed early, by one process at a time, and stored before it is used."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import httpx

from video_manager.errors import (
    ActionRequiredError,
    NotFound,
    RetryableError,
    StaleRevision,
    StorageFull,
    Unavailable,
)  # fmt: skip
from video_manager.plugins.api import Token
from video_manager.ports import Clock
from video_manager.publishing.access.oauth import CannotRenew
from video_manager.publishing.access.vault import Credential, Secrets, Vault
from video_manager.repository import Loaded

RENEWAL_SECONDS = 30.0
"""A renewal ends by then; who has a turn for twice as long is dead."""
RETRY_SECONDS = 60.0
"""Until an early renewal that got no answer is tried again, as long as the token lives."""
STORE_SECONDS = 600.0
"""How long a new token waits for a store that is away; the former one may be worth nothing any more."""
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
        self._turns = _Watched(clock)
        self._renewals: set[asyncio.Task[None]] = set()

    async def token(self, owner: str, renew: Renew, refused: str | None = None) -> str:
        """The access token; with `refused`, one that the platform did not take, another one.

        Raises ActionRequiredError when a person has to connect again, RetryableError when the platform is silent.
        """
        renewed = False
        while True:
            loaded = await self._loaded(owner)
            secrets = self._vault.opened(loaded.value)
            now = self._clock.now()
            if renewed:  # whatever the token is worth: asking again would not end
                if secrets.token is None:
                    raise ActionRequiredError("the channel's access was just removed: connect it again")
                return secrets.token.access
            token = secrets.token if secrets.token and secrets.token.access != refused else None
            usable = token.access if token is not None and _is_valid(token, now) else None
            if usable is not None and not _is_due(loaded.value, now):
                return usable
            if loaded.value.renewer and not self._turns.is_dead(loaded.value):
                if usable is not None:
                    return usable  # somebody renews it, early; this one does for now
                await self._clock.sleep(_LOOK_SECONDS)
                continue
            turn = await self._take_turn(loaded)
            if turn is None:
                continue
            try:
                await self._to_its_end(self._renew(turn, secrets, renew))
                renewed = True
            except (RetryableError, CannotRenew) as error:
                if usable is None:
                    raise
                log.info("the token of %s is not renewed now: %s", owner, error.detail)
                return usable

    async def close(self) -> None:
        """Let renewals end: what a platform has answered must be stored."""
        if self._renewals:
            await asyncio.wait(self._renewals)

    async def _to_its_end(self, renewal: Awaitable[None]) -> None:
        """Whoever asked may be cancelled; the platform has perhaps exchanged the token already."""
        task = asyncio.ensure_future(renewal)
        self._renewals.add(task)
        task.add_done_callback(self._ended)
        await asyncio.shield(task)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._renewals.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there to hear of it

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
        before, name = loaded.value, uuid.uuid4().hex  # of this turn: others in this process are others, too

        def take(now: Credential) -> Credential | None:
            if not _same_turn(now, before):
                return None
            # Whoever had the turn before died with it, perhaps with an answer in its hands.
            return now.with_(renewer=name, renewals=now.renewals + 1, unanswered=now.unanswered or bool(now.renewer))

        try:
            taken = (await self._vault.change(before.id, take)).value
        except StaleRevision:
            return None
        except NotFound as error:
            raise ActionRequiredError("the channel's access was just removed: connect it again") from error
        return taken if taken.renewer == name else None

    async def _renew(self, turn: Credential, secrets: Secrets, renew: Renew) -> None:
        try:
            async with asyncio.timeout(RENEWAL_SECONDS):
                token = await renew(secrets.token)
        except TimeoutError as error:
            await self._postpone(turn, unanswered=True)
            raise RetryableError("the platform gave no new token in time") from error
        except RetryableError as error:
            cause = error.__cause__
            lost = isinstance(cause, httpx.TransportError) and not isinstance(cause, httpx.ConnectError)
            await self._postpone(turn, unanswered=lost)
            raise
        except CannotRenew:
            await self._keep(turn, lambda current: current.with_(renewer="", renew_at=None))
            raise
        except ActionRequiredError as error:
            await self._keep(turn, lambda current: current.with_(renewer=""))
            if not turn.unanswered:
                raise
            raise ActionRequiredError(
                f"{error.detail} (an earlier renewal got no answer, and perhaps a new token was lost with it)"
            ) from error
        except BaseException:
            await self._keep(turn, lambda current: current.with_(renewer=""))
            raise
        now = self._clock.now()
        renewed = secrets.with_token(token, now)
        await self._keep(turn, lambda current: self._vault.renewed(current, renewed, now))

    async def _postpone(self, turn: Credential, *, unanswered: bool) -> None:
        """No new token. One that still lives is used meanwhile, and the platform is not asked at every call."""
        later = self._clock.now() + timedelta(seconds=RETRY_SECONDS)

        def free(current: Credential) -> Credential:
            return current.with_(
                renewer="", unanswered=current.unanswered or unanswered, renew_at=current.renew_at and later
            )

        await self._keep(turn, free)

    async def _keep(self, turn: Credential, decide: Callable[[Credential], Credential]) -> None:
        """Write down how the turn ended, unless it was lost: connected anew meanwhile, which is newer than this."""

        def decided(current: Credential) -> Credential | None:
            return decide(current) if _same_turn(current, turn) else None

        deadline = self._clock.monotonic() + STORE_SECONDS
        while True:
            try:
                await self._vault.change(turn.id, decided)
            except NotFound:
                return  # the channel was deleted
            except (Unavailable, StorageFull, StaleRevision) as error:
                if self._clock.monotonic() >= deadline:
                    raise
                log.warning("the new token of %s is stored later: %s", turn.id, error.detail)
                await self._clock.sleep(1.0)
            else:
                return


def _same_turn(current: Credential, turn: Credential) -> bool:
    return (current.renewer, current.renewals) == (turn.renewer, turn.renewals)


def _is_due(credential: Credential, now: datetime) -> bool:
    return credential.renew_at is not None and now >= credential.renew_at


def _is_valid(token: Token, now: datetime) -> bool:
    return token.expires_at is None or now < token.expires_at


class _Watched:
    """Whose turn has stood still for too long, on this process's own clock, while it was looked at all the time: after
    an outage of the store nobody is called dead for it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[tuple[str, int], float, float]] = {}

    def is_dead(self, credential: Credential) -> bool:
        turn, now = (credential.renewer, credential.renewals), self._clock.monotonic()
        seen, since, last = self._seen.get(credential.id, (None, now, now))
        if seen != turn or now - last > RENEWAL_SECONDS:
            since = now
        self._seen[credential.id] = turn, since, now
        return now - since > 2 * RENEWAL_SECONDS
