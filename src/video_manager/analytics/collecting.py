"""The collector loop: takes the numbers of every post that is out, keeps them raw, and tells the loader."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from video_manager.analytics.loader import FindCollector, Loader
from video_manager.analytics.raw import collect_interval, raw_metrics
from video_manager.analytics.tracked import TrackedPublication
from video_manager.contracts.envelope import envelope
from video_manager.contracts.events import MetricsCollected
from video_manager.domain.metrics import RawPayload
from video_manager.errors import RetryableError, VideoManagerError
from video_manager.plugins.api import Collector, CollectorContext, PublishedPost
from video_manager.ports import Clock, Op, Query, Where
from video_manager.repository import Repository, instant_text
from video_manager.tasks import end_tasks

OpenContext = Callable[[str, str], AbstractAsyncContextManager[CollectorContext]]
"""Opens the context of one collection: (platform, channel id)."""

SITE = "site"
CALL_SECONDS = 120.0
LEASE_SECONDS = 300.0
"""A claimed post is left alone for so long, should its process die."""
UNCHANGED_SECONDS = 3600.0
"""Numbers that did not change are kept again after this long: they say that they were still true."""
MOST_POSTS = 500
_LONGEST_BACKOFF_SECONDS = 86400.0
_log = logging.getLogger(__name__)


class CollectorLoop:
    """Any number of processes may run it: a collection is claimed by moving the posts' `due_at`."""

    def __init__(
        self, tracked: Repository[TrackedPublication], raw: Repository[RawPayload], loader: Loader,
        find_collector: FindCollector, open_context: OpenContext, clock: Clock, collect_seconds: float,
    ) -> None:  # fmt: skip
        self._tracked = tracked
        self._raw = raw
        self._loader = loader
        self._find_collector = find_collector
        self._open_context = open_context
        self._clock = clock
        self._collect_seconds = collect_seconds
        self._tick_seconds = min(max(collect_seconds / 4, 0.05), 5.0)
        self._loop: asyncio.Task[None] | None = None
        self._running: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="metrics collector")

    async def stop(self) -> None:
        """Posts that are being asked for are asked again after the next start."""
        if self._loop is None:
            return
        await end_tasks([self._loop, *self._running.values()])
        self._loop = None

    async def _run(self) -> None:
        while True:
            await self._guarded(self.begin_due(), "collecting")
            await self._guarded(self._loader.load_waiting(), "loading")
            await self._clock.sleep(self._tick_seconds)

    async def _guarded(self, work: Awaitable[Any], verb: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever the disk or the warehouse does, the loop goes on
            _log.warning("%s metrics failed and is tried again: %s", verb, error, exc_info=error)

    async def run_once(self) -> None:
        """Collect everything that is due, and return when it is done."""
        await self.begin_due()
        await asyncio.gather(*self._running.values())

    async def begin_due(self) -> None:
        """Start one collection for each channel that has posts due and is not being asked."""
        where = (Where("active", Op.EQ, value=True), Where("due_at", Op.LE, instant_text(self._clock.now())))
        by_channel: dict[tuple[str, str], list[TrackedPublication]] = {}
        for item in await self._tracked.find(Query(where=where, order_by="due_at", limit=MOST_POSTS)):
            by_channel.setdefault((item.value.platform, item.value.channel_id), []).append(item.value)
        for key, posts in by_channel.items():
            if key not in self._running:
                task = asyncio.create_task(self._collect_channel(*key, posts), name=f"collect {key}")
                self._running[key] = task
                task.add_done_callback(partial(self._ended, key))

    def _ended(self, key: tuple[str, str], _task: asyncio.Task[None]) -> None:
        self._running.pop(key, None)

    async def _collect_channel(self, platform: str, channel_id: str, posts: Sequence[TrackedPublication]) -> None:
        await self._guarded(self._collect(platform, channel_id, posts), f"{platform}:")

    async def _collect(self, platform: str, channel_id: str, posts: Sequence[TrackedPublication]) -> None:
        claimed = [found for post in posts if (found := await self._claim(post)) is not None]
        collector = self._find_collector(platform)
        if not claimed:
            return
        if collector is None:
            await self._postpone(claimed, f"{platform} states no numbers here: no collector is installed")
            return
        wanted = [PublishedPost(post.id, post.external_id, post.published_at) for post in claimed]
        taken_at = self._clock.now()
        try:
            async with asyncio.timeout(CALL_SECONDS), self._open_context(platform, channel_id) as context:
                answers = await collector.collect(wanted, collector.Options(), context)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it is shown, and tried again
            await self._record_failure(claimed, error)
            return
        for post in claimed:
            await self._take(post, collector, answers.get(post.id), taken_at)

    async def _claim(self, post: TrackedPublication) -> TrackedPublication | None:
        taken: list[bool] = []

        def decide(current: TrackedPublication) -> TrackedPublication | None:
            now = self._clock.now()
            taken[:] = [current.active and current.due_at <= now]
            return current.with_(due_at=now + timedelta(seconds=LEASE_SECONDS)) if taken[0] else None

        loaded = await self._tracked.change(post.id, decide)
        return loaded.value if taken[0] else None

    async def _take(
        self, post: TrackedPublication, collector: Collector[Any], answer: Mapping[str, Any] | None, now: datetime
    ) -> None:
        if answer is None:
            await self._fail(post, f"{post.platform} no longer knows this post", None)
            return
        payload = json.loads(json.dumps(dict(answer), default=str))
        digest = _digest_of_values(collector, post.id, payload, now)
        fresh = digest != post.last_digest or post.last_stored_at is None
        store = fresh or (now - (post.last_stored_at or now)).total_seconds() >= UNCHANGED_SECONDS
        if store:
            await self._store(post, payload, now)
        due_at = now + timedelta(seconds=self._interval(post, now))
        await self._tracked.change(
            post.id,
            lambda current: current.with_(
                due_at=due_at, failures=0, last_error=None, last_collected_at=now, last_digest=digest,
                last_stored_at=now if store else current.last_stored_at,
            ),
        )  # fmt: skip

    async def _store(self, post: TrackedPublication, payload: dict[str, Any], now: datetime) -> None:
        """The payload and the word of it in one write; what a crash leaves unloaded is found by its flag."""
        raw = raw_metrics(post.platform, post.id, now, payload, min(60.0, self._collect_seconds))
        told = envelope(
            MetricsCollected(platform=post.platform, payload_ids=(raw.id,)), source="analytics", subject=post.id,
            now=now, id_from=(raw.id,),
        )  # fmt: skip
        await self._raw.add_if_absent(raw, messages=[told])

    def _interval(self, post: TrackedPublication, now: datetime) -> float:
        collector = self._find_collector(post.platform)
        own = collector.interval_seconds if collector is not None and post.platform != SITE else 0.0
        return collect_interval(max(own, self._collect_seconds), now - post.published_at)

    # ---- failures -----------------------------------------------------------------------------------------

    async def _record_failure(self, posts: Sequence[TrackedPublication], error: Exception) -> None:
        said = error.detail if isinstance(error, VideoManagerError) else f"{type(error).__name__}: {error}"
        _log.warning("%s gave no numbers for %d posts: %s", posts[0].platform, len(posts), said)
        retry_after = error.retry_after_seconds if isinstance(error, RetryableError) else None
        for post in posts:
            await self._fail(post, said, retry_after)

    async def _fail(self, post: TrackedPublication, error: str, retry_after: float | None) -> None:
        now = self._clock.now()

        def decide(current: TrackedPublication) -> TrackedPublication:
            usual = self._interval(current, now)
            wait = max(usual, min(usual * 2.0 ** min(current.failures, 20), _LONGEST_BACKOFF_SECONDS))
            due_at = now + timedelta(seconds=max(wait, retry_after or 0.0))
            return current.with_(due_at=due_at, failures=current.failures + 1, last_error=error[:500])

        await self._tracked.change(post.id, decide)

    async def _postpone(self, posts: Sequence[TrackedPublication], why: str) -> None:
        """Nobody's fault: asked again in a day, in case a plugin is installed."""
        due_at = self._clock.now() + timedelta(days=1)
        for post in posts:
            await self._tracked.change(post.id, lambda current: current.with_(due_at=due_at, last_error=why))


def _digest_of_values(collector: Collector[Any], id: str, payload: Mapping[str, Any], now: datetime) -> str | None:
    """Of the numbers alone, since an answer may carry the time it was given. None when they cannot be read: then
    the answer is kept, and the loader says what is wrong with it."""
    try:
        values = collector.read(id, payload, now).values
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        _log.info("numbers of %s cannot be read: %s", id, error)
        return None
    text = json.dumps({str(name): value for name, value in values.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
