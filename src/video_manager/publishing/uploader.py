"""One attempt: fetch what was approved, upload, arm, publish. Whatever happens is written into the ledger."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from video_manager.contracts.envelope import Envelope
from video_manager.domain import publication as rules
from video_manager.domain.channel import Asker, Channel
from video_manager.domain.posting import text_sha256
from video_manager.domain.publication import Failure, Publication
from video_manager.domain.video import MediaFile, Severity
from video_manager.errors import (
    ActionRequiredError,
    InvalidTransition,
    LeaseLost,
    LimitReached,
    NotFound,
    NotPublished,
    PermanentError,
    RetryableError,
    StorageFull,
    Unavailable,
    WorkError,
)  # fmt: skip
from video_manager.plugins.api import Handle, Post, Published
from video_manager.ports import Clock, FileStore
from video_manager.publishing.channels import ChannelService
from video_manager.publishing.context import Progress
from video_manager.publishing.ledger import Decide, Ledger, progress_hint
from video_manager.publishing.platforms import Connected, Platforms, post_of
from video_manager.publishing.refusals import delay_of, failure_of, refused
from video_manager.publishing.rules import PublishingRules
from video_manager.tasks import end_tasks

Checkpoint = Callable[[str], None]
"""Called with the name of each step that was just finished; tests die there."""

Hint = Callable[[Envelope], Awaitable[None]]
"""Tells open pages of the progress; may be lost."""

RECORD_PATIENCE_SECONDS = 1800.0
"""How long a made post waits for a store that is gone."""

log = logging.getLogger(__name__)


async def ignore_hint(_hint: Envelope) -> None:
    """Nobody looks."""


def ignore_checkpoint(_name: str) -> None:
    """Nobody dies."""


@dataclass
class Running:
    """An attempt in this process. `armed` is set before the ledger is asked to arm: from then on it is left alone."""

    publication: Publication
    number: int
    hand_over: bool = False
    """The platform is to publish by itself, at its time."""
    entrusted: bool = False
    """Set before the ledger is asked to entrust it to the platform."""
    armed: bool = False
    saved: Handle | None = None
    """The handle as the ledger has it."""
    progress: Progress = field(default_factory=Progress)

    @property
    def id(self) -> str:
        return self.publication.id


class Uploader:
    def __init__(
        self, ledger: Ledger, channels: ChannelService, platforms: Platforms, files: FileStore, clock: Clock,
        settings: PublishingRules, hint: Hint = ignore_hint, checkpoint: Checkpoint = ignore_checkpoint,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._channels = channels
        self._platforms = platforms
        self._files = files
        self._clock = clock
        self._settings = settings
        self._hint = hint
        self._checkpoint = checkpoint

    async def run(self, running: Running, channel: Channel) -> None:
        """Work on a claimed publication until its attempt has ended, keeping its lease meanwhile."""
        work = asyncio.create_task(self._attempt(running, channel), name=f"publish {running.id}")
        lease = asyncio.create_task(self._keep_lease(running), name=f"lease of {running.id}")
        try:
            await asyncio.wait({work, lease}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not running.armed:
                work.cancel()  # the lease is lost: cancelled, withdrawn or taken over
            await asyncio.gather(work, return_exceptions=True)
        except asyncio.CancelledError:
            # Shutdown. A short publishing call is let end; its own timeout bounds it.
            if not running.armed:
                work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            raise
        finally:
            await end_tasks([lease])
            await self._conclude(running, channel, work)

    # ---- the way to being public ------------------------------------------------------------------------

    async def _attempt(self, running: Running, channel: Channel) -> None:
        async def save_handle(handle: Handle) -> None:
            await self._save_handle(running, handle)
            self._checkpoint("handle saved")

        async with self._platforms.connected(channel, running.publication, running.progress, save_handle) as platform:
            async with asyncio.timeout(self._settings.upload_timeout_seconds):
                post = await self._fetch(running.publication, platform.context.work_folder)
                self._checkpoint("fetched")
                await self._refuse_faulty(platform, post)
                handle = await platform.upload(post)
                await self._save_handle(running, handle)
                self._checkpoint("uploaded")
            if rules.is_early(running.publication, self._clock.now()):
                await self._wait_for_its_time(running, channel, platform, post, handle)
                return
            published = await self._publish(running, platform, post, handle)
            self._checkpoint("published")
            await self._record(running, published)
            self._checkpoint("recorded")

    async def _save_handle(self, running: Running, handle: Handle) -> None:
        if running.saved == handle:
            return  # encrypted, it would look new each time
        kept = self._platforms.handles.stored(running.id, handle)
        await self._move(running, lambda it: rules.save_handle(it, running.number, kept))
        running.saved = dict(handle)

    async def _wait_for_its_time(
        self, running: Running, channel: Channel, platform: Connected, post: Post, handle: Handle
    ) -> None:
        """Here, or on the platform."""
        at = running.publication.publish_at
        if not running.hand_over or at is None or not self._channels.hands_over(channel, at):
            await self._move(running, lambda it: rules.stage(it, running.number, self._clock.now()))
            self._checkpoint("staged")
            return
        async with asyncio.timeout(platform.publisher.publish_timeout_seconds):
            running.armed = running.entrusted = True
            await self._move(running, lambda it: rules.entrust(it, running.number, self._clock.now()))
            self._checkpoint("entrusted")
            await platform.hand_over(post, handle, at)
        self._checkpoint("handed over")
        await self._hand_over_done(running, channel, platform.publisher.title)

    async def _hand_over_done(self, running: Running, channel: Channel, title: str) -> None:
        number = running.number
        await self._move(running, lambda it: rules.await_platform(it, number, title, self._clock.now()))
        # Whoever paused the channel meanwhile has looked for what is handed over, perhaps a moment too early.
        if (await self._channels.of_publication(channel.id)).paused_by_person:
            await self._move(running, lambda it: rules.look_at(it, self._clock.now()))

    async def _publish(self, running: Running, platform: Connected, post: Post, handle: Handle) -> Published:
        timeout = platform.publisher.publish_timeout_seconds
        # The platform's answer "absent" is believed so long after `armed_at`; hence the time starts before it.
        async with asyncio.timeout(timeout):
            running.armed = True
            await self._move(running, lambda it: rules.arm(it, running.number, self._clock.now()))
            self._checkpoint("armed")
            return await platform.publish(post, handle)

    async def _record(self, running: Running, published: Published) -> None:
        """The post is public, and perhaps nobody can be asked where: a store that is away for a while must not lose it.
        The lease is kept meanwhile, as far as it can be."""
        deadline = self._clock.monotonic() + RECORD_PATIENCE_SECONDS
        while True:
            try:
                await self._move(
                    running,
                    lambda it: rules.publish(
                        it,
                        running.number,
                        published.external_id,
                        published.url,
                        self._clock.now(),
                        warning=published.warning,
                    ),
                )
            except (Unavailable, StorageFull) as error:
                if self._clock.monotonic() >= deadline:
                    raise
                log.warning("that publication %s is public is written down later: %s", running.id, error)
                await self._clock.sleep(self._settings.renew_seconds)
            else:
                return

    async def _fetch(self, publication: Publication, folder: Path) -> Post:
        """Working copies whose bytes are exactly those that were approved."""
        _refuse_other_texts(publication)
        post = post_of(publication, folder)
        content = publication.content
        wanted = ((post.video, content.master), (post.thumbnail, content.thumbnail), (post.captions, content.captions))
        for path, file in wanted:
            if path is not None and file is not None:
                await self._fetch_one(path, file)
        return post

    async def _fetch_one(self, path: Path, file: MediaFile) -> None:
        try:
            await self._files.fetch(file.id, path.parent, path.name)
        except NotFound as error:
            raise PermanentError(f"the approved {file.role} ({file.name}) is not stored any more") from error
        found = await asyncio.to_thread(_sha256, path)
        if found != file.sha256:
            raise PermanentError(
                f"the stored {file.role} ({file.name}) is not the one that was approved (sha256 {found[:12]}..., "
                f"approved {file.sha256[:12]}...): nothing was published; review the version again"
            )

    async def _refuse_faulty(self, platform: Connected, post: Post) -> None:
        faults = [item.message for item in await platform.check(post) if item.severity is Severity.ERROR]
        if faults:
            raise PermanentError(f"{platform.publisher.title} would refuse it: {'; '.join(faults)}")

    # ---- how it ended ------------------------------------------------------------------------------------

    async def _conclude(self, running: Running, channel: Channel, work: "asyncio.Task[None]") -> None:
        """Write down how the attempt ended, unless that has been done or the lease is gone."""
        if not work.cancelled() and work.exception() is None:
            return
        error = None if work.cancelled() else work.exception()
        try:
            await self._write_down(running, channel, error)
        except LeaseLost as lost:
            log.info("%s", lost.detail)
        except Exception as failure:
            log.warning("how publication %s went could not be stored: %s", running.id, failure, exc_info=failure)

    async def _write_down(self, running: Running, channel: Channel, error: BaseException | None) -> None:
        now, number = self._clock.now(), running.number
        if running.armed and isinstance(error, NotPublished):
            await self._refused(running, channel, error.cause)
            return
        kind, text = failure_of(error)
        if isinstance(error, LeaseLost):
            raise error
        if error is not None and not _expected(error):
            log.error("publication %s failed unexpectedly", running.id, exc_info=error)
        if running.armed and await self._doubt(running, kind, text):
            return
        if error is None:
            await self._move(running, lambda it: rules.hand_back(it, number, now))
        elif kind is Failure.PERMANENT:
            await self._move(running, lambda it: rules.fail(it, number, text, now))
        elif kind is Failure.ACTION_REQUIRED:
            await self._ask_a_person(running, channel, text)
        else:
            await self._move(running, lambda it: self._postponed(it, number, text, error))

    async def _ask_a_person(self, running: Running, channel: Channel, text: str) -> None:
        """Once a channel: those that were under way beside the first one, here or elsewhere, wait behind it."""
        number, now = running.number, self._clock.now()
        if await self._is_to_ask(running, channel, text):
            await self._move(running, lambda it: rules.require_action(it, number, text, now))
        else:
            await self._move(running, lambda it: rules.hand_back(it, number, now))

    async def _is_to_ask(self, running: Running, channel: Channel, text: str) -> bool:
        asker = Asker(publication_id=running.id, attempt=running.number)
        is_ours = await self._channels.pause_by(channel.id, text, asker)
        self._checkpoint("paused")
        return is_ours

    async def _refused(self, running: Running, channel: Channel, cause: WorkError) -> None:
        """The platform itself said that nothing was made: there is nothing to ask."""
        number, now = running.number, self._clock.now()
        kind, text = failure_of(cause)
        waits = kind is Failure.ACTION_REQUIRED and not await self._is_to_ask(running, channel, text)
        if running.entrusted and (waits or kind is not Failure.ACTION_REQUIRED):
            log.warning("publication %s is published from here at its time: %s", running.id, text)
            await self._move(running, lambda it: rules.keep(it, number, text, now))
            return
        if waits:
            cause = LimitReached(text, 0.0)  # no failed try: it waits behind the channel
        await self._move(running, lambda it: refused(it, number, cause, self._settings, now))

    async def _doubt(self, running: Running, kind: Failure | None, text: str) -> bool:
        """The platform is to be asked; False when the ledger says that arming never happened."""
        number = running.number
        try:
            await self._move(running, lambda it: rules.doubt(it, number, text, self._clock.now(), kind))
        except InvalidTransition:
            return False
        return True

    def _postponed(self, publication: Publication, number: int, text: str, error: BaseException | None) -> Publication:
        now = self._clock.now()
        if isinstance(error, LimitReached):
            return rules.wait_for_limit(
                publication, number, text, now + timedelta(seconds=error.retry_after_seconds or 0.0), now
            )
        if publication.tries + 1 >= self._settings.max_tries:
            return rules.fail(publication, number, f"gave up after {publication.tries + 1} tries: {text}", now)
        return rules.postpone(publication, number, text, now + delay_of(publication, error, self._settings), now)

    # ---- the lease ----------------------------------------------------------------------------------------

    async def _keep_lease(self, running: Running) -> None:
        """Returns when the lease is lost."""
        progress = running.progress

        def renewed(it: Publication) -> Publication:
            return rules.renew(it, running.number, progress.fraction, progress.stage)

        while True:
            await self._clock.sleep(self._settings.renew_seconds)
            try:
                renewal = await self._ledger.move(running.id, renewed)
                await self._hint(progress_hint(renewal.value, self._clock.now()))
            except LeaseLost as lost:
                log.info("%s", lost.detail)
                return
            except Exception as error:  # noqa: BLE001 - a full disk now may have room again at the next renewal
                log.warning("the lease of publication %s could not be renewed: %s", running.id, error)

    async def _move(self, running: Running, decide: Decide) -> None:
        await self._ledger.move(running.id, decide)


def _refuse_other_texts(publication: Publication) -> None:
    content = publication.content
    if content.text_sha256 not in (None, text_sha256(content.metadata, content.options)):
        raise PermanentError(
            "the title, text or choices are not those that were approved: nothing was published; review the version "
            "again"
        )


def _expected(error: BaseException) -> bool:
    return isinstance(
        error,
        (
            RetryableError,
            ActionRequiredError,
            PermanentError,
            NotPublished,
            TimeoutError,
            StorageFull,
            InvalidTransition,
        ),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
