"""Repositories over the embedded document store."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import computed_field
from tests.contract.messages import message

from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.contracts.envelope import Envelope
from video_manager.domain.model import Frozen, Instant
from video_manager.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidTransition,
    NotFound,
    StaleRevision,
    VideoManagerError,
)
from video_manager.ports import CollectionSpec, Op, Query, Stored, Where
from video_manager.repository import CHANGE_TRIES, MAX_PAGE, Change, Loaded, Repository, instant_text, stored_body

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Color(StrEnum):
    RED = "red"


class Part(Frozen):
    at: Instant
    color: Color = Color.RED


class Story(Frozen):
    id: str
    title: str = ""
    n: int = 0
    email: str | None = None
    at: Instant = NOON
    parts: tuple[Part, ...] = ()
    by_color: dict[Color, Part] = {}

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know decorated properties
    @property
    def is_big(self) -> bool:
        return self.n > 100


STORIES = CollectionSpec("stories", indexed=("n", "title", "at", "is_big"), unique=("email",))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    opened = SqliteDocuments(tmp_path / "documents.db")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture(params=[False, True], ids=["reads", "remembers"])
async def stories(store: SqliteDocuments, request: pytest.FixtureRequest) -> Repository[Story]:
    repository = Repository(store, STORIES, Story, remembers=request.param)
    await repository.register()
    return repository


def add_one(story: Story) -> Story:
    return story.with_(n=story.n + 1)


# ---- what is stored -------------------------------------------------------------------------------------


def test_times_have_one_width_and_one_zone() -> None:
    assert instant_text(NOON) == "2026-11-22T12:00:00.000000Z"
    elsewhere = datetime(2026, 11, 22, 13, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    assert instant_text(elsewhere) == "2026-11-22T12:00:00.000005Z"


def test_times_are_fixed_at_any_depth_and_texts_are_left_alone() -> None:
    part = Part(at=datetime(2026, 1, 1, 2, 0, tzinfo=timezone(timedelta(hours=2))))
    body = stored_body(Story(id="a", title="2026-01-01T00:00:00Z", parts=(part,), by_color={Color.RED: part}))
    fixed = {"at": "2026-01-01T00:00:00.000000Z", "color": "red"}
    assert body["title"] == "2026-01-01T00:00:00Z"
    assert body["parts"] == [fixed]
    assert body["by_color"] == {"red": fixed}
    assert body["is_big"] is False
    json.dumps(body)


async def test_what_is_loaded_equals_what_was_added(stories: Repository[Story]) -> None:
    story = Story(id="a", n=500, parts=(Part(at=NOON),), by_color={Color.RED: Part(at=NOON)})
    await stories.add(story)
    assert await stories.load("a") == Loaded(story, 1)
    assert await stories.count(Where("is_big", Op.EQ, True)) == 1


async def test_times_are_searched_as_text(stories: Repository[Story]) -> None:
    for microseconds in (0, 1, 500_000):
        await stories.add(Story(id=str(microseconds), at=NOON + timedelta(microseconds=microseconds)))
    until = Where("at", Op.LE, instant_text(NOON + timedelta(microseconds=1)))
    found = await stories.find(Query((until,), order_by="at"))
    assert [one.value.id for one in found] == ["0", "1"]


async def test_a_document_of_another_release_is_named(stories: Repository[Story], store: SqliteDocuments) -> None:
    await store.insert("stories", "a", {"id": "a", "field_of_tomorrow": 1})
    with pytest.raises(VideoManagerError, match="story 'a' was written by another release"):
        await stories.load("a")


# ---- adding and loading -----------------------------------------------------------------------------------


async def test_adding_twice(stories: Repository[Story]) -> None:
    added = await stories.add(Story(id="a", n=1), [message("m")], handled="h")
    assert (added.revision, added.handled) == (1, {"h"})
    with pytest.raises(AlreadyExists):
        await stories.add(Story(id="a", n=2))


async def test_add_if_absent(stories: Repository[Story]) -> None:
    assert await stories.add_if_absent(Story(id="a", n=1, email="x@y"))
    assert not await stories.add_if_absent(Story(id="a", n=2))
    assert (await stories.load("a")).value.n == 1
    with pytest.raises(AlreadyExists, match="email"):
        await stories.add_if_absent(Story(id="b", email="x@y"))


class RemovedMeanwhile(SqliteDocuments):
    """Another process removes the document between the refused insert and the look at it."""

    async def get(self, collection: str, id: str) -> Stored | None:
        await self.delete(collection, id)
        return await super().get(collection, id)


async def test_add_if_absent_meets_a_document_that_is_removed(tmp_path: Path) -> None:
    store = RemovedMeanwhile(tmp_path / "documents.sqlite")
    await store.open()
    try:
        stories = Repository(store, STORIES, Story)
        await stories.register()
        await stories.add(Story(id="a", n=1))
        assert await stories.add_if_absent(Story(id="a", n=2))
        assert [one.value.n for one in await stories.find(Query())] == [2]
    finally:
        await store.close()


async def test_what_is_missing_is_named_in_the_singular(stories: Repository[Story], store: SqliteDocuments) -> None:
    assert await stories.get("a") is None
    with pytest.raises(NotFound, match="no story 'a'"):
        await stories.load("a")
    with pytest.raises(NotFound, match="no story 'a'"):
        await stories.change("a", add_one)
    others = Repository(store, CollectionSpec("videos"), Story)
    await others.register()
    with pytest.raises(NotFound, match="no video 'a'"):
        await others.load("a")


async def test_load_many_and_first(stories: Repository[Story]) -> None:
    for id in "abc":
        await stories.add(Story(id=id, title=id.upper()))
    assert [one.value.id for one in await stories.load_many(["c", "x", "a"])] == ["c", "a"]
    first = await stories.first(Where("title", Op.EQ, "B"))
    assert first is not None
    assert first.value.id == "b"
    assert await stories.first(Where("title", Op.EQ, "Z")) is None


# ---- changing ---------------------------------------------------------------------------------------------


async def test_a_change_saves_value_and_messages(stories: Repository[Story], store: SqliteDocuments) -> None:
    await stories.add(Story(id="a"))
    changed = await stories.change("a", lambda story: Change(add_one(story), (message("m"),)), handled="h")
    assert (changed.value.n, changed.revision, changed.handled) == (1, 2, {"h"})
    assert [one.id for one in (await store.unsent())[0].messages] == ["m"]


async def test_a_handled_message_has_no_second_effect(stories: Repository[Story], store: SqliteDocuments) -> None:
    await stories.add(Story(id="a"))
    for _ in range(3):
        changed = await stories.change("a", lambda story: Change(add_one(story), (message("m"),)), handled="h")
    assert (changed.value.n, changed.revision) == (1, 2)
    assert len((await store.unsent())[0].messages) == 1


async def test_deciding_nothing_writes_nothing(stories: Repository[Story]) -> None:
    await stories.add(Story(id="a", n=1))
    assert (await stories.change("a", lambda _: None)).revision == 1
    assert (await stories.change("a", lambda story: story.with_(n=1))).revision == 1
    assert (await stories.change("a", Change)).revision == 1


async def test_deciding_nothing_about_a_message_remembers_it(stories: Repository[Story]) -> None:
    await stories.add(Story(id="a", n=1))
    assert (await stories.change("a", lambda _: None, handled="h")).handled == {"h"}
    assert (await stories.change("a", add_one, handled="h")).value.n == 1


async def test_messages_alone_are_saved(stories: Repository[Story], store: SqliteDocuments) -> None:
    await stories.add(Story(id="a", n=1))
    await stories.change("a", lambda story: Change(story, (message("m"),)))
    assert len(await store.unsent()) == 1


async def test_what_the_decision_raises_writes_nothing(stories: Repository[Story]) -> None:
    def refuse(_: Story) -> Story:
        raise InvalidTransition("not now")

    await stories.add(Story(id="a"))
    with pytest.raises(InvalidTransition):
        await stories.change("a", refuse, handled="h")
    assert await stories.load("a") == Loaded(Story(id="a"), 1)


async def test_many_changes_at_once_all_count(stories: Repository[Story]) -> None:
    await stories.add(Story(id="a"))
    await asyncio.gather(*(stories.change("a", add_one, handled=f"h{n}") for n in range(12)))
    loaded = await stories.load("a")
    assert (loaded.value.n, loaded.revision, len(loaded.handled)) == (12, 13, 12)


async def test_a_lost_race_against_another_process_is_decided_again(
    stories: Repository[Story], store: SqliteDocuments
) -> None:
    elsewhere = Repository(store, STORIES, Story)
    await stories.add(Story(id="a"))
    await asyncio.gather(*(one.change("a", add_one) for one in (stories, elsewhere) for _ in range(10)))
    loaded = await stories.load("a")
    assert (loaded.value.n, loaded.revision) == (20, 21)


async def test_somebody_who_is_always_faster_wins(store: SqliteDocuments) -> None:
    class AlwaysFaster(Repository[Story]):
        """Between our load and our save, somebody else changes it."""

        async def save(
            self, loaded: Loaded[Story], value: Story, messages: Sequence[Envelope] = (), handled: str | None = None
        ) -> Loaded[Story]:
            await super().save(await self.load(value.id), value.with_(title="theirs"))
            return await super().save(loaded, value, messages, handled)

    stories = AlwaysFaster(store, STORIES, Story)
    await stories.register()
    await stories.add(Story(id="a"))
    decided = 0

    def decide(story: Story) -> Story:
        nonlocal decided
        decided += 1
        return add_one(story)

    with pytest.raises(StaleRevision):
        await stories.change("a", decide)
    assert decided == CHANGE_TRIES


async def test_an_expected_revision_is_never_decided_again(stories: Repository[Story]) -> None:
    await stories.add(Story(id="a"))
    await stories.change("a", add_one, expected_revision=1)
    with pytest.raises(StaleRevision, match="revision 1, now it is 2"):
        await stories.change("a", add_one, expected_revision=1)
    results = await asyncio.gather(
        *(stories.change("a", add_one, expected_revision=2) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(result, StaleRevision) for result in results) == 3
    assert (await stories.load("a")).value.n == 2


async def test_save_and_remove(stories: Repository[Story]) -> None:
    loaded = await stories.add(Story(id="a"))
    saved = await stories.save(loaded, add_one(loaded.value))
    with pytest.raises(StaleRevision):
        await stories.save(loaded, add_one(loaded.value))
    with pytest.raises(StaleRevision):
        await stories.remove("a", loaded.revision)
    assert await stories.remove("a", saved.revision)
    assert not await stories.remove("a")


# ---- pages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order_by", [None, "n", "at", "title"])
@pytest.mark.parametrize("descending", [False, True])
async def test_pages_show_everything_once(stories: Repository[Story], order_by: str | None, descending: bool) -> None:
    for n in range(7):
        await stories.add(Story(id=f"s{n}", n=n % 2, at=NOON + timedelta(seconds=n % 3)))
    await stories.add(Story(id="other", title="other"))
    shown: list[str] = []
    cursor = None
    pages = 0
    while True:
        page = await stories.page([Where("title", Op.EQ, "")], order_by, descending, limit=2, cursor=cursor)
        shown += [one.value.id for one in page.items]
        pages += 1
        cursor = page.next
        if cursor is None:
            break
    assert sorted(shown) == [f"s{n}" for n in range(7)]
    assert pages == 4


async def test_a_full_last_page_has_no_next(stories: Repository[Story]) -> None:
    for n in range(4):
        await stories.add(Story(id=str(n)))
    first = await stories.page(limit=2)
    assert first.next is not None
    assert (await stories.page(limit=2, cursor=first.next)).next is None


def _cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "ä", "####", "AAAA", _cursor([]), _cursor("n"), _cursor(["title", False, 1, "a"]),
     _cursor(["n", True, 1, "a"]), _cursor(["n", False, [1], "a"]), _cursor(["n", False, 1, 7]),
     _cursor(["n", False, 1, "a", 1]), _cursor(["n", False, 10**30, "a"]), _cursor(["n", False, "\ud800", "a"]),
     _cursor(["n", False, 1, "\ud800"]), base64.urlsafe_b64encode(b"[" * 30_000).decode()],
)  # fmt: skip
async def test_a_wrong_cursor_is_refused(stories: Repository[Story], cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await stories.page(order_by="n", cursor=cursor)
    assert [error.field for error in refused.value.errors] == ["cursor"]


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE + 1])
async def test_a_wrong_limit_is_refused(stories: Repository[Story], limit: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        await stories.page(limit=limit)
    assert [error.field for error in refused.value.errors] == ["limit"]


async def test_counts(stories: Repository[Story]) -> None:
    for n in range(5):
        await stories.add(Story(id=str(n), n=n % 2))
    assert await stories.count() == 5
    assert await stories.count(Where("n", Op.EQ, 1)) == 2
    assert await stories.count_by("n") == {0: 3, 1: 2}
