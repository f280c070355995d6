"""Aggregates on top of the document store: typed, changed by pure functions, saved once with compare-and-set."""

import asyncio
import base64
import binascii
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from weakref import WeakValueDictionary

from pydantic import ValidationError

from video_manager.contracts.envelope import Envelope
from video_manager.domain.model import Frozen
from video_manager.errors import AlreadyExists, InvalidInput, NotFound, StaleRevision, VideoManagerError
from video_manager.last_seen import LastSeen
from video_manager.ports import CollectionSpec, DocumentStore, Query, Scalar, Stored, Where

T = TypeVar("T", bound=Frozen)
V = TypeVar("V")

CHANGE_TRIES = 20
"""How often `change` loads and decides again when somebody else was faster."""

ADD_TRIES = 3
"""How often `add_if_absent` meets a document that is gone when it looks."""

MAX_PAGE = 500
"""The largest page a caller may ask for."""

_BACKOFF_SECONDS = 0.005
_PLAIN = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True)
class Loaded(Generic[V]):
    """An aggregate as it was read: `revision` is its ETag, `handled` the message ids in its inbox."""

    value: V
    revision: int
    handled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change(Generic[V]):
    """What a decision leads to: the new value, and the messages to send because of it."""

    value: V
    messages: tuple[Envelope, ...] = ()


@dataclass(frozen=True)
class Page(Generic[V]):
    """Some of the rows; `next` is the cursor of the following page, None at the end."""

    items: tuple[V, ...]
    next: str | None = None


