"""Two gateways on the same stores."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar

import pytest
from argon2 import PasswordHasher
from tests.fakes.clock import VirtualClock
from tests.integration.replicas.conftest import FilePair, Pair

from video_manager.adapters.clock import SystemClock
from video_manager.domain.access import SYSTEM, Actor, Role
from video_manager.errors import Conflict, StaleRevision, TooManyRequests, Unauthenticated, Unavailable
from video_manager.gateway.access import CACHE_SECONDS, AccessService
from video_manager.gateway.idempotency import Answer, IdempotencyRecords, StillRunning
from video_manager.gateway.passwords import Passwords
from video_manager.gateway.uploads import UploadsService
from video_manager.settings import Settings
from video_manager.turns import LAPSE_SECONDS, Turns

T = TypeVar("T")
PASSWORD = "correct horse battery"
PETRA = Actor(id="petra", name="Petra", role=Role.PRODUCER)


async def outcomes(*calls: Coroutine[Any, Any, T]) -> list[T | BaseException]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def gateways(pair: Pair, settings: Settings, clock: Any = None) -> Sequence[AccessService]:
    cheap = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    found = [AccessService(store, clock or SystemClock(), settings, passwords=cheap) for store in pair]
    for access in found:
        await access.open()
    return found


async def test_two_first_starts_make_one_administrator(pair: Pair, settings: Settings) -> None:
    first, second = await gateways(pair, settings)
    passwords = await asyncio.gather(first.ensure_first_admin(), second.ensure_first_admin())
    (password,) = [given for given in passwords if given is not None]
    for access in (first, second):
        assert (await access.sign_in({}, "admin", password, "192.0.2.1")).role is Role.ADMIN
        assert await access.ensure_first_admin() is None


async def test_failed_sign_ins_count_wherever_they_come_in(pair: Pair, settings: Settings) -> None:
    limited = settings.model_copy(update={"login_attempts_per_minute": 4})
    first, second = await gateways(pair, limited)
    tries = await outcomes(*(access.sign_in({}, "admin", "wrong", "192.0.2.1") for access in (first, second) * 4))
    assert sum(isinstance(one, Unauthenticated) for one in tries) == 4
    assert sum(isinstance(one, TooManyRequests) for one in tries) == 4
    with pytest.raises(Unauthenticated):
        await second.sign_in({}, "admin", "wrong", "192.0.2.2")


async def test_the_last_two_administrators_cannot_demote_each_other(pair: Pair, settings: Settings) -> None:
    first, second = await gateways(pair, settings)
    for name in ("anna", "bert"):
        await first.users.create(SYSTEM, name, name, PASSWORD, Role.ADMIN)
    for number in range(5):
        ended = await outcomes(
            first.users.change(SYSTEM, "anna", role=Role.VIEWER), second.users.change(SYSTEM, "bert", disabled=True)
        )
        assert sum(isinstance(one, Conflict) for one in ended) == 1, number
        await first.users.change(SYSTEM, "anna", role=Role.ADMIN)
        await first.users.change(SYSTEM, "bert", role=Role.ADMIN, disabled=False)


async def test_a_sign_out_reaches_the_other_gateway_within_seconds(pair: Pair, settings: Settings) -> None:
    clock = VirtualClock()
    first, second = await gateways(pair, settings, clock)
    await first.users.create(SYSTEM, "anna", "anna", PASSWORD, Role.ADMIN)
    cookie: dict[str, Any] = {}
    await first.sign_in(cookie, "anna", PASSWORD, "192.0.2.1")
    copy = dict(cookie)
    assert await second.actor_of_session(copy) is not None
    await first.sign_out(cookie)
    await clock.advance(CACHE_SECONDS)
    assert await second.actor_of_session(copy) is None


async def test_a_turn_is_given_to_one_and_lapses_with_its_holder(pair: Pair) -> None:
    clock = VirtualClock()
    first, second = (Turns(store, clock) for store in pair)
    await first.open()
    await second.open()

    async def comes_first(turns: Turns) -> bool:
        async with turns.once("sweep", 60) as ours:
            return ours

    assert await asyncio.gather(comes_first(first), comes_first(second)) in ([True, False], [False, True])
    await clock.advance(60)
    assert await comes_first(second)

    assert await first._take("rule", "one that was killed", LAPSE_SECONDS)
    waiting = asyncio.create_task(_held(second))
    for _ in range(int(LAPSE_SECONDS) - 1):
        await clock.advance(1)
    assert not waiting.done()
    async with asyncio.timeout(20):
        while not waiting.done():
            await clock.advance(0.1)
            await asyncio.sleep(0.01)  # the database answers in real time
    assert await waiting


async def _held(turns: Turns) -> bool:
    async with turns.hold("rule"):
        return True


async def test_what_was_done_in_a_turn_is_done_though_the_store_goes_away(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns(pair[0], SystemClock())
    await turns.open()

    async def away(*_: Any, **__: Any) -> None:
        raise Unavailable("the store does not answer")

    async with turns.hold("rule"):
        monkeypatch.setattr(pair[0], "replace", away)
    monkeypatch.undo()
    async with turns.once("rule", 60) as ours:
        assert not ours, "it lapses by itself, and not before"


async def test_what_is_done_once_in_a_while_is_tried_again_only_after_it_failed(pair: Pair) -> None:
    first, second = (Turns(store, SystemClock()) for store in pair)
    await first.open()
    await second.open()

    async def sweep() -> None:
        async with first.once("sweep", 3600) as ours:
            assert ours
            async with second.once("sweep", 3600) as theirs:
                assert not theirs
            raise Unavailable("the store does not answer")

    with pytest.raises(Unavailable):
        await sweep()
    async with second.once("sweep", 3600) as ours:
        assert ours
    async with first.once("sweep", 3600) as ours:
        assert not ours, "it was done"


# ---- repeated requests --------------------------------------------------------------------------------------


async def test_a_repeated_request_runs_in_one_gateway(pair: Pair) -> None:
    records = [IdempotencyRecords(store, SystemClock(), "s" * 64) for store in pair]
    for one in records:
        await one.open()
    for number in range(10):
        print_ = records[0].fingerprint(b"body")
        begun = await outcomes(*(one.begin(f"r{number}", print_) for one in records))
        assert sum(one is None for one in begun) == 1, begun
        assert sum(isinstance(one, StillRunning) for one in begun) == 1, begun
        await records[0].finish(f"r{number}", Answer(status=201, headers={}, body="e30="))
        assert [await one.begin(f"r{number}", print_) for one in records] == [
            Answer(status=201, headers={}, body="e30=")
        ] * 2


# ---- uploads ------------------------------------------------------------------------------------------------


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]
        await asyncio.sleep(0)


@pytest.fixture
async def uploads(pair: Pair, file_pair: FilePair, settings: Settings) -> tuple[UploadsService, UploadsService]:
    first, second = (
        UploadsService(store, files, SystemClock(), settings) for store, files in zip(pair, file_pair, strict=True)
    )
    await first.open()
    await second.open()
    return first, second


async def test_bytes_sent_to_two_gateways_at_once_are_stored_once(
    uploads: tuple[UploadsService, UploadsService], file_pair: FilePair
) -> None:
    """The sender believed its first connection dead and went on by another gateway."""
    content = bytes(range(256)) * 400
    await uploads[0].create(PETRA, "u", len(content), "clip.mp4")
    for _ in range(200):
        view = await uploads[0].get(PETRA, "u")
        offset = view.offset_bytes
        if offset == len(content):
            break
        part = content[offset : offset + 20_000]
        ended = await outcomes(*(one.append(PETRA, "u", offset, pieces(part)) for one in uploads))
        for one in ended:
            assert not isinstance(one, BaseException) or isinstance(one, Conflict | StaleRevision), one
    stored = [chunk async for chunk in file_pair[1].read("u")]
    assert b"".join(stored) == content
    view = await uploads[1].get(PETRA, "u")
    assert (view.upload.completed_at is not None, view.upload.sha256) == (True, hashlib.sha256(content).hexdigest())


async def test_both_gateways_finish_the_same_upload(
    uploads: tuple[UploadsService, UploadsService], file_pair: FilePair
) -> None:
    """The last bytes are there, and its process died before it made a file of them."""
    content = b"x" * 50_000
    await uploads[0].create(PETRA, "u", len(content), "clip.mp4")
    await file_pair[0].append("u", 0, pieces(content))
    views = await asyncio.gather(*(one.get(PETRA, "u") for one in uploads))
    assert {view.offset_bytes for view in views} == {len(content)}
    for one in uploads:
        assert (await one.completed_file("u")).sha256 == hashlib.sha256(content).hexdigest()
