"""Writes that arrive while another one is being committed share the next commit, and so its fsync."""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite

from video_manager.adapters.embedded.sqlite import explained, transaction

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Step:
    """One statement, run once for each of its rows of values."""

    statement: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class _Write:
    steps: tuple[Step, ...]
    done: asyncio.Future[None]


class GroupCommit:
    """The only writer of one connection."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._waiting: list[_Write] = []
        self._woken = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._commit_groups(), name="group commit")

    async def write(self, *steps: Step) -> None:
        """All steps or none, on disk when it returns."""
        if self._closing:
            raise RuntimeError(f"{self._path} is closed")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Write(steps, done))
        self._woken.set()
        await done

    async def close(self) -> None:
        """Commit what waits, then end."""
        self._closing = True
        self._woken.set()
        await self._task

    async def _commit_groups(self) -> None:
        while not self._closing or self._waiting:
            await self._woken.wait()
            self._woken.clear()
            if self._waiting:
                group, self._waiting = self._waiting, []
                await self._commit(group)
                if self._waiting or self._closing:
                    self._woken.set()

    async def _commit(self, group: Sequence[_Write]) -> None:
        steps = [step for write in group for step in write.steps]
        try:
            with explained(self._path):
                await self._run(steps)
        except Exception as error:  # noqa: BLE001 - goes to those who wait for this commit
            if len(group) > 1:
                # One of them may be the reason: the others must not fail with it.
                for write in group:
                    await self._commit([write])
            elif not group[0].done.done():
                group[0].done.set_exception(error)
            return
        for write in group:
            with contextlib.suppress(asyncio.InvalidStateError):  # its caller was cancelled
                write.done.set_result(None)

    async def _run(self, steps: Sequence[Step]) -> None:
        if len(steps) == 1 and len(steps[0].rows) == 1:
            # A statement of its own is a transaction of its own, with fewer trips to the connection's thread.
            await self._connection.execute(steps[0].statement, steps[0].rows[0])
            return
        async with transaction(self._connection):
            for statement, same in itertools.groupby(steps, key=lambda step: step.statement):
                await self._connection.executemany(statement, [row for step in same for row in step.rows])
