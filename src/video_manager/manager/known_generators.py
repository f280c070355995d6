"""Keeps the plugin registry of this process up to date with the generators that workers elsewhere registered."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from video_manager.contracts.envelope import Envelope
from video_manager.contracts.events import GeneratorRegistered, GeneratorRemoved
from video_manager.contracts.topology import render_type
from video_manager.domain.job import Job
from video_manager.errors import VideoManagerError
from video_manager.manager.external_generator import ExternalGenerator
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.ports import Clock, Consumer, MessageBus, Query, Subscription
from video_manager.repository import Repository
from video_manager.tasks import end_tasks

MOST = 500
"""Registered generators of the whole system."""
REFRESH_SECONDS = 10.0
"""A process that missed a hint knows a new or changed generator after this."""

log = logging.getLogger(__name__)


class KnownGenerators:
    """`offline_seconds` without a sign of life make a generator count as offline."""

    def __init__(
        self, generators: Repository[ExternalGenerator], registry: Registry, bus: MessageBus, clock: Clock,
        offline_seconds: float,
    ) -> None:  # fmt: skip
        self._generators = generators
        self._registry = registry
        self._bus = bus
        self._clock = clock
        self._patience = timedelta(seconds=offline_seconds)
        self._declared: set[str] = set()
        self._dropping: dict[str, Consumer] = {}
        self._drops = False
        self._refreshing: asyncio.Task[None] | None = None
        self._stop_watching: Callable[[], Awaitable[None]] | None = None
        self._asking: set[str] = set()
        self._turn = asyncio.Lock()
        self._settling = asyncio.Lock()

    # ---- at start and stop ------------------------------------------------------------------------------

    async def open(self) -> None:
        """Make the collection and read it: before the first request, and before any sweeper looks which sent-in files
        are needed."""
        await self._generators.register()
        await self.refresh()

    async def start(self, *, drops: bool) -> None:
        """Declare every queue and stay up to date. With `drops` this process also empties the queues of generators
        whose workers ask for their jobs."""
        self._drops = drops
        for one in await self._all():
            await self.settle_queue(one)
        self._stop_watching = await self._bus.watch((GeneratorRegistered.type, GeneratorRemoved.type), self._heard)
        self._refreshing = asyncio.create_task(self._keep_refreshing(), name="external generators")

    async def stop(self) -> None:
        if self._refreshing is not None:
            await end_tasks([self._refreshing])
        if self._stop_watching is not None:
            await self._stop_watching()

    # ---- knowing ----------------------------------------------------------------------------------------

    async def know(self, name: str) -> None:
        """Look again when the name is unknown here: another process may have registered it just now."""
        if name not in self._registry.names(PluginKind.GENERATOR):
            await self.refresh()

    def works_elsewhere(self, job: Job) -> bool:
        """Whether the job is one for a worker outside our package."""
        return self._registry.is_external(PluginKind.GENERATOR, job.topic.removeprefix(render_type("")))

    def asks_for(self, topic: str) -> bool:
        """Whether the worker of these jobs asks for them: no command of theirs stays in a queue."""
        return topic.removeprefix(render_type("")) in self._asking

    async def refresh(self) -> None:
        """Read all registrations again."""
        async with self._turn:
            found = await self._all()
            for one in found:
                self.learn(one)
            here = {one.id for one in found}
            for item in self._registry.describe(PluginKind.GENERATOR):
                if item.external and item.name not in here:
                    self.forget(item.name)
            if self._refreshing is not None:
                for one in found:
                    await self.settle_queue(one)

    def learn(self, one: ExternalGenerator) -> None:
        """Put it into the registry, with its sign of life."""
        (self._asking.add if one.polls else self._asking.discard)(one.id)
        offline = one.last_seen_at is None or one.last_seen_at + self._patience < self._clock.now()
        try:
            self._registry.register_external(
                one.id, one.title, one.options_schema, one.description, last_seen_at=one.last_seen_at, offline=offline
            )
        except VideoManagerError as error:  # a plugin that was installed since has its name, or limits are narrower now
            log.warning("the registered generator %s cannot be used: %s", one.id, error.detail)

    def forget(self, name: str) -> None:
        self._asking.discard(name)
        self._registry.remove_external(name)

    async def _all(self) -> list[ExternalGenerator]:
        return [loaded.value for loaded in await self._generators.find(Query(limit=MOST))]

    async def _heard(self, _message: Envelope) -> None:
        await self.refresh()

    async def _keep_refreshing(self) -> None:
        while True:
            await self._clock.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001 - whatever store or broker do, the next look comes in its turn
                log.warning("the registered generators could not be read, trying again: %s", error)

    # ---- queues -----------------------------------------------------------------------------------------

    async def declare(self, name: str) -> None:
        """Make the generator's queue, so that commands wait in it while its worker is away. Again without effect, but
        for a queue that somebody has deleted since."""
        await self._bus.declare(render_type(name), (render_type(name),))
        self._declared.add(name)

    async def settle_queue(self, one: ExternalGenerator) -> None:
        """Declare the queue. Commands to a worker that asks for its jobs would pile up there for ever: they are taken
        out and dropped."""
        if one.id not in self._declared:
            await self.declare(one.id)
        async with self._settling:  # a second consumer, made meanwhile, would go on dropping for ever
            consumer = self._dropping.get(one.id)
            if consumer is not None:
                await (consumer.resume() if one.polls else consumer.pause())
            elif one.polls and self._drops:
                topic = render_type(one.id)
                self._dropping[one.id] = await self._bus.consume(Subscription(topic, (topic,), _drop))


async def _drop(_message: Envelope) -> None:
    """The job's document says all that the command says."""
