"""Which queues there are and what they are bound to. AMQP cannot list either, so each queue has a row in a table on the
broker itself, written before and after its bindings change: a crash leaves a row that names too much, never too little.
"""

import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from video_manager import __version__
from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.broker_answers import answering
from video_manager.adapters.cluster.broker_link import BrokerLink, close_quietly
from video_manager.adapters.cluster.broker_table import BrokerTable
from video_manager.adapters.cluster.publisher import Outgoing, Publisher, persistent
from video_manager.adapters.cluster.quorum_births import exists, give_birth
from video_manager.adapters.cluster.topology import Topology

FRESH_SECONDS = 30.0
"""A queue that another process declares is known here after this at the latest."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Row:
    """`revision` grows with each row of a queue: the highest counts. `release` is the newest that wrote one."""

    types: frozenset[str]
    release: tuple[int, ...] = ()
    revision: int = 0

    def says(self, types: Iterable[str], release: tuple[int, ...]) -> bool:
        return self.types == frozenset(types) and self.release == release


_OUR_RELEASE = tuple(int(part) for part in __version__.split(".") if part.isdigit())


class Bindings:
    def __init__(
        self, topology: Topology, address: BrokerAddress, link: BrokerLink, publisher: Publisher, table: BrokerTable,
    ) -> None:  # fmt: skip
        self._topology = topology
        self._address = address
        self._link = link
        self._publisher = publisher
        self._table = table
        self._own: dict[str, tuple[str, ...]] = {}
        self._rows: dict[str, _Row] = {}
        self._read_at = float("-inf")
        self._unfinished: set[str] = set()
        """Own queues that are being made again: they may be there without their bindings."""

    async def queues(self) -> list[str]:
        """All that are known to exist, of any process, in order."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            await self.read()
        return sorted({*self._rows, *self._own})

    async def read(self) -> None:
        async with self._table.taken() as messages:
            self._rows = _rows(messages)
        self._read_at = time.monotonic()

    async def replace(self, queue: str, types: Sequence[str]) -> None:
        """The queue exists and is bound to these types, and to no others that we know of; only a release older than the
        one that bound it leaves those of the newer one alone. Raises Unavailable, SettingsError."""
        row = self._rows.get(queue)
        if row is not None and row.says(types, _OUR_RELEASE):
            await self._declare(queue, types)
        else:
            async with self._table.taken() as messages:
                await self._replace(queue, types, messages)
        self._own[queue] = tuple(types)

    async def restore(self, connection: AbstractConnection) -> None:
        """After a connection was lost: make again what the broker has lost. What is still there keeps its bindings,
        which a newer release may have changed meanwhile."""
        with self._address.permission():
            is_complete = partial(exists, exchange=self._topology.messages)
            if not await is_complete(connection):
                self._unfinished.update(self._own)
                for queue in self._topology.kept_queues:
                    await self._give_birth(queue, partial(self._topology.declare_kept, queue=queue), is_complete)
            async with answering("making what every process needs"):
                channel = await connection.channel(publisher_confirms=False)
                await self._topology.declare_base(channel)
            for queue, types in self._own.items():
                if queue in self._unfinished or not await exists(connection, queue=self._topology.queue(queue)):
                    _log.warning("queue %s is made again: RabbitMQ at %s has lost it", queue, self._address)
                    await self._make_again(connection, queue, types)
            await close_quietly(channel)

    async def _replace(self, queue: str, types: Sequence[str], messages: Sequence[AbstractIncomingMessage]) -> None:
        self._rows = _rows(messages)
        row = self._rows.get(queue, _Row(frozenset()))
        stale = row.types - set(types) if row.release <= _OUR_RELEASE else frozenset()
        release = max(row.release, _OUR_RELEASE)
        if not row.revision:
            await self._make(queue, types)
        if not row.types >= set(types):
            row = await self._write(queue, _Row(row.types | set(types), release, row.revision + 1))
        await self._declare(queue, types, stale)
        if not row.says(row.types - stale, release):
            row = await self._write(queue, _Row(row.types - stale, release, row.revision + 1))
        if stale:
            _log.info("queue %s no longer gets %s", queue, ", ".join(sorted(stale)))
        self._rows[queue] = row
        for message in messages:
            name, old = _row(message)
            if name == queue and old.revision < row.revision:
                await message.ack()

    async def _write(self, queue: str, row: _Row) -> _Row:
        facts = {"queue": queue, "types": sorted(row.types), "release": row.release, "revision": row.revision}
        message = persistent(json.dumps(facts).encode(), message_id=None, type="binding", priority=None)
        await self._publisher.send([Outgoing("", self._topology.bindings, message)])
        return row

    async def _declare(self, queue: str, types: Sequence[str], stale: Iterable[str] = ()) -> None:
        channel = await self._link.channel()
        try:
            with self._address.permission():
                async with answering(f"declaring queue {queue}"):
                    await self._topology.declare_queue(channel, queue, types)
                    await self._topology.bind_queue(channel, queue, types)
                    await self._topology.unbind(channel, queue, stale)
        finally:
            await close_quietly(channel)

    async def _make_again(self, connection: AbstractConnection, queue: str, types: Sequence[str]) -> None:
        self._unfinished.add(queue)
        await self._make(queue, types)
        async with answering(f"binding queue {queue}"):
            channel = await connection.channel(publisher_confirms=False)
            await self._topology.bind_queue(channel, queue, types)
        self._unfinished.discard(queue)
        await close_quietly(channel)

    async def _make(self, queue: str, types: Sequence[str]) -> None:
        """Without its bindings."""
        await self._give_birth(
            self._topology.queue(queue), partial(self._topology.declare_queue, name=queue, types=types)
        )

    async def _give_birth(
        self, queue: str, declare: Callable[[AbstractChannel], Awaitable[None]],
        is_done: Callable[[AbstractConnection], Awaitable[bool]] | None = None,
    ) -> None:  # fmt: skip
        with self._address.permission():
            await give_birth(self._address, self._topology.births, queue, declare, is_done)


def _rows(messages: Iterable[AbstractIncomingMessage]) -> dict[str, _Row]:
    found: dict[str, _Row] = {}
    for queue, row in map(_row, messages):
        if queue not in found or found[queue].revision < row.revision:
            found[queue] = row
    return found


def _row(message: AbstractIncomingMessage) -> tuple[str, _Row]:
    facts = json.loads(message.body)
    return facts["queue"], _Row(frozenset(facts["types"]), tuple(facts["release"]), facts["revision"])
