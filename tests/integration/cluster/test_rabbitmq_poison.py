"""Messages that nobody can handle: each ends in the dead letters with its reason, and the queue goes on."""

import json
from collections.abc import AsyncIterator

import pytest
from aio_pika import Message
from tests.contract.bus.inbox import until
from tests.contract.messages import message
from tests.integration.cluster.rabbitmq_clients import bare_channel, letters, new_prefix, opened

from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.contracts.envelope import Envelope
from video_manager.contracts.events import RenderFinished
from video_manager.messaging import HandlerTable
from video_manager.ports import Subscription

BODY = {"job_id": "j", "video_id": "v", "version": 1, "attempt": 1}


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


class Finished:
    """A service that handles `render.finished`; its queue also gets all other events of renders."""

    def __init__(self) -> None:
        self.got: list[tuple[str, RenderFinished]] = []
        self.table = HandlerTable({RenderFinished: self._handle})

    async def _handle(self, envelope: Envelope, body: RenderFinished) -> None:
        self.got.append((envelope.id, body))


def finished(id: str, **changed: object) -> Envelope:
    return message(id, "render.finished").model_copy(update={"data": BODY | changed})


async def test_poison_is_put_aside_with_its_reason_and_the_queue_goes_on(
    bus: RabbitBus, rabbitmq_url: str, prefix: str
) -> None:
    service = Finished()
    await bus.consume(Subscription("q", ("render.*",), service.table, prefetch=1))
    async with bare_channel(rabbitmq_url) as channel:
        exchange = await channel.get_exchange(prefix)
        for body in (b"no json \xff", b'["a list"]', b'{"id": "no envelope"}', b""):
            await exchange.publish(Message(body), "render.finished")
    await bus.publish([finished("good")])
    await until(lambda: [id for id, _ in service.got] == ["good"])
    found = await letters(bus, 4)
    assert {letter.queue for letter in found} == {"q"}
    assert all(letter.reason.startswith("unreadable message") for letter in found)
    assert sorted(json.dumps(letter.envelope) for letter in found) == sorted(
        ['{"unreadable": "no json \\ufffd"}', '{"unreadable": "[\\"a list\\"]"}', '{"id": "no envelope"}',
         '{"unreadable": ""}']
    )  # fmt: skip
    assert await bus.depth() == {"q": 0}


async def test_an_unknown_type_is_a_dead_letter(bus: RabbitBus) -> None:
    service = Finished()
    await bus.consume(Subscription("q", ("render.*", "video.*"), service.table))
    await bus.publish([message("from the future", "video.dubbed"), finished("good")])
    await until(lambda: len(service.got) == 1)
    (letter,) = await letters(bus)
    assert (letter.envelope["id"], letter.attempts) == ("from the future", 1)
    assert "unknown message type 'video.dubbed'" in letter.reason


async def test_of_the_next_schema_version_more_is_ignored_and_what_does_not_fit_is_a_dead_letter(
    bus: RabbitBus, rabbitmq_url: str, prefix: str
) -> None:
    service = Finished()
    await bus.consume(Subscription("q", ("render.finished",), service.table))
    async with bare_channel(rabbitmq_url) as channel:
        exchange = await channel.get_exchange(prefix)
        newer = finished("more", colour="red").model_dump(mode="json") | {"specversion": "2"}
        await exchange.publish(Message(json.dumps(newer).encode()), "render.finished")
    await bus.publish([finished("other", version="the second"), finished("good")])
    await until(lambda: {id for id, _ in service.got} == {"more", "good"})
    (letter,) = await letters(bus)
    assert letter.envelope["id"] == "other"
    assert "does not fit its type" in letter.reason
    assert "version" in letter.reason


async def test_a_handler_that_is_cancelled_from_within_gives_its_place_back(bus: RabbitBus) -> None:
    import asyncio

    got: list[str] = []

    async def handle(envelope: Envelope) -> None:
        got.append(envelope.id)
        if len(got) == 1:
            gone = asyncio.get_running_loop().create_future()
            gone.cancel()
            await gone

    await bus.consume(Subscription("q", ("version.created",), handle, prefetch=1))
    await bus.publish([message("m")])
    await until(lambda: got == ["m", "m"])


async def test_what_no_broker_takes_is_said_and_harms_nothing_else(bus: RabbitBus) -> None:
    from video_manager.errors import PermanentError

    service = Finished()
    await bus.consume(Subscription("q", ("render.finished",), service.table))
    with pytest.raises(PermanentError, match="too large"):
        await bus.publish([finished("huge", text="x" * (9 << 20))])
    with pytest.raises(PermanentError, match="too large"):
        await bus.publish([message("m", "render." + "x" * 300)])
    await bus.publish([finished("x" * 1000)])
    await until(lambda: [id for id, _ in service.got] == ["x" * 1000])
