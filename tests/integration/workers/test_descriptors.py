"""The process runner on each event loop: a file descriptor is closed once, and a child that dies early says why."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from video_manager.adapters.processes import ProcessRunner, answers_of_child
from video_manager.errors import PermanentError
from video_manager.ports import PluginCall

CHANNELS = 3000
"""With a pipe on uvloop each of three runs of this many failed."""
SLOW_LOOP_SECONDS = 0.05

Main = Coroutine[Any, Any, None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    def run(main: Main) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main)

    return run


def test_no_descriptor_is_closed_twice(run: Callable[[Main], None]) -> None:
    """A second close hits whatever another thread has opened in between, such as the lock of a work folder."""

    async def answers() -> None:
        for _ in range(CHANNELS):
            async with answers_of_child() as (reader, childs_end):
                childs_end.send(b"an answer\n")
                childs_end.close()
                assert await reader.readline() == b"an answer\n"

    with quick_turns_of_threads(), files_opened_in_threads() as lost:
        run(answers())
    assert lost == []


def test_a_child_that_is_dead_before_it_is_fed_says_why(
    run: Callable[[Main], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def die() -> None:
        dawdling = asyncio.create_task(dawdle())
        with pytest.raises(PermanentError, match="ended with exit status 1 and no answer"):
            await ProcessRunner().run(PluginCall("render", {}, tmp_path), lambda *_: None)
        dawdling.cancel()

    run(die())


async def dawdle() -> None:
    """Whatever is awaited meanwhile takes longer than a child that ends at once."""
    while True:
        time.sleep(SLOW_LOOP_SECONDS)  # noqa: ASYNC251 - to keep the loop busy is the purpose
        await asyncio.sleep(0)


@contextmanager
def quick_turns_of_threads() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


@contextmanager
def files_opened_in_threads() -> Iterator[list[str]]:
    """Two threads that open and close this file all the time; a line for each time that it was not theirs any more."""
    stop = threading.Event()
    lost: list[str] = []
    here = Path(__file__).stat().st_ino

    def open_and_close() -> None:
        while not stop.is_set():
            descriptor = os.open(__file__, os.O_RDONLY)
            try:
                if os.fstat(descriptor).st_ino != here:
                    lost.append(f"{descriptor} is another file")
                else:
                    os.close(descriptor)
            except OSError as error:
                lost.append(f"{descriptor}: {error}")

    threads = [threading.Thread(target=open_and_close) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield lost
    finally:
        stop.set()
        for thread in threads:
            thread.join()
