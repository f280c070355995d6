"""Generators of workers outside our package: who may register, change and remove them."""

import logging

from video_manager.contracts.envelope import Body, envelope
from video_manager.contracts.events import GeneratorRegistered, GeneratorRemoved
from video_manager.contracts.topology import render_type
from video_manager.domain.access import Actor, Right
from video_manager.domain.job import OPEN_JOB_STATES, Job
from video_manager.errors import AlreadyExists, Conflict, InvalidInput, VideoManagerError
from video_manager.manager.external_generator import ExternalGenerator, NewGenerator
from video_manager.manager.known_generators import MOST, KnownGenerators
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, MessageBus, Op, Query, Where
from video_manager.repository import Repository

MOST_OF_ONE_KEY = 20

log = logging.getLogger(__name__)


class GeneratorService:
    """`has_broker` says whether workers elsewhere can listen to queues; without, they ask for their jobs."""

    def __init__(
        self, generators: Repository[ExternalGenerator], jobs: Repository[Job], known: KnownGenerators,
        registry: Registry, bus: MessageBus, clock: Clock, *, has_broker: bool,
    ) -> None:  # fmt: skip
        self.known = known
        self._generators = generators
        self._jobs = jobs
        self._registry = registry
        self._bus = bus
        self._clock = clock
        self._has_broker = has_broker

    async def register(self, actor: Actor, new: NewGenerator) -> ExternalGenerator:
        """Make a generator known, describe it anew, or say that its worker is there.

        Its queue exists before anybody can ask for a video. Raises InvalidInput, and AlreadyExists when a generator of
        ours or of another key has the name.
        """
        owner = _owner(actor, new)
        self._registry.check_external(new.name, new.options_schema, "options_schema")
        await self.known.declare(new.name)
        now = self._clock.now()
        wanted = ExternalGenerator(
            id=new.name, title=new.title, description=new.description, options_schema=new.options_schema, owner=owner,
            polls=new.polls or not self._has_broker, registered_at=now,
            last_seen_at=now if actor.may(Right.WORK) else None,
        )  # fmt: skip
        before = await self._generators.get(new.name)
        if before is None:
            await self._require_room(owner)
            await self._generators.add_if_absent(wanted)
        # Perhaps another process was faster; then it is a renewal, or the name is taken.
        changed = await self._generators.change(new.name, lambda old: _renewed(old, wanted, actor))
        self.known.learn(changed.value)
        await self.known.settle_queue(changed.value)
        if before is None or _described(before.value) != _described(changed.value):
            log.info("generator %s was registered by %s", new.name, actor.name)
            await self._tell(GeneratorRegistered(generator=new.name), new.name)
        return changed.value

    async def remove(self, actor: Actor, name: str) -> None:
        """Forget a generator. Its queue stays, since commands in it do no harm and the name may come back.

        Raises NotFound, and Conflict while jobs of it are open.
        """
        actor.require(Right.ADMINISTER)
        await self._generators.load(name)
        open_states = tuple(sorted(OPEN_JOB_STATES))
        count = await self._jobs.count(Where("topic", Op.EQ, render_type(name)), Where("state", Op.IN, open_states))
        if count:
            raise Conflict(f"{count} jobs of the generator {name!r} are open: let them end, or cancel their videos")
        await self._generators.remove(name)
        log.info("generator %s was removed by %s", name, actor.name)
        self.known.forget(name)
        await self._tell(GeneratorRemoved(generator=name), name)

    async def names_of(self, actor: Actor) -> list[str]:
        """The generators that this key works on."""
        found = await self._generators.find(Query((Where("owner", Op.EQ, actor.name),), limit=MOST_OF_ONE_KEY))
        return [loaded.value.id for loaded in found]

    async def is_worker_of(self, actor: Actor, name: str) -> bool:
        found = await self._generators.get(name)
        return found is not None and found.value.owner == actor.name

    async def _require_room(self, owner: str) -> None:
        count = await self._generators.count(Where("owner", Op.EQ, owner))
        if count >= MOST_OF_ONE_KEY or await self._generators.count() >= MOST:
            raise Conflict(f"{owner} has {count} generators and may have no more; an administrator can remove some")

    async def _tell(self, body: Body, name: str) -> None:
        """Other processes hear of it at once; those that miss it read it soon."""
        try:
            await self._bus.hint(envelope(body, source="manager", subject=name, now=self._clock.now()))
        except VideoManagerError as error:
            log.info("the news about generator %s could not be told: %s", name, error.detail)


def _owner(actor: Actor, new: NewGenerator) -> str:
    if actor.may(Right.WORK):
        if new.key is not None:
            raise InvalidInput.field("key", "only an administrator says whose key works on a generator")
        return actor.name
    actor.require(Right.ADMINISTER)
    if new.key is None:
        raise InvalidInput.field("key", "name the key that will work on it; you yourself have no right to work on jobs")
    return f"key {new.key}"  # how the gateway calls whoever uses a key


def _renewed(old: ExternalGenerator, new: ExternalGenerator, actor: Actor) -> ExternalGenerator:
    if old.owner != new.owner and not actor.may(Right.ADMINISTER):
        raise AlreadyExists(
            f"the generator {old.id!r} belongs to another key: choose another name, or ask an administrator"
        )
    seen_at = new.last_seen_at or (old.last_seen_at if old.owner == new.owner else None)
    return new.with_(registered_at=old.registered_at, last_seen_at=seen_at)


def _described(one: ExternalGenerator) -> ExternalGenerator:
    """All but the sign of life."""
    return one.with_(last_seen_at=None)