def instant_text(value: datetime) -> str:
    """A time as it is stored: UTC and always with microseconds, so that comparing texts compares times. Use it for
    times in `Where`."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Repository(Generic[T]):
    """One collection of aggregates of one class; the class needs a field `id: str`.

    With `remembers`, `change` starts from what this process saw last of a document, which saves most readings. Only for
    collections whose documents are never removed.
    """

    def __init__(self, store: DocumentStore, spec: CollectionSpec, model: type[T], *, remembers: bool = False) -> None:
        self._store = store
        self._spec = spec
        self._model = model
        self._noun = _singular(spec.name)
        self._last_seen: LastSeen[Loaded[T]] | None = LastSeen() if remembers else None
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def register(self) -> None:
        await self._store.register(self._spec)

    async def add(self, value: T, messages: Sequence[Envelope] = (), handled: str | None = None) -> Loaded[T]:
        """Insert. Raises AlreadyExists when the id or a unique value is taken."""
        body = stored_body(value)
        stored = await self._store.insert(self._spec.name, str(body["id"]), body, outbox=messages, handled=handled)
        added = Loaded(value, stored.revision, stored.handled)
        if self._last_seen is not None:
            self._last_seen.written(stored.id, added)
        return added

    async def add_if_absent(
        self, value: T, messages: Sequence[Envelope] = (), handled: str | None = None
    ) -> Loaded[T] | None:
        """Insert; None, without effect, when the id is there already. A taken unique value of another one raises
        AlreadyExists."""
        for attempt in range(1, ADD_TRIES + 1):
            try:
                return await self.add(value, messages, handled)
            except AlreadyExists:
                if await self._store.get(self._spec.name, str(stored_body(value)["id"])) is not None:
                    return None
                # Removed in this very moment, or it is another one's unique value: then it is taken again.
                if attempt == ADD_TRIES:
                    raise
        raise AssertionError("unreachable: the last try returns or raises")

    async def get(self, id: str) -> Loaded[T] | None:
        stored = await self._store.get(self._spec.name, id)
        if stored is None:
            return None
        loaded = self._load(stored)
        if self._last_seen is not None:
            self._last_seen.read(id, loaded)
        return loaded

    def last_seen(self, id: str) -> Loaded[T] | None:
        """What this process saw last, or None; it may be old. For what is compared with the document afterwards."""
        return self._last_seen.guess(id) if self._last_seen is not None else None

    async def load(self, id: str) -> Loaded[T]:
        """Like `get`, but raises NotFound."""
        loaded = await self.get(id)
        if loaded is None:
            raise NotFound(f"there is no {self._noun} {id!r}: check the id; it may have been deleted")
        return loaded

    async def load_many(self, ids: Sequence[str]) -> list[Loaded[T]]:
        """Those that exist, in the order of `ids`."""
        if not ids:
            return []
        return [self._load(stored) for stored in await self._store.get_many(self._spec.name, ids)]

    async def change(
        self, id: str, decide: Callable[[T], Change[T] | T | None], *,
        handled: str | None = None, expected_revision: int | None = None,
    ) -> Loaded[T]:  # fmt: skip
        """Load, decide (a pure function, perhaps called again on a newer value), save once.

        Does nothing when the message `handled` is already in the inbox. A decision that is None, or equal to the
        value and without messages, writes nothing unless `handled` has to be remembered (which counts the revision
        up). With `expected_revision` (from If-Match) another revision raises StaleRevision; without it a lost race
        is decided again. Raises NotFound, and whatever `decide` raises.
        """
        # Changes of one document in this process take turns: cheaper than losing races against each other. The
        # compare-and-set is what keeps it right, also against other processes.
        turn = self._turns.setdefault(id, asyncio.Lock())
        async with turn:
            return await self._change(id, decide, handled, expected_revision)

    async def _change(
        self, id: str, decide: Callable[[T], Change[T] | T | None], handled: str | None, expected_revision: int | None
    ) -> Loaded[T]:
        guess = self.last_seen(id)
        if guess is not None and (changed := await self._change_guess(guess, decide, handled, expected_revision)):
            return changed
        for attempt in range(1, CHANGE_TRIES + 1):
            loaded = await self.load(id)
            if handled is not None and handled in loaded.handled:
                return loaded
            if expected_revision is not None and loaded.revision != expected_revision:
                raise self._stale(id, expected_revision, loaded.revision)
            change = _as_change(decide(loaded.value), loaded.value)
            if handled is None and not change.messages and change.value == loaded.value:
                return loaded
            try:
                return await self.save(loaded, change.value, change.messages, handled)
            except StaleRevision:
                if expected_revision is not None or attempt == CHANGE_TRIES:
                    raise
            # Jitter, so that writers which collided once do not keep step with each other.
            await asyncio.sleep(random.uniform(0, _BACKOFF_SECONDS * min(attempt, 10)))  # noqa: S311 - no secret
        raise AssertionError("unreachable: the last try returns or raises")

    async def _change_guess(
        self, guess: Loaded[T], decide: Callable[[T], Change[T] | T | None], handled: str | None,
        expected_revision: int | None,
    ) -> Loaded[T] | None:  # fmt: skip
        """Decide on what was seen last. It counts when the store takes it as the next revision, and only then: what
        the decision refuses, or leaves as it is, has to be asked of the document itself (None)."""
        if handled in guess.handled or expected_revision not in (None, guess.revision):
            return None
        try:
            change = _as_change(decide(guess.value), guess.value)
        except Exception:  # noqa: BLE001 - it is decided again, and then says so
            return None
        if handled is None and not change.messages and change.value == guess.value:
            return None
        try:
            return await self._save(guess, change.value, change.messages, handled, guessed=True)
        except StaleRevision:
            return None

    async def save(
        self, loaded: Loaded[T], value: T, messages: Sequence[Envelope] = (), handled: str | None = None
    ) -> Loaded[T]:
        """Replace what was loaded, if nobody changed it since. Raises StaleRevision."""
        return await self._save(loaded, value, messages, handled)

    async def _save(
        self, loaded: Loaded[T], value: T, messages: Sequence[Envelope], handled: str | None, *, guessed: bool = False
    ) -> Loaded[T]:
        body = stored_body(value)
        id = str(body["id"])
        revision = await self._store.replace(
            self._spec.name, id, loaded.revision, body, outbox=messages, handled=handled
        )
        saved = Loaded(value, revision, loaded.handled if handled is None else loaded.handled | {handled})
        if self._last_seen is not None:
            self._last_seen.written(id, saved, guessed=guessed)
        return saved

    async def remove(self, id: str, expected_revision: int | None = None) -> bool:
        """False when it is not there. Raises StaleRevision, and Conflict while messages are unsent."""
        if self._last_seen is not None:
            self._last_seen.forget(id)
        return await self._store.delete(self._spec.name, id, expected_revision)

    async def find(self, query: Query) -> list[Loaded[T]]:
        return [self._load(stored) for stored in await self._store.find(self._spec.name, query)]

    async def first(self, *where: Where) -> Loaded[T] | None:
        """Any one that matches; for unique fields, the one."""
        found = await self.find(Query(where=where, limit=1))
        return found[0] if found else None

    async def page(
        self, where: Sequence[Where] = (), order_by: str | None = None, descending: bool = False,
        limit: int = 50, cursor: str | None = None,
    ) -> Page[Loaded[T]]:  # fmt: skip
        """One page, and the cursor of the next. Raises InvalidInput for a cursor or a limit that is wrong."""
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInput.field("limit", f"must be from 1 to {MAX_PAGE}")
        after = _read_cursor(cursor, order_by, descending) if cursor is not None else None
        # One more than asked for tells whether there is a next page.
        rows = await self._store.find(self._spec.name, Query(tuple(where), order_by, descending, limit + 1, after))
        shown = rows[:limit]
        following = _write_cursor(shown[-1], order_by, descending) if len(rows) > limit else None
        return Page(tuple(self._load(row) for row in shown), following)

    async def count(self, *where: Where) -> int:
        return await self._store.count(self._spec.name, where)

    async def count_by(self, field: str, *where: Where) -> dict[Scalar, int]:
        return await self._store.count_by(self._spec.name, field, where)

    def _load(self, stored: Stored) -> Loaded[T]:
        try:
            return Loaded(self._model.model_validate(stored.body), stored.revision, stored.handled)
        except ValidationError as error:
            raise VideoManagerError(
                f"{self._noun} {stored.id!r} was written by another release and cannot be read by this one ({error}); "
                "start the release that wrote it, or restore a backup"
            ) from error

    def _stale(self, id: str, expected: int, actual: int) -> StaleRevision:
        return StaleRevision(
            f"{self._noun} {id!r} was changed meanwhile (you saw revision {expected}, now it is {actual}): "
            "load it again and repeat your change"
        )


def stored_body(value: Frozen) -> dict[str, Any]:
    """The JSON that is stored: computed fields included, times in the fixed width of `instant_text`."""
    body: dict[str, Any] = _with_fixed_times(value.model_dump(mode="python"), value.model_dump(mode="json"))
    return body


def _with_fixed_times(plain: Any, dumped: Any) -> Any:
    """`dumped` (JSON) with every text replaced whose `plain` counterpart is a time: pydantic leaves out
    microseconds that are zero and keeps the zone, so that its texts would not sort."""
    if type(plain) in _PLAIN:  # nearly all of it
        return dumped
    if isinstance(plain, datetime):
        return instant_text(plain)
    if isinstance(plain, Mapping) and isinstance(dumped, dict):
        return {
            key: _with_fixed_times(old, new) for (key, new), old in zip(dumped.items(), plain.values(), strict=True)
        }
    if isinstance(plain, list | tuple) and isinstance(dumped, list):
        return [_with_fixed_times(old, new) for old, new in zip(plain, dumped, strict=True)]
    return dumped


def _as_change(decision: Change[T] | T | None, current: T) -> Change[T]:
    if decision is None:
        return Change(current)
    return decision if isinstance(decision, Change) else Change(decision)


def _singular(collection: str) -> str:
    noun = collection.replace("_", " ")
    return noun[:-3] + "y" if noun.endswith("ies") else noun.removesuffix("s")


def _write_cursor(last: Stored, order_by: str | None, descending: bool) -> str:
    value: Any = last.body if order_by is not None else None
    for part in (order_by or "").split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    text = json.dumps([order_by, descending, value, last.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str, order_by: str | None, descending: bool) -> tuple[Scalar, str]:
    wrong = InvalidInput.field("cursor", "is not one this list gave out; start again without a cursor")
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise wrong from error
    match parts:
        case [by, down, (str() | int() | float() | bool() | None) as value, str(id)]:
            if (by, down) == (order_by, descending) and _can_be_compared(value) and _can_be_compared(id):
                return value, id
    raise wrong


def _can_be_compared(value: Scalar) -> bool:
    """Cursors come from outside: databases take no larger integers, and no text that is not Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() == value
    return not isinstance(value, int) or -(2**63) <= value < 2**63
