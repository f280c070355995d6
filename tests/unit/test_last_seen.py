"""Changes that start from what was seen last: fewer readings, and never another result."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.domain.model import Frozen
from video_manager.errors import InvalidTransition, StaleRevision
from video_manager.last_seen import ENOUGH, KEPT, LastSeen
from video_manager.ports import CollectionSpec, Stored
from video_manager.repository import Loaded, Repository


class Story(Frozen):
    id: str
    n: int = 0
    is_closed: bool = False


STORIES = CollectionSpec("stories")


class CountingStore(SqliteDocuments):
    """The real store, and how often a document was read."""

    reads = 0

    async def get(self, collection: str, id: str) -> Stored | None:
        self.reads += 1
        return await super().get(collection, id)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    opened = CountingStore(tmp_path / "documents.db")
    await opened.open()
    await opened.register(STORIES)
    yield opened
    await opened.close()


@pytest.fixture
def stories(store: CountingStore) -> Repository[Story]:
    return Repository(store, STORIES, Story, remembers=True)


@pytest.fixture
def elsewhere(store: CountingStore) -> Repository[Story]:
    """Another process."""
    return Repository(store, STORIES, Story)


def add_one(story: Story) -> Story:
    if story.is_closed:
        raise InvalidTransition("closed")
    return story.with_(n=story.n + 1)


def close(story: Story) -> Story:
    return story.with_(is_closed=True)


async def test_a_run_of_changes_reads_nothing(stories: Repository[Story], store: CountingStore) -> None:
    await stories.add(Story(id="a"))
    for n in range(5):
        await stories.change("a", add_one, handled=str(n))
    assert store.reads == 0
    assert (await stories.load("a")).value.n == 5


async def test_the_first_change_of_what_others_added_reads_once(
    stories: Repository[Story], elsewhere: Repository[Story], store: CountingStore
) -> None:
    await elsewhere.add(Story(id="a"))
    await stories.change("a", add_one)
    await stories.change("a", add_one)
    assert store.reads == 1


async def test_what_somebody_else_wrote_is_never_overwritten(
    stories: Repository[Story], elsewhere: Repository[Story]
) -> None:
    await stories.add(Story(id="a"))
    await elsewhere.change("a", add_one)
    assert (await stories.change("a", add_one)).value.n == 2


async def test_a_refusal_is_asked_of_the_document(stories: Repository[Story], elsewhere: Repository[Story]) -> None:
    """What was seen last is closed; it was opened again since."""
    await stories.add(Story(id="a", is_closed=True))
    await elsewhere.change("a", lambda story: story.with_(is_closed=False))
    assert (await stories.change("a", add_one)).value == Story(id="a", n=1)


async def test_a_change_of_what_was_closed_since_is_refused(
    stories: Repository[Story], elsewhere: Repository[Story]
) -> None:
    await stories.add(Story(id="a"))
    await elsewhere.change("a", close)
    with pytest.raises(InvalidTransition):
        await stories.change("a", add_one)


async def test_nothing_to_do_is_asked_of_the_document(stories: Repository[Story], elsewhere: Repository[Story]) -> None:
    await stories.add(Story(id="a", is_closed=True))
    await elsewhere.change("a", lambda story: story.with_(is_closed=False))
    assert (await stories.change("a", close)).value.is_closed
    assert (await elsewhere.load("a")).value.is_closed


async def test_a_message_that_somebody_else_handled_has_no_second_effect(
    stories: Repository[Story], elsewhere: Repository[Story]
) -> None:
    await stories.add(Story(id="a"))
    await elsewhere.change("a", add_one, handled="h")
    assert (await stories.change("a", add_one, handled="h")).value.n == 1


async def test_an_expected_revision_is_that_of_the_document(
    stories: Repository[Story], elsewhere: Repository[Story]
) -> None:
    await stories.add(Story(id="a"))
    await elsewhere.change("a", add_one)
    with pytest.raises(StaleRevision, match="revision 1, now it is 2"):
        await stories.change("a", add_one, expected_revision=1)
    assert (await stories.change("a", add_one, expected_revision=2)).value.n == 2


@pytest.mark.parametrize("seed", range(20))
async def test_many_processes_in_any_order_count_as_one_would(store: CountingStore, seed: int) -> None:
    """Three that remember and one that reads, closing and adding as chance has it: every change that was not refused
    counts once, and none is taken after the closing one."""
    chance = random.Random(seed)
    repositories = [Repository(store, STORIES, Story, remembers=number > 0) for number in range(4)]
    ids = ["a", "b", "c"]
    for id in ids:
        await chance.choice(repositories).add(Story(id=id))
    counted, closed = dict.fromkeys(ids, 0), set[str]()

    async def one(number: int) -> None:
        id, repository = chance.choice(ids), chance.choice(repositories)
        await asyncio.sleep(chance.uniform(0, 0.02))
        if number % 40 == 39:
            await repository.change(id, close)
            closed.add(id)
            return
        was_closed = id in closed
        try:
            await repository.change(id, add_one, handled=str(number))
        except InvalidTransition:
            return
        assert not was_closed
        counted[id] += 1

    await asyncio.gather(*map(one, range(120)))
    for id in ids:
        assert (await repositories[0].load(id)).value.n == counted[id]


async def test_guesses_end_where_others_change_the_same_documents(
    stories: Repository[Story], elsewhere: Repository[Story], store: CountingStore
) -> None:
    await stories.add(Story(id="a"))
    for _ in range(20):
        await elsewhere.change("a", add_one)
        await stories.change("a", add_one)
    before = store.reads
    await elsewhere.change("a", add_one)
    await stories.change("a", add_one)
    assert store.reads - before == 2, "each read once: nothing was tried in vain"
    for _ in range(20):
        await stories.change("a", add_one)
    before = store.reads
    await stories.change("a", add_one)
    assert store.reads == before, "alone again, it need not read"


def test_what_was_not_seen_for_longest_is_forgotten() -> None:
    seen: LastSeen[Loaded[Story]] = LastSeen()
    for number in range(KEPT + 1):
        seen.written(str(number), Loaded(Story(id=str(number)), 1))
    assert seen.guess("0") is None
    assert seen.guess("1") is not None
    assert seen.guess(str(KEPT)) is not None


def test_an_answer_that_came_late_is_not_believed() -> None:
    seen: LastSeen[Loaded[Story]] = LastSeen()
    seen.written("a", Loaded(Story(id="a", n=1), 2))
    seen.read("a", Loaded(Story(id="a"), 1))
    assert seen.guess("a") is None
    seen.read("a", Loaded(Story(id="a", n=1), 2))
    assert seen.guess("a") == Loaded(Story(id="a", n=1), 2)


def test_guesses_come_back_when_they_are_right_again() -> None:
    seen: LastSeen[Loaded[Story]] = LastSeen()
    for revision in range(1, 10):
        seen.read("a", Loaded(Story(id="a"), revision))
    assert seen.guess("a") is None
    needed = 0
    while seen.guess("a") is None:
        seen.read("a", Loaded(Story(id="a"), 9))
        needed += 1
        assert needed < 50, f"the share never reaches {ENOUGH}"
