"""The relay between documents and the bus: it publishes what the documents' outboxes hold."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import timedelta

from video_manager.contracts.envelope import Envelope
from video_manager.errors import NotFound, PermanentError
from video_manager.held_messages import HeldMessages, Key, key_of
from video_manager.ports import Clock, DocumentStore, MessageBus, Unsent
from video_manager.tasks import end_tasks

BATCH = 200
"""Documents per round: their messages are published together."""

MOST_IN_HAND = 20_000
"""More messages than this are not kept in memory: the sweep finds them in their documents."""

MARK_SECONDS = 0.25
"""What was published is marked as sent when nothing more was for so long, at the latest after `LATEST_MARK_SECONDS`:
marking each at once cost as many writes as the work itself, and a document that goes on is marked once for several
messages. A crash before repeats those messages. A sweep leaves alone what is younger than `sweep_seconds`, so both have
to be well below."""
LATEST_MARK_SECONDS = 1.0
_MARKED_AT_ONCE = 20
"""Documents a write, so that others come in between."""

LONGEST_PAUSE_SECONDS = 10.0
"""A broker or a store that is away is tried again at least this often."""

LAST_SECONDS = 5.0
"""How long a stop waits for the bus to take what was just written."""

_FIRST_SECONDS = 1.0
_HELD_PER_SWEEP = 200
"""Reading held messages again costs: with so many more of them, sweeps are one interval further apart."""

_log = logging.getLogger(__name__)


class OutboxRelay:
    """Publishes messages, then marks them as sent; a crash in between sends them again with the same ids.

    What this process writes is published at once, from memory. A sweep looks every `sweep_seconds` for what was left
    behind by a crash or a failed publish; it leaves alone what has waited less than that, because the process that
    wrote it is just publishing it. Clocks that differ by more than `sweep_seconds` cost repeated messages, no more.
    With `alone` there is no other process, and everything that waits is taken at once.

    The messages that one process writes into a document keep their order, except that one that cannot be routed does
    not hold up those behind it, and that what failed may come after what was written later.
    """

    def __init__(
        self, store: DocumentStore, bus: MessageBus, clock: Clock, *, sweep_seconds: float = 3.0, alone: bool = False
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._alone = alone
        self._held = HeldMessages(clock, min(_FIRST_SECONDS, sweep_seconds))
        self._written: deque[Unsent] = deque()
        self._in_hand: set[Key] = set()
        self._mark_seconds = min(MARK_SECONDS, sweep_seconds / 10)
        self._latest_mark_seconds = min(LATEST_MARK_SECONDS, sweep_seconds / 3)
        self._sent: list[Unsent] = []
        self._something_sent = asyncio.Event()
        self._marking = asyncio.Lock()
        self._woken = asyncio.Event()
        self._stopping = False
        self._remembers = False
        """Whether what this process writes is taken from memory: not while a publish fails, nor without `start`."""
        self._failures = 0
        self._sweep_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        store.on_unsent(self._on_unsent)

    async def start(self) -> None:
        self._stopping = False
        self._remembers = True
        self._sweep_at = self._clock.monotonic()
        self._woken.set()
        self._tasks = [
            asyncio.create_task(self._relay(), name="outbox relay"),
            asyncio.create_task(self._tick(), name="outbox sweep"),
            asyncio.create_task(self._keep_marking(), name="outbox marks"),
        ]

    async def stop(self) -> None:
        """Send what this process has just written; the rest is sent by others, or after the next start."""
        if not self._tasks:
            return
        self._stopping = True
        self._woken.set()
        relay, tick, marks = self._tasks
        await end_tasks([tick])
        await asyncio.gather(relay, return_exceptions=True)
        await end_tasks([marks])  # not before: it may be writing down what has just been sent
        self._tasks = []

    async def lag_seconds(self) -> float:
        """How long the longest waiting message has been waiting; 0 when none is."""
        oldest = await self._store.oldest_unsent()
        return max(0.0, (self._clock.now() - oldest).total_seconds()) if oldest is not None else 0.0

    # ---- when -------------------------------------------------------------------------------------------

    def _on_unsent(self, document: Unsent) -> None:
        if self._remembers and len(self._in_hand) < MOST_IN_HAND:
            self._written.append(document)
            self._in_hand.update(_keys([document]))
            self._woken.set()

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(min(_FIRST_SECONDS, self._sweep_seconds / 2))
            if self._clock.monotonic() >= self._sweep_at:
                self._woken.set()

    async def _relay(self) -> None:
        while not self._stopping:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._send_some()
                if self._clock.monotonic() >= self._sweep_at and not self._stopping:
                    await self._sweep_some()
            except Exception as error:  # noqa: BLE001 - whatever the disk or the broker does, the relay goes on
                self._fall_behind(error)
        await self._end()

    async def _end(self) -> None:
        self._remembers = False
        try:
            async with asyncio.timeout(LAST_SECONDS):
                while self._written:
                    await self._send_some()
                await self._mark_sent()
        except Exception as error:  # noqa: BLE001 - the messages stay in their documents
            _log.warning("the last messages stay in their outboxes: %s", str(error) or "the bus takes too long")
        self._drop_memory()

    def _fall_behind(self, error: Exception) -> None:
        self._failures += 1
        delay = min(
            2.0 ** min(self._failures - 1, 10) * min(_FIRST_SECONDS, self._sweep_seconds), LONGEST_PAUSE_SECONDS
        )
        self._sweep_at = self._clock.monotonic() + self._spread(delay)
        self._drop_memory()
        self._remembers = False
        _log.warning("messages wait in their outboxes, next try in %.0f s: %s", delay, error, exc_info=error)

    def _drop_memory(self) -> None:
        self._written.clear()
        self._in_hand.clear()

    def _spread(self, seconds: float) -> float:
        """Several processes shall not sweep at the same moment."""
        return seconds if self._alone else seconds * random.uniform(0.8, 1.2)  # noqa: S311 - no secret

    # ---- what -------------------------------------------------------------------------------------------

    async def _send_some(self) -> None:
        """What this process wrote, some documents at once."""
        if not self._written:
            return
        batch = [self._written.popleft() for _ in range(min(BATCH, len(self._written)))]
        if self._written:
            self._woken.set()
        await self._send(batch)

    async def _sweep_some(self) -> None:
        """What was left behind, some documents at once."""
        await self._mark_sent()  # else it would be read again
        mine = frozenset(self._in_hand)
        limit = BATCH + self._held.documents
        before = None if self._alone else self._clock.now() - timedelta(seconds=self._sweep_seconds)
        found = await self._store.unsent(limit, before)
        waiting = [rest for document in found if (rest := self._left_behind(document, mine)).messages]
        await self._send(waiting)
        self._failures, self._remembers = 0, True
        if len(found) < limit:
            self._held.keep_only(found, before)
        if len(found) == limit and waiting:
            self._woken.set()
        else:
            pause = self._sweep_seconds * (1 + len(self._held) // _HELD_PER_SWEEP)
            self._sweep_at = self._clock.monotonic() + self._spread(pause)

    def _left_behind(self, document: Unsent, mine: frozenset[Key]) -> Unsent:
        messages = []
        for message in document.messages:
            key = key_of(document, message)
            if key not in mine and key not in self._in_hand and not self._held.waits(key):
                messages.append(message)
        return Unsent(document.collection, document.id, tuple(messages))

    async def _send(self, documents: Sequence[Unsent]) -> None:
        # What could not be routed before is tried by itself, so that it does not repeat the others.
        suspects = [document for document in documents if any(key in self._held for key in _keys([document]))]
        usual = [document for document in documents if document not in suspects]
        if usual:
            try:
                await self._bus.publish([message for document in usual for message in document.messages])
            except (NotFound, PermanentError):
                suspects += usual  # One of them. Those published twice carry the same id.
            else:
                self._note_sent(usual)
                if len(self._sent) >= BATCH:
                    await self._mark_sent()  # the store keeps up with the bus
        await asyncio.gather(*(self._send_singly(document) for document in suspects))

    async def _send_singly(self, document: Unsent) -> None:
        sent = []
        try:
            for message in document.messages:
                try:
                    await self._bus.publish([message])
                    sent.append(message)
                except (NotFound, PermanentError) as error:
                    self._held.hold(document, message, error)
                    self._in_hand.discard(key_of(document, message))
        finally:
            await self._write_sent([Unsent(document.collection, document.id, tuple(sent))])

    # ---- what was sent ----------------------------------------------------------------------------------

    def _note_sent(self, documents: Sequence[Unsent]) -> None:
        self._sent += documents
        self._something_sent.set()

    async def _keep_marking(self) -> None:
        while True:
            await self._something_sent.wait()
            latest = self._clock.monotonic() + self._latest_mark_seconds
            while self._something_sent.is_set() and self._clock.monotonic() < latest:
                self._something_sent.clear()
                await self._clock.sleep(self._mark_seconds)
            self._something_sent.clear()
            try:
                await self._mark_sent()
            except Exception as error:  # noqa: BLE001 - as in `_relay`; what is not marked is swept and sent again
                self._fall_behind(error)

    async def _mark_sent(self) -> None:
        """All that was sent so far; when it returns, a sweep will not find it again."""
        async with self._marking:
            sent, self._sent = self._sent, []
            if sent:
                await self._write_sent(sent)

    async def _write_sent(self, documents: Sequence[Unsent]) -> None:
        messages: dict[tuple[str, str], list[Envelope]] = {}
        for document in documents:
            messages.setdefault((document.collection, document.id), []).extend(document.messages)
        marks = [Unsent(*key, tuple(sent)) for key, sent in messages.items() if sent]
        for start in range(0, len(marks), _MARKED_AT_ONCE):
            await self._store.mark_all_sent(marks[start : start + _MARKED_AT_ONCE])
        for key in _keys(documents):
            self._in_hand.discard(key)
            self._held.release(key)


def _keys(documents: Iterable[Unsent]) -> Iterable[Key]:
    return (key_of(document, message) for document in documents for message in document.messages)
