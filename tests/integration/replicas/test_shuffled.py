"""Messages in any order, some of them twice: with several processes of each service nobody can promise more. Whatever
the order, the system comes to the same end."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.clock import VirtualClock
from tests.integration.analytics.conftest import ADMIN as ANALYST
from tests.integration.analytics.conftest import Counter as SiteCounter
from tests.integration.analytics.conftest import open_lab
from tests.integration.manager.conftest import ADMIN, Played, played

from video_manager.contracts.catalogue import body_of
from video_manager.contracts.commands import CreatePublication, WithdrawPublication
from video_manager.contracts.envelope import Envelope
from video_manager.domain import publication as rules
from video_manager.domain.job import Job, JobResult
from video_manager.domain.publication import Publication
from video_manager.domain.video import CheckReport, MediaRole, Video
from video_manager.manager.handlers import subscription as manager_subscription
from video_manager.manager.progress import ProgressService
from video_manager.manager.requests import MetadataEdit, ReviewRequest, VideoEdit
from video_manager.ports import Query
from video_manager.publishing.ledger import PUBLICATIONS, Ledger
from video_manager.repository import Repository
from video_manager.web import random_ids

__all__ = ["played"]
SEEDS = range(1, 5)
LATER = timedelta(hours=1)

Move = Callable[[Publication], Publication]


class Studio:
    """Manager, workers and publishing; between them a bus that delivers what waits in the order of `chance`."""

    def __init__(self, played: Played, seed: int) -> None:
        self.played = played
        self.chance = random.Random(seed)
        self.in_order = seed == 0
        store = played.repository._store
        self.store = store
        self.publications = Repository(store, PUBLICATIONS, Publication)
        self.ledger = Ledger(self.publications, played.jobs._clock)
        progress = ProgressService(played.repository, played.jobs, played.lifetimes, played.jobs._clock)
        self.manager = manager_subscription(played.jobs, progress)
        self.pool: list[Envelope] = []
        self.said: dict[str, Envelope] = {}
        self.videos: dict[str, str] = {}
        self.moves: dict[str, list[Move]] = {}

    async def request(self, title: str, **body: object) -> str:
        view = await self.played.request(title=title, **body)
        self.videos[view.id] = title
        return view.id

    async def drain(self) -> None:
        """Until nothing waits. Each message is delivered at least once, some twice."""
        while True:
            await self._collect()
            if not self.pool:
                return
            index = 0 if self.in_order else self.chance.randrange(len(self.pool))
            message = self.pool[index]
            if self.in_order or self.chance.random() < 0.7:
                del self.pool[index]
            await self._deliver(message)

    async def _collect(self) -> None:
        for document in await self.store.unsent(1000):
            self.pool += document.messages
            self.said |= {message.id: message for message in document.messages}
            await self.store.mark_sent(document.collection, document.id, [one.id for one in document.messages])

    async def _deliver(self, message: Envelope) -> None:
        if message.type in self.manager.types:
            await self.manager.handler(message)
        if message.type in ("render.paint", "processing"):
            await self._work(str(message.data["job_id"]))
        if message.type.startswith("publication."):
            await self._publish(message)

    # ---- the workers ------------------------------------------------------------------------------------

    async def _work(self, job_id: str) -> None:
        job = await self.played.jobs.claim(job_id, "w")
        if job is None:
            return
        title = self.videos[job.video_id]
        if title == "tries twice" and job.tries == 0:
            await self.played.jobs.give_back(job.id, job.attempt, failed=True)
        elif title == "fails first" and job.round == 0:
            await self.played.jobs.fail(job.id, job.attempt, "the disk was full")
        else:
            await self.played.jobs.finish(job.id, job.attempt, await self._result(job))

    async def _result(self, job: Job) -> JobResult:
        roles = [MediaRole.SOURCE] if job.kind == "render" else [MediaRole.MASTER, MediaRole.THUMBNAIL]
        files = [
            await self.played.store(f"{role}-{job.video_id}-{job.attempt}-{job.round}", role, b"bytes")
            for role in roles
        ]
        return JobResult(files=tuple(files), report=CheckReport() if job.kind == "processing" else None)

    # ---- publishing -------------------------------------------------------------------------------------

    async def _publish(self, message: Envelope) -> None:
        body = body_of(message)
        if isinstance(body, WithdrawPublication):
            await self.ledger.withdraw(body, message)
        elif isinstance(body, CreatePublication):
            await self.ledger.insert(body, "folder", message)
            for move in self.moves.pop(f"{self.videos[body.video_id]} {body.channel_id}", []):
                await self.ledger.move(body.publication_id, move)

    # ---- what is the same whatever the order --------------------------------------------------------------

    async def end(self) -> dict[str, Any]:
        names = self.videos
        videos = [loaded.value for loaded in await self.played.repository.find(Query(limit=100))]
        jobs = [loaded.value for loaded in await self.played.job_repository.find(Query(limit=100))]
        ledger = {one.value.id: one.value for one in await self.publications.find(Query(limit=100))}
        for video in videos:
            for id, state in video.publications.items():
                assert ledger[id].state == state, f"{names[video.id]}: the manager believes {state}"
        told = Counter(
            (names.get(message.correlation_id, ""), message.type)
            for message in self.said.values()
            # One that is withdrawn before it was created has never been scheduled.
            if message.type.startswith(("version.", "publication.", "review."))
            and message.type != "publication.scheduled"
        )
        return {
            "videos": sorted(_facts(names[video.id], video) for video in videos),
            "jobs": sorted(
                (names[job.video_id], job.kind, job.state, job.round, job.priority, job.tries)
                for job in jobs
                if names[job.video_id] != "cancelled"  # opened and cancelled, or never opened
            ),
            "ledger": sorted(
                (names[one.content.video_id], one.content.channel_id, one.content.metadata.title, one.state)
                for one in ledger.values()
            ),
            "told": sorted(told.items()),
        }


def _facts(name: str, video: Video) -> tuple[Any, ...]:
    versions = [(one.number, one.state, one.verdict, len(one.files)) for one in video.versions]
    return name, video.state, versions, sorted(video.publications.values()), len(video.let_go)


def _now() -> datetime:
    return datetime.now(UTC)


def _moves_to_the_end() -> list[Move]:
    """Two failed tries, a repair by a person, and then it is public."""
    return [
        lambda it: rules.claim(it, "w", _now()),
        lambda it: rules.postpone(it, 1, "busy", _now(), _now()),
        lambda it: rules.claim(it, "w", _now()),
        lambda it: rules.require_action(it, 2, "the account is gone", _now()),
        lambda it: rules.retry(it, "Ada", _now()),
        lambda it: rules.claim(it, "w", _now()),
        lambda it: rules.save_handle(it, 3, {"id": "x"}),
        lambda it: rules.arm(it, 3, _now()),
        lambda it: rules.publish(it, 3, "x", "https://example.org/x", _now()),
    ]


def _moves_to_a_failure() -> list[Move]:
    return [
        lambda it: rules.claim(it, "w", _now()),
        lambda it: rules.fail(it, 1, "refused", _now()),
        lambda it: rules.retry(it, "Ada", _now()),
        lambda it: rules.claim(it, "w", _now()),
        lambda it: rules.fail(it, 2, "refused again", _now()),
    ]


def _approve(**body: object) -> ReviewRequest:
    return ReviewRequest.model_validate({"version": 1, "decision": "approve", **body})


async def _live(played: Played, seed: int) -> tuple[dict[str, Any], list[Envelope]]:
    """A few videos' whole lives; what came of them, and all that was said."""
    await played.relay.stop()
    studio = Studio(played, seed)
    await studio.publications.register()
    videos, reviews = played.videos, played.reviews
    plain, _, failing, cancelled, adjusted, changed = [
        await studio.request(title)
        for title in ("plain", "tries twice", "fails first", "cancelled", "adjusted", "changed")
    ]
    await videos.cancel(ADMIN, cancelled)
    for priority, paused in ((9, True), (2, True), (7, False)):
        await videos.adjust(ADMIN, adjusted, priority=priority, paused=paused)
    await studio.drain()
    await videos.retry(ADMIN, failing)
    await studio.drain()
    studio.moves = {"plain c1": _moves_to_the_end(), "plain c2": _moves_to_a_failure()}
    await reviews.review(ADMIN, plain, _approve(channels=["c1", "c2"]), random_ids)
    # Approved, changed and approved again before anybody heard of it.
    await reviews.review(ADMIN, changed, _approve(channels=["c1"], publish_at=_now() + LATER), random_ids)
    await reviews.edit(ADMIN, changed, VideoEdit(metadata=MetadataEdit(title="Better")))
    await reviews.review(ADMIN, changed, _approve(channels=["c1"], publish_at=_now() + LATER), random_ids)
    await studio.drain()
    return await studio.end(), list(studio.said.values())


