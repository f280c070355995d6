"""Dead letters: one queue of the broker, which any process can list, send again from, and drop from.

A listing takes all messages under a lock and puts them back, so it never sees only a part of them. What is sent again
is confirmed before it is taken away: a crash in between leaves the letter, and its message arrives twice.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from video_manager.adapters.cluster.broker_table import BrokerTable
from video_manager.adapters.cluster.publisher import Outgoing, Publisher, Unroutable, persistent
from video_manager.adapters.cluster.topology import Topology
from video_manager.errors import NotFound
from video_manager.ports import DeadLetter

ATTEMPTS = "attempts"
"""Header: how often the message has failed in its queue."""
QUEUE, REASON, DIED_AT = "dead-queue", "dead-reason", "dead-at"
"""Headers of a message that a consumer gave up; the broker writes its own (`x-death`)."""

_LONGEST_REASON = 4000
_BROKER_REASONS = {
    "delivery_limit": "every process that took it ended before it answered",
    "expired": "it waited longer than the queue allows",
    "maxlen": "the queue was full",
    "rejected": "a consumer rejected it",
}


class DeadLetters:
    def __init__(self, topology: Topology, publisher: Publisher, table: BrokerTable) -> None:
        self._topology = topology
        self._publisher = publisher
        self._table = table

    async def bury(self, message: AbstractIncomingMessage, queue: str, reason: str, attempts: int) -> None:
        """On the broker when it returns; the message itself is still to be acknowledged. Raises Unavailable."""
        headers: dict[str, Any] = {
            QUEUE: queue, REASON: reason[:_LONGEST_REASON], ATTEMPTS: attempts, DIED_AT: datetime.now(UTC).isoformat(),
        }  # fmt: skip
        letter = persistent(
            message.body, message_id=message.message_id, type=message.type, priority=message.priority, headers=headers
        )
        await self._publisher.send([Outgoing(self._topology.dead, queue, letter)])

    async def newest(self, limit: int) -> list[DeadLetter]:
        found: dict[str, DeadLetter] = {}
        async with self._table.taken() as messages:
            for message in messages:
                letter = self._letter(message)
                # Of one that was buried twice, because a process died in between, the later one.
                if letter.id not in found or found[letter.id].died_at <= letter.died_at:
                    found[letter.id] = letter
        return sorted(found.values(), key=lambda letter: (letter.died_at, letter.id), reverse=True)[:limit]

    async def resend(self, id: str) -> None:
        """Raises NotFound."""
        async with self._table.taken() as messages:
            copies = self._copies(messages, id)
            queue = self._letter(copies[-1]).queue
            again = persistent(
                copies[-1].body, message_id=copies[-1].message_id, type=copies[-1].type, priority=copies[-1].priority
            )
            try:
                await self._publisher.send([Outgoing("", self._topology.queue(queue), again)])
            except Unroutable as error:
                raise NotFound(
                    f"dead letter {id!r} cannot be sent again: its queue {queue!r} is gone; start the service that "
                    "had it, or drop the letter"
                ) from error
            for copy in copies:
                await copy.ack()

    async def drop(self, id: str) -> None:
        """Raises NotFound."""
        async with self._table.taken() as messages:
            for copy in self._copies(messages, id):
                await copy.ack()

    def _copies(self, messages: Sequence[AbstractIncomingMessage], id: str) -> list[AbstractIncomingMessage]:
        found = [message for message in messages if self._letter(message).id == id]
        if not found:
            raise NotFound(f"there is no dead letter {id!r}: it was sent again or dropped already")
        return found

    def _letter(self, message: AbstractIncomingMessage) -> DeadLetter:
        headers = message.headers
        attempts = headers.get(ATTEMPTS)
        if REASON in headers:
            queue, reason = str(headers[QUEUE]), str(headers[REASON])
            died_at = datetime.fromisoformat(str(headers[DIED_AT]))
        else:
            queue, reason, died_at = self._death_by_broker(message)
        return DeadLetter(
            id=_id_of(message, queue), queue=queue, envelope=_readable(message.body), reason=reason,
            attempts=attempts if isinstance(attempts, int) else 0, died_at=died_at,
        )  # fmt: skip

    def _death_by_broker(self, message: AbstractIncomingMessage) -> tuple[str, str, datetime]:
        """Queue, reason and time from the newest of the broker's own notes."""
        deaths = message.headers.get("x-death")
        death: Mapping[str, Any] = deaths[0] if isinstance(deaths, list) and isinstance(deaths[0], dict) else {}
        queue, why, time = str(death.get("queue", "")), str(death.get("reason", "")), death.get("time")
        died_at = time if isinstance(time, datetime) else datetime.fromtimestamp(0, UTC)
        if self._topology.is_delay(queue) or not death:
            queue, reason = message.routing_key or "", "the queue that it was to go back to is gone"
        else:
            reason = f"the broker gave it up ({why}): {_BROKER_REASONS.get(why, 'see its documentation')}"
        return self._topology.name(queue), reason, died_at.astimezone(UTC)


def _id_of(message: AbstractIncomingMessage, queue: str) -> str:
    """The same for a message that dies in the same queue again, or was buried twice."""
    own = (message.message_id or "").encode() or message.body
    return hashlib.sha256(b"\0".join((queue.encode(), own))).hexdigest()[:32]


def _readable(body: bytes) -> Mapping[str, Any]:
    text = body.decode(errors="replace")
    try:
        parsed = json.loads(text)
    except ValueError:
        return {"unreadable": text}
    return parsed if isinstance(parsed, dict) else {"unreadable": text}
