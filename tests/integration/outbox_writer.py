"""A process that writes documents with messages, relays those, and ends."""

import asyncio
import sys
from pathlib import Path

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.contracts.envelope import envelope
from video_manager.contracts.events import VersionReady
from video_manager.outbox import OutboxRelay
from video_manager.ports import CollectionSpec


async def run(folder: str, name: str, count: str) -> None:
    store, bus = SqliteDocuments(Path(folder) / "documents.db"), SqliteBus(Path(folder) / "bus.db")
    # So long that a machine that is busy for a while does not decide the test.
    relay = OutboxRelay(store, bus, SystemClock(), sweep_seconds=60)
    await store.open()
    await store.register(CollectionSpec("things"))
    await bus.open()
    await relay.start()
    for n in range(int(count)):
        body = VersionReady(video_id=name, version=n + 1, title="A", created_by="u", findings=0)
        written = envelope(body, source="test", subject=name)
        await store.insert("things", f"{name}-{n}", {"id": f"{name}-{n}"}, outbox=[written])
    await relay.stop()
    await bus.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