EXPECTED: dict[str, Any] = {}
"""How it ends when every message comes once and in order; made by the first test that asks."""


@pytest.mark.parametrize("seed", [0, *SEEDS])
async def test_any_order_of_the_messages_comes_to_the_same_end(played: Played, seed: int) -> None:
    end, _ = await _live(played, seed)
    states = {facts[0]: facts[1] for facts in end["videos"]}
    assert states == {
        "plain": "approved", "tries twice": "in_review", "fails first": "in_review", "cancelled": "cancelled",
        "adjusted": "in_review", "changed": "approved",
    }  # fmt: skip
    assert end["ledger"] == [
        ("changed", "c1", "Better", "scheduled"),
        ("changed", "c1", "changed", "withdrawn"),
        ("plain", "c1", "plain", "published"),
        ("plain", "c2", "plain", "failed"),
    ]
    assert [(name, priority) for name, _, _, _, priority, _ in end["jobs"] if name == "adjusted"] == [
        ("adjusted", 7)
    ] * 2
    assert end == EXPECTED.setdefault("end", end)


async def test_listeners_come_to_the_same_end(played: Played, tmp_path: Path) -> None:
    """Analytics hears all events of these lives, in order once, then shuffled with repetitions."""
    _, said = await _live(played, 0)
    chance, ends = random.Random(1), []
    for number in range(4):
        events = list(said) if number == 0 else chance.sample(said, len(said)) + chance.sample(said, len(said) // 3)
        folder = tmp_path / str(number)
        folder.mkdir()
        async with open_lab(folder, VirtualClock(), SiteCounter()) as lab:
            heard = lab.analytics.subscription()
            for event in events:
                if event.type in heard.types:
                    await heard.handler(event)
            summary = await lab.analytics.service.summary(ANALYST, _now() - LATER, _now() + LATER)
            rows = await lab.analytics.service.publications(ANALYST, start=_now() - LATER, end=_now() + LATER)
            ends.append((summary.totals, rows.items, await lab.store.count_by("tracked_publications", "active")))
    assert ends[0][0].published == 1
    assert ends[1:] == ends[:1] * 3
