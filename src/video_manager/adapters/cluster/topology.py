"""The names and arguments of everything we keep on the broker, and how it is made.

Arguments are never changed: declaring a queue again with others fails. What operators may want to tune (lengths,
limits) is left to their policies. docs/messages.md describes this for authors of workers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractExchange

from video_manager.adapters.routing import is_command
from video_manager.contracts.catalogue import EVENTS, body_class
from video_manager.contracts.commands import Process, Render
from video_manager.errors import PermanentError

PREFIX = "video-manager"
LEVELS = 10
DELIVERY_LIMIT = 50
"""A message that ends so many processes in a row is a dead letter. Generous: broker restarts count as well."""

_UNLIMITED_DELIVERIES = 2_000_000_000
"""4.x drops a message after 20 deliveries unless told otherwise, and 3.10 knows no word for "never"."""
_WATCH_LENGTH = 10_000
_WORK = (Render, Process)


@dataclass(frozen=True)
class Topology:
    """All names begin with `prefix`, so that one pattern gives a user its permissions."""

    prefix: str = PREFIX

    # ---- names ----------------------------------------------------------------------------------------

    @property
    def messages(self) -> str:
        """Topic exchange of commands and events."""
        return self.prefix

    @property
    def hints(self) -> str:
        """Topic exchange of hints."""
        return f"{self.prefix}.hints"

    @property
    def back(self) -> str:
        """Direct exchange that leads to each queue by its name: the way back from a delay."""
        return f"{self.prefix}.back"

    @property
    def dead(self) -> str:
        """Fanout exchange and queue of dead letters."""
        return f"{self.prefix}.dead-letters"

    @property
    def bindings(self) -> str:
        """Queue that holds what each queue is bound to: the broker does not tell."""
        return f"{self.prefix}.bindings"

    @property
    def births(self) -> str:
        """Lock under which queues are made that must survive the death of the broker right afterwards."""
        return f"{self.prefix}.births.lock"

    def queue(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def name(self, queue: str) -> str:
        """The opposite of `queue`."""
        return queue.removeprefix(f"{self.prefix}.")

    def delay(self, milliseconds: int) -> str:
        """Fanout exchange and queue of one delay."""
        return f"{self.prefix}.delay.{milliseconds}ms"

    def is_delay(self, queue: str) -> bool:
        return queue.startswith(f"{self.prefix}.delay.")

    @property
    def published_to(self) -> tuple[str, str]:
        return self.messages, self.hints

    # ---- making it ------------------------------------------------------------------------------------

    async def declare_base(self, channel: AbstractChannel) -> None:
        """What every process needs; again without effect. The exchange of messages comes last: where it is, the rest
        is complete."""
        await channel.declare_exchange(self.dead, ExchangeType.FANOUT, durable=True)
        for queue in self.kept_queues:
            await self.declare_kept(channel, queue)
        await self._bind(channel, self.dead, self.dead, "")
        await channel.declare_exchange(self.hints, ExchangeType.TOPIC, durable=True)
        # What comes back to a queue that is gone is a dead letter instead of lost.
        await channel.declare_exchange(
            self.back, ExchangeType.DIRECT, durable=True, arguments={"alternate-exchange": self.dead}
        )
        await channel.declare_exchange(self.messages, ExchangeType.TOPIC, durable=True)

    @property
    def kept_queues(self) -> tuple[str, str]:
        """Those whose messages are read and put back any number of times."""
        return self.dead, self.bindings

    async def declare_kept(self, channel: AbstractChannel, queue: str) -> None:
        await channel.declare_queue(
            queue, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": _UNLIMITED_DELIVERIES}
        )

    async def declare_queue(self, channel: AbstractChannel, name: str, types: Sequence[str]) -> None:
        """Without its bindings."""
        arguments: dict[str, Any] = {"x-dead-letter-exchange": self.dead}
        if needs_priorities(types):
            arguments |= {"x-queue-type": "classic", "x-max-priority": LEVELS - 1}
        else:
            arguments |= {"x-delivery-limit": DELIVERY_LIMIT} | _HANDED_ON_WITH_CONFIRMS
        await channel.declare_queue(self.queue(name), durable=True, arguments=arguments)

    async def bind_queue(self, channel: AbstractChannel, name: str, types: Sequence[str]) -> None:
        await self._bind(channel, self.queue(name), self.back, self.queue(name))
        for type in types:
            await self._bind(channel, self.queue(name), self.messages, binding_key(type))

    async def unbind(self, channel: AbstractChannel, name: str, types: Iterable[str]) -> None:
        queue = await channel.get_queue(self.queue(name), ensure=False)
        for type in types:
            await queue.unbind(self.messages, binding_key(type))

    async def declare_delay(self, channel: AbstractChannel, milliseconds: int) -> None:
        name = self.delay(milliseconds)
        arguments: dict[str, Any] = {
            "x-message-ttl": milliseconds,
            "x-dead-letter-exchange": self.back,
            "x-delivery-limit": _UNLIMITED_DELIVERIES,
        } | _HANDED_ON_WITH_CONFIRMS
        await channel.declare_queue(name, durable=True, arguments=arguments)

    async def bind_delay(self, channel: AbstractChannel, milliseconds: int) -> None:
        """The exchange comes with the binding: where it is, the queue was made completely."""
        name = self.delay(milliseconds)
        await channel.declare_exchange(name, ExchangeType.FANOUT, durable=True)
        await self._bind(channel, name, name, "")

    async def declare_watch(self, channel: AbstractChannel, name: str) -> str:
        """A queue of this connection alone; returns its name."""
        queue = f"{self.prefix}.watch.{name}"
        await channel.declare_queue(
            queue, exclusive=True, auto_delete=True,
            arguments={"x-queue-type": "classic", "x-max-length": _WATCH_LENGTH},
        )  # fmt: skip
        return queue

    async def bind_watch(self, channel: AbstractChannel, queue: str, types: Iterable[str]) -> None:
        for type in types:
            await self._bind(channel, queue, self.hints, binding_key(type))
            for event in events_of(type):
                await self._bind(channel, queue, self.messages, event)

    async def _bind(self, channel: AbstractChannel, queue: str, exchange: str | AbstractExchange, key: str) -> None:
        await (await channel.get_queue(queue, ensure=False)).bind(exchange, key)


_HANDED_ON_WITH_CONFIRMS = {
    "x-queue-type": "quorum",
    # Otherwise a message that leaves the queue for its next one is lost when the broker dies in between.
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}


def binding_key(type: str) -> str:
    """Ours `version.*` takes any number of further words, at least one."""
    return f"{type}.#" if type.endswith(".*") else type


def events_of(type: str) -> list[str]:
    """What a watcher of this type or prefix is bound to among the published messages: events only. Were its queue bound
    to commands, a command that nobody handles would count as delivered."""
    if type.endswith(".*"):
        return [event.type for event in EVENTS if event.type.startswith(type[:-1])]
    return [] if is_command(type) else [type]


def needs_priorities(types: Sequence[str]) -> bool:
    """Whether the queue holds work, where people's priorities count, and nothing else."""
    return bool(types) and all(_is_work(type) for type in types)


def _is_work(type: str) -> bool:
    try:
        return not type.endswith(".*") and body_class(type) in _WORK
    except PermanentError:
        return False
