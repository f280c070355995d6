"""Documents in one SQLite file: a table per collection with JSON bodies, and expression indexes on what is searched.

Every write is one statement, hence one transaction, and costs one fsync; several processes may use the file at once.
"""

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import aiosqlite

from video_manager.adapters.collections import Collections
from video_manager.adapters.embedded import document_outbox as boxes
from video_manager.adapters.embedded import document_queries as queries
from video_manager.adapters.embedded.sqlite import apply_schema, connect, explained
from video_manager.contracts.envelope import Envelope
from video_manager.errors import AlreadyExists, Conflict, SettingsError, StaleRevision
from video_manager.ports import CollectionSpec, Op, Query, Scalar, Stored, Unsent, Where

SCHEMA_VERSION = 1
READERS = 2
"""Connections for reading, so that a read never waits behind an fsync or one slow search."""

_COLUMNS = "id, revision, body, inbox"
MANY = 200
"""From so many matches on, a page is read along its order."""

_CONTENT = "body TEXT NOT NULL, inbox TEXT, outbox TEXT"
_WAITING = "json_extract(outbox, '$[0][0]')"


class SqliteDocuments:
    """DocumentStore in the file `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._collections = Collections()
        self._connections: list[aiosqlite.Connection] = []
        self._turns = itertools.count()

    async def open(self) -> None:
        with explained(self._path):
            try:
                writer = await connect(self._path)
                self._connections.append(writer)
                await apply_schema(writer, self._path, SCHEMA_VERSION, ())
                for name, arguments, function in _FUNCTIONS:
                    await writer.create_function(name, arguments, function, deterministic=True)
                for _ in range(READERS):
                    reader = await connect(self._path, read_only=True)
                    self._connections.append(reader)
                    await reader.create_function("contains_folded", 2, queries.contains_folded, deterministic=True)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        while self._connections:
            await self._connections.pop().close()

    async def register(self, spec: CollectionSpec) -> None:
        table = queries.table_of(spec.name)
        statements = [
            f"CREATE TABLE IF NOT EXISTS {table} (id TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, {_CONTENT})",
            f"CREATE INDEX IF NOT EXISTS {table}__waiting ON {table} ({_WAITING}) WHERE outbox IS NOT NULL",
        ]
        for path in spec.indexed:
            name = f"{table}__by_{path.replace('.', '__')}"
            statements.append(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({queries.expression(path)}, id)")
        for path in spec.unique:
            field = queries.expression(path)
            name = _unique_index(table, path)
            statements.append(
                f"CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {table} ({field}) WHERE {field} IS NOT NULL"
            )
        try:
            for statement in statements:
                await self._write(statement, ())
        except sqlite3.IntegrityError as error:
            raise SettingsError(
                f"{self._path}: {spec.name} holds values twice that this release wants unique ({error}); "
                "start the former release and change one of them"
            ) from error
        self._collections.add(spec)

    async def insert(
        self, collection: str, id: str, body: Mapping[str, Any], *, outbox: Sequence[Envelope] = (),
        handled: str | None = None,
    ) -> Stored:  # fmt: skip
        table = self._table(collection)
        inbox = boxes.inbox_with(None, handled)
        statement = f"INSERT INTO {table} ({_COLUMNS}, outbox) VALUES (?, 1, ?, ?, ?)"  # noqa: S608 - checked name
        values = (id, json.dumps(body), inbox, boxes.packed_messages(outbox))
        try:
            await self._write(statement, values)
        except sqlite3.IntegrityError as error:
            raise self._taken(collection, id, error) from error
        self._collections.tell_unsent(collection, id, outbox)
        return Stored(id, 1, body, boxes.unpacked_inbox(inbox))

    async def get(self, collection: str, id: str) -> Stored | None:
        found = await self.get_many(collection, [id])
        return found[0] if found else None

    async def get_many(self, collection: str, ids: Sequence[str]) -> list[Stored]:
        table = self._table(collection)
        rows = await self._read(
            f"SELECT {_COLUMNS} FROM {table} WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608 - checked name
            (json.dumps(list(ids)),),
        )
        by_id = {stored.id: stored for stored in map(_stored, rows)}
        return [by_id[id] for id in ids if id in by_id]

    async def replace(
        self, collection: str, id: str, revision: int, body: Mapping[str, Any], *,
        outbox: Sequence[Envelope] = (), handled: str | None = None,
    ) -> int:  # fmt: skip
        table = self._table(collection)
        try:
            changed = await self._write(
                f"UPDATE {table} SET revision = revision + 1, body = ?, "  # noqa: S608 - checked name
                "inbox = inbox_with(inbox, ?), outbox = joined_messages(outbox, ?) WHERE id = ? AND revision = ?",
                (json.dumps(body), handled, boxes.packed_messages(outbox), id, revision),
            )
        except sqlite3.IntegrityError as error:
            raise self._taken(collection, id, error) from error
        if not changed:
            raise _stale(collection, id, revision)
        self._collections.tell_unsent(collection, id, outbox)
        return revision + 1

    async def delete(self, collection: str, id: str, revision: int | None = None) -> bool:
        table = self._table(collection)
        if await self._write(
            f"DELETE FROM {table} WHERE id = ? AND outbox IS NULL AND (? IS NULL OR revision = ?)",  # noqa: S608 - checked name
            (id, revision, revision),
        ):
            return True
        rows = await self._read(f"SELECT revision FROM {table} WHERE id = ?", (id,))  # noqa: S608 - checked name
        if not rows:
            return False
        if revision is not None and rows[0][0] != revision:
            raise _stale(collection, id, revision)
        raise Conflict(f"{id} in {collection} still has messages to send: delete it again in a moment")

    async def find(self, collection: str, query: Query) -> list[Stored]:
        along_order = query.order_by is not None and await self._match_many(collection, query.where)
        tail, values = queries.selection(self._collections.spec(collection), query, along_order=along_order)
        statement = f"SELECT {_COLUMNS} FROM {queries.table_of(collection)}{tail}"  # noqa: S608 - fields are checked
        return [_stored(row) for row in await self._read(statement, values)]

    async def _match_many(self, collection: str, where: Sequence[Where]) -> bool:
        """Whether the indexes of the conditions leave so many documents that sorting them costs more than walking the
        index of the order: SQLite keeps no statistics that would tell."""
        exact = [one for one in where if one.op in (Op.EQ, Op.IN, Op.IS_NULL)]
        if not exact:
            return True
        tail, values = queries.conditions(self._collections.spec(collection), exact)
        inner = f"SELECT 1 FROM {queries.table_of(collection)}{tail} LIMIT {MANY}"  # noqa: S608 - fields are checked
        return bool((await self._read(f"SELECT COUNT(*) = {MANY} FROM ({inner})", values))[0][0])  # noqa: S608

    async def count(self, collection: str, where: Sequence[Where] = ()) -> int:
        tail, values = queries.conditions(self._collections.spec(collection), where)
        statement = f"SELECT COUNT(*) FROM {queries.table_of(collection)}{tail}"  # noqa: S608 - fields are checked
        return int((await self._read(statement, values))[0][0])

    async def count_by(self, collection: str, field: str, where: Sequence[Where] = ()) -> dict[Scalar, int]:
        spec = self._collections.spec(collection)
        value = queries.field_expression(spec, field)
        tail, values = queries.conditions(spec, where)
        # SQLite gives JSON's true and false as 1 and 0; the type tells them apart.
        boolean = (
            "0" if field == "id" else f"COALESCE(json_type(body, {queries.json_path(field)}) IN ('true', 'false'), 0)"
        )
        table = queries.table_of(collection)
        statement = f"SELECT {value}, {boolean}, COUNT(*) FROM {table}{tail} GROUP BY 1, 2"  # noqa: S608 - as above
        rows = await self._read(statement, values)
        return {bool(value) if boolean else value: count for value, boolean, count in rows}

    async def unsent(self, limit: int = 100, before: datetime | None = None) -> list[Unsent]:
        names = self._collections.names
        if not names:
            return []
        each = " UNION ALL ".join(
            f"SELECT '{name}', id, outbox, {_WAITING} AS since FROM {queries.table_of(name)} "  # noqa: S608 - checked name
            "WHERE outbox IS NOT NULL"
            for name in names
        )
        earlier = "WHERE since < ?" if before is not None else ""
        values = (limit,) if before is None else (boxes.fixed_width(before), limit)
        rows = await self._read(f"SELECT * FROM ({each}) {earlier} ORDER BY since LIMIT ?", values)  # noqa: S608
        return [Unsent(name, id, boxes.unpacked_messages(outbox)) for name, id, outbox, _ in rows]

    async def mark_sent(self, collection: str, id: str, message_ids: Sequence[str]) -> None:
        await self._write(
            f"UPDATE {self._table(collection)} SET outbox = messages_without(outbox, ?) "  # noqa: S608 - checked name
            "WHERE id = ? AND outbox IS NOT NULL",
            (json.dumps(list(message_ids)), id),
        )

    async def mark_all_sent(self, sent: Sequence[Unsent]) -> None:
        ids: dict[str, dict[str, list[str]]] = {}
        for one in sent:
            ids.setdefault(one.collection, {})[one.id] = [message.id for message in one.messages]
        for collection, by_document in ids.items():
            table = self._table(collection)
            # Not UPDATE FROM, which the SQLite of some supported systems does not know.
            await self._write(
                f"UPDATE {table} SET outbox = messages_without(outbox, "  # noqa: S608 - checked name
                f"(SELECT value FROM json_each(?1) WHERE key = {table}.id)) "
                f"WHERE id IN (SELECT key FROM json_each(?1)) AND outbox IS NOT NULL",
                (json.dumps(by_document),),
            )

    async def oldest_unsent(self) -> datetime | None:
        longest = await self.unsent(limit=1)
        return longest[0].messages[0].time if longest else None

    def on_unsent(self, wake: Callable[[Unsent], None]) -> None:
        self._collections.on_unsent(wake)

    def _table(self, collection: str) -> str:
        return queries.table_of(self._collections.spec(collection).name)

    async def _write(self, statement: str, values: Sequence[Any]) -> int:
        """One statement as one transaction; the number of rows it changed."""
        with explained(self._path):
            cursor = await self._connections[0].execute(statement, values)
            return cursor.rowcount

    async def _read(self, statement: str, values: Sequence[Any]) -> list[Any]:
        reader = self._connections[1 + next(self._turns) % READERS]
        with explained(self._path):
            return list(await reader.execute_fetchall(statement, values))

    def _taken(self, collection: str, id: str, error: sqlite3.IntegrityError) -> AlreadyExists:
        table = queries.table_of(collection)
        for path in self._collections.spec(collection).unique:
            if f"'{_unique_index(table, path)}'" in str(error):
                return AlreadyExists(f"another one in {collection} has the same {path}: choose a different value")
        return AlreadyExists(f"{collection} already has {id!r}")


_FUNCTIONS: tuple[tuple[str, int, Callable[..., Any]], ...] = (
    ("joined_messages", 2, boxes.joined_messages),
    ("messages_without", 2, boxes.messages_without),
    ("inbox_with", 2, boxes.inbox_with),
)


def _unique_index(table: str, path: str) -> str:
    return f"{table}__unique_{path.replace('.', '__')}"


def _stored(row: Iterable[Any]) -> Stored:
    id, revision, body, inbox = row
    return Stored(id, revision, json.loads(body), boxes.unpacked_inbox(inbox))


def _stale(collection: str, id: str, revision: int) -> StaleRevision:
    return StaleRevision(
        f"{id} in {collection} was changed or deleted since revision {revision} was read: load it again and repeat"
    )
