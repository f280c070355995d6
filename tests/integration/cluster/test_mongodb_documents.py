"""What only MongoDB can have: indexes of others, its limit of size, its error codes."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    DocumentTooLarge,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
    WriteConcernError,
    WriteError,
    WTimeoutError,
)
from tests.contract.documents.backends import THINGS
from tests.contract.messages import message

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.cluster.mongo_errors import explained
from video_manager.errors import SettingsError, StorageFull, TooLarge, Unavailable, VideoManagerError
from video_manager.ports import CollectionSpec, Op, Query, Where


@pytest.fixture
async def store(mongodb_url: str) -> AsyncIterator[MongoDocuments]:
    opened = MongoDocuments(MongoConnection(mongodb_url))
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def raw(mongodb_url: str) -> Iterator[Database[dict[str, Any]]]:
    """The database, as another program sees it."""
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        yield client.get_default_database()


async def test_doubled_values_of_a_newly_unique_field_stop_the_start(store: MongoDocuments) -> None:
    await store.register(CollectionSpec("things"))
    for id in "ab":
        await store.insert("things", id, {"id": id, "email": "x@y"})
    with pytest.raises(SettingsError, match="twice"):
        await store.register(THINGS)


async def test_an_index_that_somebody_made_in_another_way_stops_the_start(
    store: MongoDocuments, raw: Database[dict[str, Any]]
) -> None:
    raw["things"].create_index("elsewhere", name="by__n")
    with pytest.raises(SettingsError, match=r"by__n.*drop that index"):
        await store.register(THINGS)


@pytest.mark.parametrize("characters", [17 << 20, (16 << 20) - 20], ids=["by the driver", "by the server"])
async def test_a_document_that_is_too_large_is_said(store: MongoDocuments, characters: int) -> None:
    await store.register(THINGS)
    body = {"id": "large", "text": "x" * characters}
    with pytest.raises(TooLarge, match="large in things is larger than"):
        await store.insert("things", "large", body)
    await store.insert("things", "large", {"id": "large"}, outbox=[message("m")])
    with pytest.raises(TooLarge, match="large in things is larger than"):
        await store.replace("things", "large", 1, body)
    await store.replace("things", "large", 1, {"id": "large", "n": 1})


async def test_people_can_read_what_is_stored(store: MongoDocuments, raw: Database[dict[str, Any]]) -> None:
    await store.register(THINGS)
    body = {"id": "a", "title": "Plain", "nested": {"at": "2026"}, "list": [1, None]}
    await store.insert("things", "a", body, outbox=[message("m")], handled="h")
    found = raw["things"].find_one({"_id": "a"})
    assert found is not None
    assert set(found) == {"_id", "revision", "write", "body", "inbox", "outbox", "waiting"}
    assert (found["revision"], found["body"], found["inbox"]) == (1, body, ["h"])


async def test_a_field_that_a_former_release_did_not_search_can_be_searched(store: MongoDocuments) -> None:
    await store.register(CollectionSpec("things"))
    await store.insert("things", "a", {"id": "a", "title": "Größe"})
    await store.register(THINGS)
    assert await store.count("things", [Where("title", Op.CONTAINS, "GRÖ")]) == 1


async def test_the_waiting_documents_are_found_by_their_index(
    store: MongoDocuments, raw: Database[dict[str, Any]]
) -> None:
    await store.register(THINGS)
    for n in range(30):
        await store.insert("things", str(n), {"id": str(n)}, outbox=[message(f"m{n}")] if n == 7 else [])
    plan = raw["things"].find({"waiting": {"$gt": ""}}).sort("waiting", 1).explain()
    assert "'waiting'" in str(plan["queryPlanner"]["winningPlan"]), plan
    assert [one.id for one in await store.unsent()] == ["7"]
    assert len(await store.find("things", Query())) == 30


_LABELLED = OperationFailure("interrupted", 11600, {"errorLabels": ["RetryableWriteError"]})


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (AutoReconnect("connection closed"), Unavailable),
        (NetworkTimeout("timed out"), Unavailable),
        (NotPrimaryError("not primary"), Unavailable),
        (ServerSelectionTimeoutError("no primary"), Unavailable),
        (WaitQueueTimeoutError("no connection free"), Unavailable),
        (ExecutionTimeout("operation exceeded time limit", 50), Unavailable),
        (WTimeoutError("waiting for replication timed out", 64), Unavailable),
        (WriteConcernError("primary stepped down", 189), Unavailable),
        (_LABELLED, Unavailable),
        (OperationFailure("out of disk space", 14031), StorageFull),
        (WriteError("WT_SESSION: No space left on device", 8), StorageFull),
        (DocumentTooLarge("17 MB"), TooLarge),
        (WriteError("object to insert too large", 10334), TooLarge),
        (OperationFailure("Authentication failed.", 18), SettingsError),
        (OperationFailure("not authorized on studio", 13), SettingsError),
    ],
)
def test_errors_of_the_driver_are_said_in_the_words_of_the_ports(
    error: PyMongoError, meaning: type[VideoManagerError]
) -> None:
    with pytest.raises(meaning), explained():
        raise error


def test_mistakes_of_ours_stay_what_they_are() -> None:
    with pytest.raises(OperationFailure, match="unknown operator"), explained():
        raise OperationFailure("unknown operator: $foo", 2)
