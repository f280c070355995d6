"""Messages that nobody can handle, published to the exchange of a running cluster as any program may do it."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import aio_pika
import httpx
from tests.chaos.batch import END_SECONDS
from tests.system.conftest import wait_for

EXCHANGE = "video-manager"
BODY = {"job_id": "j", "video_id": "v", "version": 1, "attempt": 1, "result": {"files": []}}


def letter(id: str, **changed: Any) -> bytes:
    """An envelope of `render.finished`, but for what is changed."""
    return json.dumps({
        "id": id, "type": "render.finished", "source": "tests", "time": datetime.now(UTC).isoformat(), "subject": "v",
        "correlation_id": "v", "data": BODY, **changed,
    }).encode()  # fmt: skip


POISON: dict[str, tuple[str, bytes, str]] = {
    "no JSON": ("render.finished", b"no json \xff", "unreadable message"),
    "no envelope": ("publication.create", b'{"id": "no envelope"}', "unreadable message"),
    "a command without its envelope": ("render.test-card", b"[]", "unreadable message"),
    "an unknown type": (
        "render.finished", letter("unknown", type="video.dubbed"), "unknown message type 'video.dubbed'",
    ),
    "the next version of a type": (
        "render.finished", letter("next", data=BODY | {"version": {"major": 1, "minor": 2}}), "does not fit its type",
    ),
    "work without a job": (
        "processing", letter("none", type="processing", data={"job_id": 7}), "does not fit its type",
    ),
}  # fmt: skip
"""Routing key, body, and what the reason says."""


def publish_poison(rabbitmq_url: str) -> None:
    """All of it. Raises when one is not taken by a queue."""

    async def publish() -> None:
        connection = await aio_pika.connect(rabbitmq_url)
        async with connection:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange(EXCHANGE)
            for key, body, _ in POISON.values():
                await exchange.publish(aio_pika.Message(body, content_type="application/json"), key)

    asyncio.run(publish())


def dead_letters(http: httpx.Client, count: int) -> list[dict[str, Any]]:
    """Once there are so many."""
    seen: list[dict[str, Any]] = []

    def look() -> bool:
        answer = http.get("/dead-letters")
        if answer.status_code != 503:  # the broker may be away
            seen[:] = answer.raise_for_status().json()["items"]
        return len(seen) == count

    wait_for(look, END_SECONDS, f"not {count} dead letters: {seen}")
    return seen
