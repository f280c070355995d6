"""Every process knows the generators of workers elsewhere: at its start, by a hint, and by looking now and then."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.messages import message
from tests.integration.manager.conftest import ADMIN, Played

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.domain.access import Actor, Role
from video_manager.domain.job import JobState
from video_manager.errors import NotFound
from video_manager.manager.external_generator import EXTERNAL_GENERATORS, ExternalGenerator, NewGenerator
from video_manager.manager.known_generators import REFRESH_SECONDS, KnownGenerators
from video_manager.plugins.registry import PluginDescription, PluginKind, Registry
from video_manager.ports import Consumer, Subscription
from video_manager.repository import Repository

WORKER = Actor(id="k1", name="key painter", role=Role.WORKER)
DREAM = NewGenerator(name="dream", title="Dream", options_schema={"type": "object"})


class Clock(SystemClock):
    """Sleeps as long as the test wants."""

    def __init__(self) -> None:
        self.late = timedelta()
        self.rounds = asyncio.Semaphore(0)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return super().now() + self.late

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.rounds.acquire()


class Elsewhere:
    """Another process on the same stores."""

    def __init__(self, played: Played, folder: Path) -> None:
        self.registry = Registry([])
        self.clock = Clock()
        self.store = SqliteDocuments(folder / "documents.sqlite")
        self.repository = Repository(self.store, EXTERNAL_GENERATORS, ExternalGenerator)
        self.known = KnownGenerators(self.repository, self.registry, played.bus, self.clock, offline_seconds=90)

    def dream(self) -> PluginDescription | None:
        return next((item for item in self.registry.describe(PluginKind.GENERATOR) if item.name == "dream"), None)

    async def until(self, holds: Callable[[PluginDescription | None], bool]) -> None:
        for _ in range(2000):
            if holds(self.dream()):
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"it did not come to that: {self.dream()}")


@pytest.fixture
async def elsewhere(played: Played, tmp_path: Path) -> AsyncIterator[Elsewhere]:
    made = Elsewhere(played, tmp_path)
    await made.store.open()
    yield made
    await made.known.stop()
    await made.store.close()


async def test_a_process_that_starts_later_knows_it_and_its_queue(played: Played, elsewhere: Elsewhere) -> None:
    await played.generators.register(WORKER, DREAM)
    await elsewhere.known.open()
    found = elsewhere.dream()
    assert found is not None
    assert (found.external, found.offline) == (True, False)


async def test_a_running_process_hears_of_new_changed_and_removed_ones(played: Played, elsewhere: Elsewhere) -> None:
    await elsewhere.known.open()
    await elsewhere.known.start(drops=False)
    await played.generators.register(WORKER, DREAM)
    await elsewhere.until(lambda found: found is not None)
    await played.generators.register(WORKER, DREAM.model_copy(update={"title": "Dreams"}))
    await elsewhere.until(lambda found: found is not None and found.title == "Dreams")
    await played.generators.remove(ADMIN, "dream")
    await elsewhere.until(lambda found: found is None)


async def test_signs_of_life_and_missed_hints_are_found_by_looking(played: Played, elsewhere: Elsewhere) -> None:
    await played.generators.register(WORKER, DREAM)
    await elsewhere.known.open()
    await elsewhere.known.start(drops=False)
    elsewhere.known.forget("dream")  # as if the hint had been lost
    elsewhere.clock.rounds.release()
    await elsewhere.until(lambda found: found is not None and not found.offline)
    elsewhere.clock.late = timedelta(seconds=91)
    elsewhere.clock.rounds.release()
    await elsewhere.until(lambda found: found is not None and found.offline)
    assert set(elsewhere.clock.slept) == {REFRESH_SECONDS}


async def test_a_store_that_is_away_does_not_end_the_looking(
    played: Played, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    await elsewhere.known.open()
    await elsewhere.known.start(drops=False)
    await elsewhere.store.close()
    elsewhere.clock.rounds.release()
    for _ in range(2000):
        if "could not be read, trying again" in caplog.text:
            break
        await asyncio.sleep(0.01)
    await elsewhere.store.open()
    await played.generators.register(WORKER, DREAM)
    await elsewhere.until(lambda found: found is not None)
    elsewhere.known.forget("dream")
    elsewhere.clock.rounds.release()
    await elsewhere.until(lambda found: found is not None)
    assert "could not be read, trying again" in caplog.text


async def test_commands_to_a_worker_that_asks_for_its_jobs_do_not_pile_up(played: Played, elsewhere: Elsewhere) -> None:
    await elsewhere.known.open()
    await elsewhere.known.start(drops=True)
    await played.generators.register(WORKER, DREAM.model_copy(update={"polls": True}))
    await elsewhere.until(lambda found: found is not None)
    await played.request(generator="dream")
    await played.settled()  # no message waits anywhere
    await played.generators.register(WORKER, DREAM)  # from now on it listens
    await elsewhere.known.refresh()
    view = await played.request(generator="dream")
    for _ in range(2000):
        if (await played.bus.depth())["render.dream"] == 1:
            break
        await asyncio.sleep(0.01)
    assert (await played.bus.depth())["render.dream"] == 1
    assert (await played.jobs.get(f"{view.id}.1.render")).state is JobState.QUEUED


async def test_a_worker_that_registers_again_finds_its_queue_whoever_deleted_it(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared: list[str] = []
    declare = played.bus.declare

    async def noting(queue: str, types: Sequence[str]) -> None:
        declared.append(queue)
        await declare(queue, types)

    monkeypatch.setattr(played.bus, "declare", noting)
    await played.generators.register(WORKER, DREAM)
    await played.generators.register(WORKER, DREAM)
    await played.generators.known.refresh()  # every few seconds: asks the broker for nothing
    assert declared == ["render.dream"] * 2


async def test_settling_a_queue_twice_at_once_makes_one_consumer(
    played: Played, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    consume = played.bus.consume

    async def slowly(subscription: Subscription) -> Consumer:
        await asyncio.sleep(0.05)  # a broker has to be asked
        return await consume(subscription)

    monkeypatch.setattr(played.bus, "consume", slowly)
    await elsewhere.known.open()
    await elsewhere.known.start(drops=True)
    asking = ExternalGenerator(
        id="dream", title="Dream", description="", options_schema={}, owner="key painter", polls=True,
        registered_at=elsewhere.clock.now(),
    )  # fmt: skip
    await asyncio.gather(*(elsewhere.known.settle_queue(asking) for _ in range(3)))
    await elsewhere.known.settle_queue(asking.with_(polls=False))
    await played.bus.publish([message("m", "render.dream")])
    await asyncio.sleep(0.2)
    assert (await played.bus.depth())["render.dream"] == 1


async def test_a_plugin_that_was_installed_later_wins_over_a_registered_name(
    played: Played, elsewhere: Elsewhere
) -> None:
    await played.generators.register(WORKER, DREAM)
    plugin = played.jobs._registry.generator("paint")
    named = type("Dream", (plugin,), {"name": "dream"})
    registry = Registry([named])
    known = KnownGenerators(elsewhere.repository, registry, played.bus, elsewhere.clock, offline_seconds=90)
    await known.open()
    assert not registry.is_external(PluginKind.GENERATOR, "dream")
    with pytest.raises(NotFound):
        await played.generators.remove(ADMIN, "nobody")
