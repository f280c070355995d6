"""From raw payloads to the warehouse. Loading the same payload twice changes nothing."""

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from pydantic import ValidationError

from video_manager.analytics.option_values import spec_options
from video_manager.analytics.raw import EVENT, METRICS
from video_manager.analytics.warehouse_port import (
    DeletedVideoRow,
    Facts,
    PublicationRow,
    ReviewRow,
    SnapshotRow,
    VersionRow,
    Warehouse,
)  # fmt: skip
from video_manager.contracts import events
from video_manager.contracts.catalogue import body_of
from video_manager.contracts.envelope import Body, Envelope
from video_manager.domain.metrics import RawPayload
from video_manager.errors import PermanentError
from video_manager.plugins.api import Collector
from video_manager.ports import Op, Query, Where
from video_manager.repository import Loaded, Repository

FindCollector = Callable[[str], Collector[Any] | None]
"""The collector of a platform; None when there is none."""

BATCH = 500
_log = logging.getLogger(__name__)


class Loader:
    def __init__(self, raw: Repository[RawPayload], warehouse: Warehouse, find_collector: FindCollector) -> None:
        self._raw = raw
        self._warehouse = warehouse
        self._find_collector = find_collector
        self._unreadable: set[str] = set()

    async def load(self, ids: Sequence[str]) -> int:
        """Put these payloads into the warehouse; how many it took. One that cannot be read is logged, stays
        unloaded, and keeps nobody else from being loaded."""
        return await self._load([item.value for item in await self._raw.load_many(ids) if not item.value.loaded])

    async def load_waiting(self) -> int:
        """What a crash left between the raw payload and the warehouse."""
        query = Query(where=(_WAITING,), order_by="received_at", limit=BATCH + len(self._unreadable))
        waiting = [item.value for item in await self._raw.find(query)]
        return await self._load([raw for raw in waiting if raw.id not in self._unreadable])

    async def waiting(self) -> int:
        """Payloads that the warehouse does not have."""
        return await self._raw.count(_WAITING)

    async def rebuild(self, *, if_empty: bool = False) -> int:
        """Make the whole warehouse again from the raw payloads; how many there were. With `if_empty` unless another
        process did it just now."""
        done: list[str] = []
        count = [0]
        self._unreadable.clear()
        await self._warehouse.rebuild(self._all_facts(count, done), if_empty=if_empty)
        for id in done:
            await self._mark(id)
        return count[0]

    async def _all_facts(self, count: list[int], done: list[str]) -> AsyncIterator[Facts]:
        cursor: str | None = None
        while True:
            page = await self._raw.page(order_by="received_at", limit=BATCH, cursor=cursor)
            yield self._facts([item.value for item in page.items])
            count[0] += len(page.items)
            done.extend(item.value.id for item in page.items if self._is_new(item))
            cursor = page.next
            if cursor is None:
                return

    def _is_new(self, item: Loaded[RawPayload]) -> bool:
        return not item.value.loaded and item.value.id not in self._unreadable

    async def _load(self, payloads: Sequence[RawPayload]) -> int:
        facts = self._facts(payloads)
        readable = [raw for raw in payloads if raw.id not in self._unreadable]
        if not readable:
            return 0
        await self._warehouse.write(facts)
        for raw in readable:
            await self._mark(raw.id)
        return len(readable)

    async def _mark(self, id: str) -> None:
        await self._raw.change(id, lambda raw: raw.with_(loaded=True))

    def _facts(self, payloads: Sequence[RawPayload]) -> Facts:
        found = []
        for raw in payloads:
            try:
                found.append(self._read(raw))
            except Exception as error:  # noqa: BLE001 - a plugin's `read` may raise anything; the others go on
                self._unreadable.add(raw.id)
                _log.warning("raw payload %s (%s of %s) cannot be loaded: %s", raw.id, raw.source, raw.subject, error)
        return joined(found)

    def _read(self, raw: RawPayload) -> Facts:
        if raw.kind == EVENT:
            return facts_of_event(Envelope.model_validate(raw.payload))
        if raw.kind != METRICS:
            raise PermanentError(f"raw payloads of kind {raw.kind!r} are not known")
        collector = self._find_collector(raw.source)
        if collector is None:
            raise PermanentError(f"no collector of {raw.source} is installed")
        snapshot = collector.read(raw.subject, raw.payload, raw.received_at)
        rows = (
            SnapshotRow(snapshot.publication_id, snapshot.as_of, metric, value)
            for metric, value in snapshot.values.items()
        )
        return Facts(snapshots=tuple(rows))


_WAITING = Where("loaded", Op.EQ, value=False)


def joined(parts: Sequence[Facts]) -> Facts:
    return Facts(
        tuple(row for part in parts for row in part.versions),
        tuple(row for part in parts for row in part.deleted_videos),
        tuple(row for part in parts for row in part.reviews),
        tuple(row for part in parts for row in part.publications),
        tuple(row for part in parts for row in part.snapshots),
    )


def facts_of_event(event: Envelope) -> Facts:
    """What an event tells the warehouse; nothing for one it need not know. Raises PermanentError."""
    try:
        body = body_of(event)
    except ValidationError as error:
        raise PermanentError(f"event {event.id} ({event.type}) does not fit its type: {error}") from error
    read = _READERS.get(type(body))
    return read(event, body) if read is not None else Facts()


def _created(event: Envelope, body: events.VersionCreated) -> Facts:
    row = VersionRow(
        body.video_id, body.version, title=body.title or None, generator=body.spec.generator,
        seed=str(body.spec.seed), created_by=body.created_by, created_at=event.time,
        options=spec_options(body.spec),
    )  # fmt: skip
    return Facts(versions=(row,))


def _ready(event: Envelope, body: events.VersionReady) -> Facts:
    return Facts(
        versions=(VersionRow(body.video_id, body.version, title=body.title or None, ready_at=event.time),)
    )  # fmt: skip


def _failed(event: Envelope, body: events.VersionFailed) -> Facts:
    return Facts(
        versions=(VersionRow(body.video_id, body.version, title=body.title or None, failed_at=event.time),)
    )  # fmt: skip


def _decided(event: Envelope, body: events.ReviewDecided) -> Facts:
    row = ReviewRow(event.id, body.video_id, body.version, body.decision, body.author, event.time)
    return Facts(reviews=(row,))


def _deleted(event: Envelope, body: events.VideoDeleted) -> Facts:
    return Facts(deleted_videos=(DeletedVideoRow(body.video_id, event.time),))


def _publication(_event: Envelope, body: Any) -> Facts:
    row = PublicationRow(
        body.publication_id, body.video_id, body.version, body.channel_id, body.platform, title=body.title or None,
        external_id=body.external_id, url=body.url,
        published_at=body.at if isinstance(body, events.PublicationPublished) else None,
        failed_at=body.at if isinstance(body, events.PublicationFailed) else None,
        withdrawn_at=body.at if isinstance(body, events.PublicationWithdrawn) else None,
    )  # fmt: skip
    return Facts(publications=(row,))


_READERS: dict[type[Body], Callable[[Envelope, Any], Facts]] = {
    events.VersionCreated: _created,
    events.VersionReady: _ready,
    events.VersionFailed: _failed,
    events.ReviewDecided: _decided,
    events.VideoDeleted: _deleted,
    events.PublicationPublished: _publication,
    events.PublicationFailed: _publication,
    events.PublicationWithdrawn: _publication,
}
HEARD_EVENTS: tuple[type[Body], ...] = tuple(_READERS)
"""Kept as raw payloads; the other publication states change no number."""
