"""A scheduled publication is uploaded ahead of its time where the platform keeps it unpublished, and is public at its
time and not before."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.publishing.conftest import World
from tests.platforms.case import Case
from tests.platforms.cases import CASES
from tests.platforms.world import approve, connect, open_platform, settle

from video_manager.adapters.clock import SystemClock
from video_manager.domain.access import Actor, Role
from video_manager.domain.publication import Outcome, PublicationState
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.plugins.publishers import PUBLISHERS
from video_manager.publishing.service import NewTime

CASE = CASES["telegram, staged"]
RITA = Actor(id="rita", name="Rita", role=Role.ADMIN)


async def scheduled(world: World, seconds: float) -> tuple[str, datetime]:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    id = await approve(world, CASE)
    await world.publishing.service.reschedule(RITA, id, NewTime(publish_at=at))
    return id, at


async def test_the_bytes_go_ahead_and_the_post_comes_at_its_time(tmp_path: Path) -> None:
    network = FakeNetwork([CASE.fake])
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, CASE, network)
            id, at = await scheduled(world, 3.0)
            await world.run()
            staged = await world.publication(id)
            assert (staged.state, staged.due_at, staged.staged) == (PublicationState.SCHEDULED, at, True)
            assert staged.attempts[-1].outcome is Outcome.STAGED
            assert network.fakes["telegram"].public_posts() == []
            await world.run(2)
            assert len(network.calls) == 1, "it is uploaded once"
            published = await settle(world, id)
            assert published.published_at is not None
            assert published.published_at >= at
            assert len(network.calls) == 2
            assert len(network.fakes["telegram"].public_posts()) == 1


def _keepers() -> list[Any]:
    kept = {publisher.name: publisher.keeps_hours for publisher in PUBLISHERS}
    return [
        pytest.param(case, id=name, marks=[] if name == "youtube" else [pytest.mark.long])
        for name, case in CASES.items()
        if kept[case.platform]
    ]


@pytest.mark.parametrize("case", _keepers())
async def test_every_platform_that_keeps_uploads_shows_nothing_before_its_time(case: Case, tmp_path: Path) -> None:
    network = FakeNetwork([case.fake])
    fake = network.fakes[case.fake.name]
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, case, network)
            id = await approve(world, case)
            at = datetime.now(UTC) + timedelta(hours=0.4)
            await world.publishing.service.reschedule(RITA, id, NewTime(publish_at=at))
            await world.run()
            staged = await world.publication(id)
            assert staged.staged, staged.error
            assert fake.public_posts() == []
            await world.publishing.service.reschedule(RITA, id, NewTime(publish_at=None))
            published = await settle(world, id)
            assert published.state is PublicationState.PUBLISHED, published.error
            assert [post.sha256 for post in fake.public_posts()] == [published.content.master.sha256]
            assert len(network.calls) <= case.calls + 3, "it is asked about, and not uploaded a second time"


async def test_what_is_far_off_or_on_a_platform_that_keeps_nothing_waits(tmp_path: Path) -> None:
    network = FakeNetwork([CASE.fake])
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway, stage_ahead_seconds=60) as world:
            await connect(world, CASE, network)
            id, _ = await scheduled(world, 3600.0)
            await world.run(2)
            assert network.calls == []
            await world.publishing.service.cancel(RITA, id)
        async with open_platform(tmp_path, gateway, stage_ahead_seconds=0) as world:
            id = await approve(world, CASE, 2)
            soon = datetime.now(UTC) + timedelta(seconds=30)
            await world.publishing.service.reschedule(RITA, id, NewTime(publish_at=soon))
            await world.run(2)
            assert network.calls == []


async def test_a_fault_ahead_of_the_time_neither_publishes_early_nor_counts_as_missed(tmp_path: Path) -> None:
    network = FakeNetwork([CASE.fake])
    network.faults.append(Fault("answer", "sendVideo", status=503))
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, CASE, network)
            id, at = await scheduled(world, 4.0)
            await world.run()
            assert (await world.publication(id)).tries == 1
            while not (await world.publication(id)).staged:
                await world.run()
                await SystemClock().sleep(0.02)
            assert network.fakes["telegram"].public_posts() == []
            published = await settle(world, id)
            assert published.published_at is not None
            assert published.published_at >= at


async def test_one_that_is_moved_after_it_was_uploaded_goes_out_at_the_new_time(tmp_path: Path) -> None:
    network = FakeNetwork([CASE.fake])
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, CASE, network)
            id, _ = await scheduled(world, 1500.0)
            await world.run()
            assert (await world.publication(id)).staged
            await world.publishing.service.reschedule(RITA, id, NewTime(publish_at=None))
            published = await settle(world, id)
            assert published.state is PublicationState.PUBLISHED
            assert [call.text for call in network.calls].count(network.calls[0].text) == 2
            assert len(network.fakes["telegram"].public_posts()) == 1


async def test_a_limit_on_the_publishing_call_sends_no_bytes_again(tmp_path: Path) -> None:
    network = FakeNetwork([CASE.fake])
    limit = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 1}}
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway) as world:
            await connect(world, CASE, network)
            network.faults.append(Fault("answer", number=2, status=429, body=limit))
            published = await settle(world, await approve(world, CASE))
            assert (published.state, published.tries) == (PublicationState.PUBLISHED, 0)
            assert len(network.calls) == 3, "one upload, and the publishing call twice"
            assert len(network.fakes["telegram"].public_posts()) == 1
