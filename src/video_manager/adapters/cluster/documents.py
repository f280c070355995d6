"""Documents in MongoDB: one Mongo document an aggregate, so that every write is one atomic change of one document.

Its fields: `_id`, `revision`, `write` (which write made this revision), `body` (with `exact` and `folded`, see
document_bodies), `inbox`, `outbox`, `waiting`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pymongo
from bson import ObjectId
from pymongo import IndexModel
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, OperationFailure

from video_manager.adapters.cluster import document_bodies as bodies
from video_manager.adapters.cluster import document_outbox as boxes
from video_manager.adapters.cluster import document_queries as queries
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.cluster.mongo_errors import SETTING, explained
from video_manager.adapters.collections import Collections
from video_manager.contracts.envelope import Envelope
from video_manager.errors import AlreadyExists, Conflict, SettingsError, StaleRevision
from video_manager.ports import CollectionSpec, Query, Scalar, Stored, Unsent, Where

INDEX_SECONDS = 600.0
"""A new index on a large collection takes longer than an operation may."""

_BATCH = 1000
_SHOWN = {"revision": 1, "body": 1, "exact": 1, "inbox": 1}
_CONFLICTS = frozenset({85, 86})
"""IndexOptionsConflict, IndexKeySpecsConflict."""

Document = dict[str, Any]


class MongoDocuments:
    """DocumentStore in the database of the connection, which it opens and closes with its other users."""

    def __init__(self, connection: MongoConnection) -> None:
        self._connection = connection
        self._collections = Collections()
        self._handles: dict[str, AsyncCollection[Document]] = {}
        """Making one for each operation costs."""
        self._is_open = False

    async def open(self) -> None:
        await self._connection.open()
        self._is_open = True

    async def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._handles.clear()
            await self._connection.close()

    async def register(self, spec: CollectionSpec) -> None:
        collection = self._connection.database[spec.name]
        try:
            with explained(), pymongo.timeout(INDEX_SECONDS):
                await collection.create_indexes(_indexes(spec))
        except DuplicateKeyError as error:
            raise SettingsError(
                f"{SETTING}: {spec.name} holds values twice that this release wants unique "
                f"({error.details and error.details.get('errmsg')}); start the former release and change one of them"
            ) from error
        except OperationFailure as error:
            if error.code not in _CONFLICTS:
                raise
            raise SettingsError(
                f"{SETTING}: {spec.name} has an index that another release or a person made in another way "
                f"({error.details and error.details.get('errmsg')}): drop that index, then start again"
            ) from error
        self._collections.add(spec)

    async def insert(
        self, collection: str, id: str, body: Mapping[str, Any], *, outbox: Sequence[Envelope] = (),
        handled: str | None = None,
    ) -> Stored:  # fmt: skip
        spec, write = self._collections.spec(collection), ObjectId()
        fields = {**bodies.content(spec, body), **boxes.of_new_document(outbox, handled)}
        try:
            with explained(_named(collection, id)):
                await self._collection(spec).insert_one({"_id": id, "revision": 1, "write": write, **fields})
        except DuplicateKeyError as error:
            if not await self._was_written(spec, id, write):
                raise _taken(spec, id, error) from error
        self._collections.tell_unsent(collection, id, outbox)
        return Stored(id, 1, body, frozenset(fields.get("inbox", ())))

    async def get(self, collection: str, id: str) -> Stored | None:
        with explained():
            found = await self._collection(self._collections.spec(collection)).find_one({"_id": {"$eq": id}}, _SHOWN)
        return _stored(found) if found is not None else None

    async def get_many(self, collection: str, ids: Sequence[str]) -> list[Stored]:
        wanted = {"_id": {"$in": list(ids)}}
        with explained():
            found = (
                await self._collection(self._collections.spec(collection))
                .find(wanted, _SHOWN, batch_size=_BATCH)
                .to_list()
            )
        by_id = {stored.id: stored for stored in map(_stored, found)}
        return [by_id[id] for id in ids if id in by_id]

    async def replace(
        self, collection: str, id: str, revision: int, body: Mapping[str, Any], *,
        outbox: Sequence[Envelope] = (), handled: str | None = None,
    ) -> int:  # fmt: skip
        spec, write = self._collections.spec(collection), ObjectId()
        content = {name: {"$literal": value} for name, value in bodies.content(spec, body).items()}
        new = {"_id": "$_id", "revision": revision + 1, "write": write, **content, **boxes.appended(outbox, handled)}
        # The revision is compared in the change rather than in the filter: some servers find a document by its id only
        # when nothing else is asked for, and read the whole collection otherwise.
        change = {"$replaceWith": {"$cond": [{"$eq": ["$revision", revision]}, new, "$$ROOT"]}}
        try:
            with explained(_named(collection, id)):
                changed = await self._collection(spec).update_one({"_id": {"$eq": id}}, [change])
        except DuplicateKeyError as error:
            raise _taken(spec, id, error) from error
        if not changed.modified_count and not await self._was_written(spec, id, write):
            raise _stale(collection, id, revision)
        self._collections.tell_unsent(collection, id, outbox)
        return revision + 1

    async def _was_written(self, spec: CollectionSpec, id: str, write: ObjectId) -> bool:
        """Whether this very write made the document's present revision. The driver repeats a write whose answer was
        lost, and a server that does not remember the first one (it was restarted meanwhile) refuses the second."""
        with explained():
            found = await self._collection(spec).find_one({"_id": {"$eq": id}}, {"write": 1})
        return found is not None and found.get("write") == write

    async def delete(self, collection: str, id: str, revision: int | None = None) -> bool:
        documents = self._collection(self._collections.spec(collection))
        wanted: Document = {"_id": {"$eq": id}, "waiting": {"$eq": None}}
        if revision is not None:
            wanted["revision"] = revision
        with explained():
            if (await documents.delete_one(wanted)).deleted_count:
                return True
            found = await documents.find_one({"_id": {"$eq": id}}, {"revision": 1})
        if found is None:
            return False
        if revision is not None and found["revision"] != revision:
            raise _stale(collection, id, revision)
        raise Conflict(f"{id} in {collection} still has messages to send: delete it again in a moment")

    async def find(self, collection: str, query: Query) -> list[Stored]:
        spec = self._collections.spec(collection)
        wanted, order = queries.selection(spec, query)
        if query.limit < 1:  # to MongoDB, 0 means all
            return []
        with explained():
            found = self._collection(spec).find(
                wanted, _SHOWN, sort=order, limit=query.limit, batch_size=min(query.limit, _BATCH)
            )
            return [_stored(document) for document in await found.to_list()]

    async def count(self, collection: str, where: Sequence[Where] = ()) -> int:
        spec = self._collections.spec(collection)
        wanted = queries.conditions(spec, where)
        with explained():
            return await self._collection(spec).count_documents(wanted)

    async def count_by(self, collection: str, field: str, where: Sequence[Where] = ()) -> dict[Scalar, int]:
        spec = self._collections.spec(collection)
        stages: list[Document] = [
            {"$match": queries.conditions(spec, where)},
            {"$group": {"_id": f"${queries.field_of(spec, field)}", "count": {"$sum": 1}}},
        ]
        with explained():
            groups = await (await self._collection(spec).aggregate(stages)).to_list()
        return {group["_id"]: group["count"] for group in groups}

    async def unsent(self, limit: int = 100, before: datetime | None = None) -> list[Unsent]:
        names = self._collections.names
        if not names or limit < 1:
            return []
        wanted, shown = boxes.waiting_since(before), {"outbox": 1, "waiting": 1}

        async def longest(name: str) -> list[Document]:
            found = self._connection.database[name].find(wanted, shown, batch_size=_BATCH)
            return await found.sort("waiting", 1).limit(limit).to_list()

        with explained():
            # A look at the small index of each, all at once: a union in the server reads whole collections on some.
            found = await asyncio.gather(*map(longest, names))
        waiting = [(one["waiting"], name, one) for name, some in zip(names, found, strict=True) for one in some]
        waiting.sort(key=lambda one: one[0])
        return [Unsent(name, one["_id"], boxes.unpacked(one["outbox"])) for _, name, one in waiting[:limit]]

    async def mark_sent(self, collection: str, id: str, message_ids: Sequence[str]) -> None:
        await self._mark_sent(collection, [_mark(id, message_ids)])

    async def mark_all_sent(self, sent: Sequence[Unsent]) -> None:
        by_collection: dict[str, list[pymongo.UpdateOne]] = {}
        for one in sent:
            by_collection.setdefault(one.collection, []).append(_mark(one.id, [message.id for message in one.messages]))
        await asyncio.gather(*(self._mark_sent(collection, marks) for collection, marks in by_collection.items()))

    async def _mark_sent(self, collection: str, marks: Sequence[pymongo.UpdateOne]) -> None:
        with explained():
            await self._collection(self._collections.spec(collection)).bulk_write(marks, ordered=False)

    async def oldest_unsent(self) -> datetime | None:
        longest = await self.unsent(limit=1)
        return longest[0].messages[0].time if longest else None

    def on_unsent(self, wake: Callable[[Unsent], None]) -> None:
        self._collections.on_unsent(wake)

    def _collection(self, spec: CollectionSpec) -> AsyncCollection[Document]:
        handle = self._handles.get(spec.name)
        if handle is None:
            handle = self._handles[spec.name] = self._connection.database[spec.name]
        return handle


def _indexes(spec: CollectionSpec) -> list[IndexModel]:
    indexes = [IndexModel("waiting", name="waiting", partialFilterExpression=boxes.IS_WAITING)]
    indexes += [
        IndexModel([(f"body.{path}", 1), ("_id", 1)], name=f"by__{path.replace('.', '__')}") for path in spec.indexed
    ]
    for path in spec.unique:
        # Null and missing values are left out: they may occur many times.
        values = {"$or": [{f"body.{path}": {"$gte": ""}}, {f"body.{path}": {"$gte": float("-inf")}}]}
        indexes.append(
            IndexModel(f"body.{path}", name=_unique_index(path), unique=True, partialFilterExpression=values)
        )
    return indexes


def _unique_index(path: str) -> str:
    return f"unique__{path.replace('.', '__')}"


def _stored(document: Document) -> Stored:
    inbox = frozenset(document.get("inbox", ()))
    return Stored(document["_id"], document["revision"], bodies.body_of(document), inbox)


def _mark(id: str, message_ids: Sequence[str]) -> pymongo.UpdateOne:
    return pymongo.UpdateOne({"_id": {"$eq": id}}, boxes.without(message_ids))


def _named(collection: str, id: str) -> str:
    return f"{id} in {collection}"


def _taken(spec: CollectionSpec, id: str, error: DuplicateKeyError) -> AlreadyExists:
    pattern = (error.details or {}).get("keyPattern", {})
    for path in spec.unique:
        if f"body.{path}" in pattern:
            return AlreadyExists(f"another one in {spec.name} has the same {path}: choose a different value")
    return AlreadyExists(f"{spec.name} already has {id!r}")


def _stale(collection: str, id: str, revision: int) -> StaleRevision:
    return StaleRevision(
        f"{id} in {collection} was changed or deleted since revision {revision} was read: load it again and repeat"
    )
