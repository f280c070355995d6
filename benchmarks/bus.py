"""The bus, embedded and on RabbitMQ, beside the floor: the bare broker in the same run, with nothing of ours.

    PYTHONPATH=src python benchmarks/bus.py amqp://user:password@host:5672/ [FOLDER]

FOLDER is where the embedded bus writes (default: a temporary folder). What is made on the broker is removed again.
"""

import asyncio
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.adapters.cluster.topology import Topology
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.contracts.envelope import Envelope
from video_manager.ports import MessageBus, Subscription

MESSAGES = 4000
BATCH = 100
PREFETCH = 50
HOPS_PER_SECOND = 200
HOP_SECONDS = 5.0
CREATED, RENDER = "version.created", "render.benchmark"


def message(type: str) -> Envelope:
    now = datetime.now(UTC)
    return Envelope(
        id=uuid.uuid4().hex, type=type, source="bench", time=now, subject="s", correlation_id="s",
        data={"text": "x" * 300, "sent": time.perf_counter()},
    )  # fmt: skip


def show(name: str, published: float, drained: float, hops: list[float]) -> None:
    hops = sorted(hops)
    p50, p99 = statistics.median(hops) * 1000, hops[int(len(hops) * 0.99)] * 1000
    print(f"{name:<42}{published:>12,.0f}{drained:>12,.0f}{p50:>10.1f}{p99:>10.1f}")


async def paced(send: Callable[[], Awaitable[object]]) -> None:
    """Call it at the rate of hops, whether or not the one before has ended."""
    start, tasks = time.perf_counter(), set[asyncio.Task[object]]()
    for n in range(int(HOPS_PER_SECOND * HOP_SECONDS)):
        await asyncio.sleep(max(0.0, start + n / HOPS_PER_SECOND - time.perf_counter()))
        tasks.add(asyncio.ensure_future(send()))
    await asyncio.gather(*tasks)


class Sink:
    """Counts, and measures how long each message was under way."""

    def __init__(self, expected: int) -> None:
        self.hops: list[float] = []
        self.full = asyncio.Event()
        self._expected = expected

    async def take(self, envelope: Envelope) -> None:
        self.hops.append(time.perf_counter() - envelope.data["sent"])
        if len(self.hops) >= self._expected:
            self.full.set()


async def measure_bus(name: str, bus: MessageBus, type: str) -> None:
    """Four tasks publish batches, as the relay of the outboxes does; then one process drains; then single messages."""
    await bus.declare(type, [type])

    async def publish() -> None:
        for _ in range(MESSAGES // BATCH // 4):
            await bus.publish([message(type) for _ in range(BATCH)])

    start = time.perf_counter()
    await asyncio.gather(*(publish() for _ in range(4)))
    published = MESSAGES / (time.perf_counter() - start)

    sink = Sink(MESSAGES)
    start = time.perf_counter()
    # A lambda, because it is another sink later on.
    handler = lambda envelope: sink.take(envelope)  # noqa: E731, PLW0108
    consumer = await bus.consume(Subscription(type, (type,), handler, prefetch=PREFETCH))
    await sink.full.wait()
    drained = MESSAGES / (time.perf_counter() - start)

    sink = Sink(int(HOPS_PER_SECOND * HOP_SECONDS))
    await paced(lambda: bus.publish([message(type)]))
    await sink.full.wait()
    await consumer.pause()
    show(name, published, drained, sink.hops)


async def measure_bare(name: str, url: str, queue_name: str, arguments: dict[str, object]) -> None:
    """The same messages with confirms and acknowledgements, and nothing else."""
    async with await aio_pika.connect(url) as connection:
        channel, taking = await connection.channel(), await connection.channel(publisher_confirms=False)
        await channel.declare_queue(queue_name, durable=True, arguments=arguments)  # type: ignore[arg-type]

        async def publish_one() -> None:
            body = message(CREATED).model_dump_json().encode()
            await channel.default_exchange.publish(aio_pika.Message(body, delivery_mode=2), queue_name)

        start = time.perf_counter()
        for _ in range(MESSAGES // (4 * BATCH)):
            await asyncio.gather(*(publish_one() for _ in range(4 * BATCH)))
        published = MESSAGES / (time.perf_counter() - start)

        sink = Sink(MESSAGES)

        async def take(incoming: AbstractIncomingMessage) -> None:
            await sink.take(Envelope.model_validate_json(incoming.body))
            await incoming.ack()

        await taking.set_qos(prefetch_count=PREFETCH)
        start = time.perf_counter()
        await (await taking.get_queue(queue_name)).consume(take)
        await sink.full.wait()
        drained = MESSAGES / (time.perf_counter() - start)

        sink = Sink(int(HOPS_PER_SECOND * HOP_SECONDS))
        await paced(publish_one)
        await sink.full.wait()
        await channel.queue_delete(queue_name)
        show(name, published, drained, sink.hops)


async def remove(url: str, topology: Topology) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for queue in (topology.queue(CREATED), topology.queue(RENDER), topology.dead, topology.bindings):
            await channel.queue_delete(queue)
        for exchange in (topology.messages, topology.hints, topology.back, topology.dead):
            await channel.exchange_delete(exchange)


async def main() -> None:
    url = sys.argv[1]
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    print(f"{MESSAGES} messages of 0.5 kB in batches of {BATCH}; hops at {HOPS_PER_SECOND} messages/s")
    print(f"{'':<42}{'publish/s':>12}{'drain/s':>12}{'p50 ms':>10}{'p99 ms':>10}")
    with tempfile.TemporaryDirectory(dir=folder) as own:
        embedded = SqliteBus(Path(own) / "bus.db")
        await embedded.open()
        await measure_bus("embedded", embedded, CREATED)
        await embedded.close()
    bare = f"bare-{uuid.uuid4().hex[:8]}"
    await measure_bare("floor: bare broker, quorum queue", url, bare, {"x-queue-type": "quorum"})
    topology = Topology(f"bench-{uuid.uuid4().hex[:8]}")
    rabbit = RabbitBus(url, prefix=topology.prefix)
    await rabbit.open()
    await measure_bus("RabbitMQ, events (quorum queue)", rabbit, CREATED)
    await measure_bare("floor: bare broker, classic with priorities", url, bare, {"x-max-priority": 9})
    await measure_bus("RabbitMQ, work (classic with priorities)", rabbit, RENDER)
    await rabbit.close()
    await remove(url, topology)


if __name__ == "__main__":
    asyncio.run(main())
