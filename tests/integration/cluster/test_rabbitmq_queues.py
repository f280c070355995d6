"""What is kept on the broker: bindings that are replaced, deaths that it makes, delays, queues that are gone."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractChannel
from tests.contract.bus.inbox import Inbox, quiet, until
from tests.contract.messages import message
from tests.integration.cluster.rabbitmq_clients import bare_channel, eventually, letters, new_prefix, opened

from video_manager.adapters.cluster import bindings
from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.adapters.cluster.delays import Delays, step_ms
from video_manager.adapters.cluster.publisher import persistent
from video_manager.adapters.cluster.topology import DELIVERY_LIMIT, Topology
from video_manager.errors import NotFound, RetryableError, SettingsError, Unavailable
from video_manager.ports import Subscription

CREATED, READY = "version.created", "version.ready"


@pytest.fixture
def rabbitmq_url(module_rabbitmq_url: str) -> str:
    """Shared by the tests of this file, which have prefixes of their own."""
    return module_rabbitmq_url


@pytest.fixture
def prefix() -> str:
    return new_prefix()


@pytest.fixture
async def bus(rabbitmq_url: str, prefix: str) -> AsyncIterator[RabbitBus]:
    async with opened(rabbitmq_url, prefix) as bus:
        yield bus


# ---- bindings -----------------------------------------------------------------------------------------


async def test_a_later_process_replaces_the_types_of_a_queue(bus: RabbitBus, rabbitmq_url: str, prefix: str) -> None:
    await bus.declare("q", [CREATED, "review.*"])
    async with opened(rabbitmq_url, prefix) as later:
        await later.declare("q", [CREATED, READY])
        await later.publish([message("a", CREATED), message("b", READY), message("c", "review.decided")])
        assert await later.depth() == {"q": 2}
    async with opened(rabbitmq_url, prefix) as again:
        await again.declare("q", ["review.decided"])
        await again.publish([message("d", CREATED), message("e", READY), message("f", "review.decided")])
        assert await again.depth() == {"q": 3}


async def test_an_older_release_takes_nothing_from_the_queue_of_a_newer_one(
    bus: RabbitBus, rabbitmq_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bindings, "_OUR_RELEASE", (9, 0))
    await bus.declare("q", [READY])
    monkeypatch.setattr(bindings, "_OUR_RELEASE", (8, 5))
    async with opened(rabbitmq_url, prefix) as older:
        await older.declare("q", [CREATED])
        await older.publish([message("a", CREATED), message("b", READY)])
        assert await older.depth() == {"q": 2}
    monkeypatch.setattr(bindings, "_OUR_RELEASE", (9, 1))
    async with opened(rabbitmq_url, prefix) as newest:
        await newest.declare("q", [READY])
        await newest.publish([message("c", CREATED), message("d", READY)])
        assert await newest.depth() == {"q": 3}


async def test_processes_that_start_at_once_declare_all_their_queues(rabbitmq_url: str, prefix: str) -> None:
    async def start(n: int) -> None:
        async with opened(rabbitmq_url, prefix) as bus:
            await bus.declare(f"q{n}", [CREATED])
            await bus.declare("shared", [CREATED])

    await asyncio.gather(*(start(n) for n in range(5)))
    async with opened(rabbitmq_url, prefix) as bus:
        await bus.publish([message("m")])
        assert await bus.depth() == dict.fromkeys([*(f"q{n}" for n in range(5)), "shared"], 1)


async def test_a_queue_of_other_arguments_is_said(bus: RabbitBus, rabbitmq_url: str, prefix: str) -> None:
    async with bare_channel(rabbitmq_url) as channel:
        await channel.declare_queue(f"{prefix}.q", durable=True)
    with pytest.raises(SettingsError, match=f"VIDEO_MANAGER_RABBITMQ_URL.*{prefix}.q.*delete it"):
        await bus.declare("q", [CREATED])


async def test_a_command_is_not_taken_for_handled_because_somebody_watches(bus: RabbitBus) -> None:
    inbox = Inbox()
    await bus.watch(["job.*", "render.*"], inbox)
    for type in ("job.open", "render.story"):
        with pytest.raises(NotFound, match=type):
            await bus.publish([message("m", type)])
    await bus.publish([message("e", "render.finished")])
    await until(lambda: inbox.ids == ["e"])


async def test_the_same_command_sent_twice_at_once_is_refused_twice(bus: RabbitBus) -> None:
    results = await asyncio.gather(
        *(bus.publish([message("same", "render.story")]) for _ in range(20)), return_exceptions=True
    )
    assert [type(result) for result in results] == [NotFound] * 20


# ---- queues that are gone -----------------------------------------------------------------------------


async def test_a_deleted_queue_is_made_again_by_its_consumer(bus: RabbitBus, rabbitmq_url: str, prefix: str) -> None:
    inbox = Inbox()
    await bus.consume(Subscription("q", (CREATED,), inbox))
    async with bare_channel(rabbitmq_url) as channel:
        await channel.queue_delete(f"{prefix}.q")

    async def arrives() -> bool:
        await bus.publish([message("m")])
        return bool(inbox.ids)

    await eventually(arrives)


async def test_what_is_delayed_for_a_deleted_queue_is_a_dead_letter(
    bus: RabbitBus, rabbitmq_url: str, prefix: str
) -> None:
    inbox = Inbox(RetryableError("later", retry_after_seconds=0.5))
    async with opened(rabbitmq_url, prefix) as worker:
        await worker.consume(Subscription("q", (CREATED,), inbox))
        await bus.publish([message("m")])
        await until(lambda: inbox.ids == ["m"])
    async with bare_channel(rabbitmq_url) as channel:
        await channel.queue_delete(f"{prefix}.q")
    (letter,) = await letters(bus)
    assert (letter.queue, letter.attempts) == ("q", 1)
    assert "is gone" in letter.reason
    with pytest.raises(NotFound, match="its queue 'q' is gone"):
        await bus.resend(letter.id)
    await bus.drop(letter.id)


class TakenAway(Topology):
    """Somebody deletes the queues of delays as soon as they are made; the first `times` of them."""

    def __init__(self, prefix: str, times: int) -> None:
        super().__init__(prefix)
        self.left = times

    async def bind_delay(self, channel: AbstractChannel, milliseconds: int) -> None:
        await super().bind_delay(channel, milliseconds)
        if self.left:
            self.left -= 1
            await channel.queue_delete(self.delay(milliseconds))


@pytest.mark.parametrize("times", [1, 1000])
async def test_a_delay_whose_queue_is_deleted_is_made_again_but_not_for_ever(
    bus: RabbitBus, rabbitmq_url: str, prefix: str, times: int
) -> None:
    inbox = Inbox(RetryableError("later", retry_after_seconds=0.05))
    await bus.consume(Subscription("q", (CREATED,), inbox))
    means, address = bus._means, BrokerAddress.parse(rabbitmq_url)
    delays = Delays(TakenAway(prefix, times), bus._sending, bus._publisher, address)
    lost = persistent(message("m").model_dump_json().encode(), message_id="m", type=CREATED, priority=None)
    async with asyncio.timeout(30):
        if times == 1:
            await delays.send(lost, means.topology.queue("q"), 0.01)
            await until(lambda: inbox.ids == ["m", "m"])
        else:
            with pytest.raises(Unavailable, match="is deleted as soon as it is made"):
                await delays.send(lost, means.topology.queue("q"), 0.01)


# ---- deaths that the broker makes ---------------------------------------------------------------------


async def test_a_message_that_ends_each_process_is_a_dead_letter(
    bus: RabbitBus, rabbitmq_url: str, prefix: str
) -> None:
    await bus.declare("q", [CREATED])
    await bus.publish([message("m")])
    async with bare_channel(rabbitmq_url) as channel:
        queue = await channel.get_queue(f"{prefix}.q")
        for _ in range(DELIVERY_LIMIT + 1):
            taken = await queue.get(fail=False)
            if taken is None:
                break
            await taken.nack(requeue=True)
    (letter,) = await letters(bus)
    assert (letter.queue, letter.envelope["id"]) == ("q", "m")
    assert "delivery_limit" in letter.reason
    await bus.resend(letter.id)
    inbox = Inbox()
    await bus.consume(Subscription("q", (CREATED,), inbox))
    await until(lambda: inbox.ids == ["m"])


async def test_a_message_that_expires_is_a_dead_letter(bus: RabbitBus, rabbitmq_url: str, prefix: str) -> None:
    await bus.declare("render.story", ["render.story"])
    async with bare_channel(rabbitmq_url) as channel:
        exchange = await channel.get_exchange(prefix)
        text = message("m", "render.story").model_dump_json()
        await exchange.publish(Message(text.encode(), expiration=0.01), "render.story")
    (letter,) = await letters(bus)
    assert (letter.queue, letter.envelope["id"]) == ("render.story", "m")
    assert "expired" in letter.reason


async def test_listings_by_several_processes_at_once_see_everything(
    bus: RabbitBus, rabbitmq_url: str, prefix: str
) -> None:
    async with bare_channel(rabbitmq_url) as channel:
        dead = await channel.get_exchange(f"{prefix}.dead-letters")
        for n in range(20):
            await dead.publish(Message(message(str(n)).model_dump_json().encode(), message_id=str(n)), "")
    async with opened(rabbitmq_url, prefix) as other:
        found = await asyncio.gather(*(one.dead_letters() for one in (bus, other, bus, other)))
        assert [len(letters) for letters in found] == [20] * 4
        assert found[0] == found[1] == found[2] == found[3]
        await asyncio.gather(*(one.drop(letter.id) for one, letter in zip([bus, other] * 10, found[0], strict=True)))
        assert await other.dead_letters() == []


async def test_a_process_that_dies_while_it_lists_holds_up_nobody(
    bus: RabbitBus, rabbitmq_url: str, prefix: str
) -> None:
    async with bare_channel(rabbitmq_url) as channel:
        dead = await channel.get_exchange(f"{prefix}.dead-letters")
        await dead.publish(Message(message("m").model_dump_json().encode(), message_id="m"), "")
    async with bare_channel(rabbitmq_url) as dying:
        await dying.declare_queue(f"{prefix}.dead-letters.lock", exclusive=True)
        taken = await (await dying.get_queue(f"{prefix}.dead-letters")).get()
        assert taken is not None
        listing = asyncio.create_task(bus.dead_letters())
        await quiet()
        assert not listing.done()
    assert [letter.envelope["id"] for letter in await listing] == ["m"]


# ---- delays -------------------------------------------------------------------------------------------


def test_delays_have_few_lengths_and_are_never_shorter() -> None:
    asked = [0.0001, 0.001, 0.02, 0.5, 0.75, 0.99, 1, 1.01, 3, 60, 61, 3600, 86400 * 30]
    assert [step_ms(delay) for delay in asked[:8]] == [1, 1, 24, 512, 768, 1024, 1024, 1024]
    for delay in asked:
        assert delay * 1000 <= step_ms(delay) + 0.5 <= max(2, delay * 1500 + 0.5)
    assert len({step_ms(n / 1000) for n in range(1000, 300_001)}) <= 18
