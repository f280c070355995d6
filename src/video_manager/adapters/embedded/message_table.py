"""The tables of the embedded bus. Statements only; who takes what is decided in `queue_consumer`.

A message stays in its queue's rows until it is acknowledged. That it was taken is known only to the process that took
it, so a crash gives everything back without a write.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiosqlite

from video_manager.adapters.embedded.group_commit import GroupCommit, Step
from video_manager.adapters.embedded.sqlite import apply_schema, connect, explained
from video_manager.contracts.envelope import Envelope
from video_manager.errors import NotFound
from video_manager.ports import DeadLetter

SCHEMA_VERSION = 1
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS bindings (queue TEXT NOT NULL, pattern TEXT NOT NULL, PRIMARY KEY (queue, pattern))",
    # AUTOINCREMENT: a number is never used again, so that a taken one cannot be mistaken for a newer message.
    # due_at is 0 for a message that can be taken, else the Unix time when it can.
    (
        "CREATE TABLE IF NOT EXISTS messages (seq INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, "
        "priority INTEGER NOT NULL, due_at REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, "
        "envelope TEXT NOT NULL)"
    ),
    "CREATE INDEX IF NOT EXISTS messages_ready ON messages (queue, priority DESC, seq) WHERE due_at = 0",
    "CREATE INDEX IF NOT EXISTS messages_delayed ON messages (due_at) WHERE due_at > 0",
    (
        "CREATE TABLE IF NOT EXISTS dead_letters (id TEXT PRIMARY KEY, queue TEXT NOT NULL, priority INTEGER NOT NULL, "
        "envelope TEXT NOT NULL, reason TEXT NOT NULL, attempts INTEGER NOT NULL, died_at TEXT NOT NULL)"
    ),
)
_UNBIND = "DELETE FROM bindings WHERE queue = ?"
_BIND = "INSERT OR IGNORE INTO bindings VALUES (?, ?)"
_INSERT = "INSERT INTO messages (queue, priority, envelope) VALUES (?, ?, ?)"
_DELETE = "DELETE FROM messages WHERE seq = ?"
_DELAY = "UPDATE messages SET due_at = ?, attempts = ? WHERE seq = ?"
_PROMOTE = "UPDATE messages SET due_at = 0 WHERE due_at > 0 AND due_at <= ?"
_BURY = "INSERT INTO dead_letters SELECT ?, queue, priority, envelope, ?, ?, ? FROM messages WHERE seq = ?"
_REVIVE = (
    "INSERT INTO messages (queue, priority, envelope) SELECT queue, priority, envelope FROM dead_letters WHERE id = ?"
)
_DROP = "DELETE FROM dead_letters WHERE id = ?"
_READY = (
    "SELECT seq, envelope, attempts FROM messages WHERE queue = ? AND due_at = 0 ORDER BY priority DESC, seq LIMIT ?"
)


@dataclass(frozen=True)
class Row:
    """A message as it lies in a queue; `attempts` are those that failed."""

    seq: int
    envelope: str
    attempts: int


class MessageTable:
    """Queues, their bindings, and dead letters in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: list[aiosqlite.Connection] = []
        self._commits: GroupCommit | None = None

    async def open(self) -> None:
        with explained(self._path):
            try:
                writer = await connect(self._path)
                self._connections.append(writer)
                await apply_schema(writer, self._path, SCHEMA_VERSION, _SCHEMA)
                self._connections.append(await connect(self._path, read_only=True))
            except BaseException:
                await self.close()
                raise
        self._commits = GroupCommit(writer, self._path)

    async def close(self) -> None:
        if self._commits is not None:
            await self._commits.close()
            self._commits = None
        while self._connections:
            await self._connections.pop().close()

    async def bind(self, queue: str, patterns: Sequence[str]) -> None:
        """These patterns, and no others, from now on."""
        await self._write(Step(_UNBIND, [(queue,)]), Step(_BIND, [(queue, pattern) for pattern in patterns]))

    async def bindings(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for queue, pattern in await self._read("SELECT queue, pattern FROM bindings"):
            found[queue] = (*found.get(queue, ()), pattern)
        return found

    async def insert(self, messages: Sequence[tuple[str, Envelope]]) -> None:
        """Pairs of queue and message."""
        rows = [(queue, message.priority, message.model_dump_json()) for queue, message in messages]
        await self._write(Step(_INSERT, rows))

    async def ready(self, queue: str, limit: int) -> list[Row]:
        """The next ones to take, highest priority first."""
        return [Row(*row) for row in await self._read(_READY, (queue, limit))]

    async def remove(self, seq: int) -> None:
        await self._write(Step(_DELETE, [(seq,)]))

    async def delay(self, row: Row, attempts: int, due_at: float) -> None:
        """So many attempts have failed; the message can be taken again from `due_at` (Unix time)."""
        await self._write(Step(_DELAY, [(due_at, attempts, row.seq)]))

    async def bury(self, row: Row, reason: str) -> None:
        died_at = datetime.now(UTC).isoformat()
        await self._write(
            Step(_BURY, [(uuid.uuid4().hex, reason, row.attempts + 1, died_at, row.seq)]),
            Step(_DELETE, [(row.seq,)]),
        )

    async def promote(self, now: float) -> None:
        """Make those whose delay has passed ready."""
        await self._write(Step(_PROMOTE, [(now,)]))

    async def next_due(self) -> float | None:
        rows = await self._read("SELECT MIN(due_at) FROM messages WHERE due_at > 0")
        return rows[0][0] if rows else None

    async def depth(self) -> dict[str, int]:
        """All declared queues, with what lies in them, taken or not."""
        rows = await self._read(
            "SELECT queue, 0 FROM bindings UNION ALL SELECT queue, COUNT(*) FROM messages GROUP BY queue"
        )
        return dict(sorted(rows))

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest first."""
        rows = await self._read(
            "SELECT id, queue, envelope, reason, attempts, died_at FROM dead_letters ORDER BY died_at DESC, id LIMIT ?",
            (limit,),
        )
        return [
            DeadLetter(id, queue, _readable(envelope), reason, attempts, datetime.fromisoformat(died_at))
            for id, queue, envelope, reason, attempts, died_at in rows
        ]

    async def revive(self, id: str) -> str:
        """Put a dead letter back into its queue, whose name is returned. Raises NotFound."""
        queue = await self._queue_of(id)
        await self._write(Step(_REVIVE, [(id,)]), Step(_DROP, [(id,)]))
        return queue

    async def drop(self, id: str) -> None:
        """Raises NotFound."""
        await self._queue_of(id)
        await self._write(Step(_DROP, [(id,)]))

    async def data_version(self) -> int:
        """Changes when another connection, perhaps of another process, has written."""
        return int((await self._read("PRAGMA data_version"))[0][0])

    async def _queue_of(self, dead_letter_id: str) -> str:
        rows = await self._read("SELECT queue FROM dead_letters WHERE id = ?", (dead_letter_id,))
        if not rows:
            raise NotFound(f"there is no dead letter {dead_letter_id!r}: it was sent again or dropped already")
        return str(rows[0][0])

    async def _write(self, *steps: Step) -> None:
        if self._commits is None:
            raise RuntimeError(f"{self._path} is not open")
        await self._commits.write(*steps)

    async def _read(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        with explained(self._path):
            return list(await self._connections[1].execute_fetchall(statement, values))


def _readable(envelope: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(envelope)
    except ValueError:
        return {"unreadable": envelope}
    return parsed if isinstance(parsed, dict) else {"unreadable": envelope}
