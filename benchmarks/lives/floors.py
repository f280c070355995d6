"""The floor: what the bare broker and the bare databases give on the same machine, with documents and messages of the
size that the lives had, and the same promise (on disk when it returns)."""

import asyncio
import json
import sqlite3
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from pymongo import AsyncMongoClient

from video_manager.adapters.cluster.mongo import READ_CONCERN, WRITE_CONCERN

SECONDS = 2.0
AT_ONCE = 16
MESSAGES = 3000
PREFETCH = 50


@dataclass(frozen=True)
class Rates:
    """Calls a second, one after the other and several tasks at once."""

    alone: float
    at_once: float


async def rate(work: Callable[[int], Awaitable[object]]) -> Rates:
    return Rates(await _rate(work, 1), await _rate(work, AT_ONCE))


async def _rate(work: Callable[[int], Awaitable[object]], tasks: int) -> float:
    done, end = 0, time.perf_counter() + SECONDS

    async def repeat() -> None:
        nonlocal done
        while time.perf_counter() < end:
            done += 1
            await work(done)

    began = time.perf_counter()
    await asyncio.gather(*(repeat() for _ in range(tasks)))
    return done / (time.perf_counter() - began)


async def mongodb(url: str, body: Mapping[str, Any]) -> dict[str, Rates]:
    """`body` is that of a video whose life has ended."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url)
    try:
        base = client.get_default_database(write_concern=WRITE_CONCERN, read_concern=READ_CONCERN)
        bare = base["bare"]
        ids = [str(n) for n in range(200)]
        await bare.insert_many([{"_id": id, "revision": 1, "body": body} for id in ids])
        found = {
            "insert_one": await rate(lambda _: bare.insert_one({"_id": uuid.uuid4().hex, "body": body})),
            "find_one": await rate(lambda n: bare.find_one({"_id": ids[n % 200]})),
            "update_one": await rate(
                lambda n: bare.update_one({"_id": ids[n % 200]}, {"$set": {"body": body}, "$inc": {"revision": 1}})
            ),
            "find_one_and_update": await rate(
                lambda n: bare.find_one_and_update(
                    {"_id": ids[n % 200]}, {"$set": {"body": body}, "$inc": {"revision": 1}}, {"revision": 1}
                )
            ),
        }
        await bare.drop()
        return found
    finally:
        await client.close()


def sqlite(folder: Path, body: Mapping[str, Any]) -> dict[str, float]:
    """One connection, one transaction a write: SQLite has one writer at a time."""
    connection = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE bare (id TEXT PRIMARY KEY, revision INTEGER, body TEXT)")
    text = json.dumps(body)

    def repeat(statement: str, values: Callable[[int], tuple[Any, ...]]) -> float:
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < SECONDS:
            connection.execute(statement, values(done)).fetchall()
            done += 1
        return done / (time.perf_counter() - began)

    try:
        return {
            "insert": repeat("INSERT INTO bare VALUES (?, 1, ?)", lambda n: (str(n), text)),
            "update": repeat(
                "UPDATE bare SET body = ?, revision = revision + 1 WHERE id = ? RETURNING revision",
                lambda n: (text, str(n % 200)),
            ),
        }
    finally:
        connection.close()


@dataclass(frozen=True)
class BrokerRates:
    """Messages a second: each confirmed before the next, several at once, and taken with acknowledgement while
    publishing goes on; and the seconds from publishing to taking at the pace of the lives."""

    alone: float
    at_once: float
    through: float
    hops: list[float]


async def rabbitmq(url: str, body: bytes, per_second: float) -> BrokerRates:
    connection = await aio_pika.connect(url)
    async with connection:
        sending, taking = await connection.channel(), await connection.channel()
        await taking.set_qos(prefetch_count=PREFETCH)
        name = f"bare-{uuid.uuid4().hex}"
        arguments: dict[str, Any] = {"x-queue-type": "quorum"}  # as ours
        queue = await taking.declare_queue(name, durable=True, arguments=arguments)

        async def send(_n: int = 0) -> None:
            message = aio_pika.Message(
                body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, headers={"sent": str(time.perf_counter())}
            )
            await sending.default_exchange.publish(message, name)

        sent = await rate(send)
        await queue.purge()
        hops: list[float] = []
        all_taken = asyncio.Event()

        async def take(message: AbstractIncomingMessage) -> None:
            hops.append(time.perf_counter() - float(str(message.headers["sent"])))
            await message.ack()
            if len(hops) == MESSAGES // AT_ONCE * AT_ONCE:
                all_taken.set()

        await queue.consume(take)
        began = time.perf_counter()
        for _ in range(MESSAGES // AT_ONCE):
            await asyncio.gather(*(send() for _ in range(AT_ONCE)))
        await all_taken.wait()
        through = len(hops) / (time.perf_counter() - began)
        hops.clear()
        began = time.perf_counter()
        for n in range(int(per_second * 5)):
            await asyncio.sleep(max(0.0, began + n / per_second - time.perf_counter()))
            await send()
        await asyncio.sleep(0.5)
        await queue.delete(if_unused=False, if_empty=False)
    return BrokerRates(sent.alone, sent.at_once, through, hops)
