"""Armed publications whose outcome is not known: ask the platform, and never send a second time."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

from video_manager.domain import channel as channels
from video_manager.domain import publication as rules
from video_manager.domain.channel import Channel
from video_manager.domain.publication import Failure, Publication
from video_manager.errors import ActionRequiredError, InvalidTransition, LimitReached, PermanentError, WorkError
from video_manager.plugins.api import Answer, Asked, Publisher
from video_manager.ports import Clock
from video_manager.publishing.channels import ChannelService
from video_manager.publishing.ledger import Ledger
from video_manager.publishing.platforms import Platforms, post_of
from video_manager.publishing.refusals import absent, failure_of, refused
from video_manager.publishing.rules import PublishingRules

log = logging.getLogger(__name__)


class Asker:
    def __init__(
        self, ledger: Ledger, channels: ChannelService, platforms: Platforms, clock: Clock, settings: PublishingRules
    ) -> None:
        self._ledger = ledger
        self._channels = channels
        self._platforms = platforms
        self._clock = clock
        self._settings = settings

    async def run(self, publication: Publication) -> None:
        """Ask once about a due publication and write the answer down. Another scheduler that does the same is seen by
        compare-and-set; its question costs nothing but itself."""
        now = self._clock.now()
        again = now + timedelta(seconds=2 * self._settings.ask_timeout_seconds)
        try:
            begun = await self._ledger.move(publication.id, lambda it: rules.begin_asking(it, again, now))
            await self._ask(begun.value)
        except InvalidTransition as late:
            log.info("%s", late.detail)

    async def _ask(self, publication: Publication) -> None:
        number, channel_id = publication.attempts[-1].number, publication.content.channel_id
        try:
            channel = await self._channels.of_publication(channel_id)
            paused = channel.paused_by_person
            recalls = rules.is_wanted_back(publication, self._clock.now(), paused=paused)
            asked = await self._answer(publication, channel, recalls=recalls)
        except ActionRequiredError as error:
            await self._ask_a_person(publication, number, error.detail)
        except PermanentError as error:
            await self._unanswered(publication, number, error.detail, final=True)
        except LimitReached as error:
            await self._ask_later(publication, number, error)
        except Exception as error:
            log.warning("asking about publication %s failed: %s", publication.id, error, exc_info=error)
            await self._unanswered(publication, number, str(error) or type(error).__name__)
        else:
            await self._take(publication, number, asked, self._platforms.kind(channel.platform), recalls=recalls)

    async def _answer(self, publication: Publication, channel: Channel, *, recalls: bool) -> Asked:
        attempt = publication.attempts[-1]
        async with self._platforms.connected(channel, publication) as platform:
            if not platform.publisher.remembers:
                heard = f" (what was heard last: {attempt.error})" if attempt.error else ""
                raise PermanentError(
                    f"{platform.publisher.title} cannot be asked whether the post was made: look there, then resolve it"
                    + heard
                )
            async with asyncio.timeout(self._settings.ask_timeout_seconds):
                # Asking needs no bytes: the paths of this post name no files.
                post = post_of(publication, platform.context.work_folder)
                handle = self._platforms.handles.of(publication, attempt) or {}
                return await (platform.recall(post, handle) if recalls else platform.ask(post, handle))

    async def _take(
        self, publication: Publication, number: int, asked: Asked, platform: type[Publisher[Any]], *, recalls: bool
    ) -> None:
        now, trust = self._clock.now(), self._settings.trust_after(platform.publish_timeout_seconds)
        if asked.answer is Answer.PUBLISHED and asked.published is not None:
            post = asked.published
            await self._ledger.move(
                publication.id,
                lambda it: rules.publish(it, number, post.external_id, post.url, now, warning=post.warning),
            )
        elif recalls and asked.answer is Answer.ABSENT:
            await self._ledger.move(publication.id, lambda it: rules.take_back(it, number, trust, now))
        elif asked.answer is Answer.PENDING and rules.awaits_platform(publication, now) and not recalls:
            await self._ledger.move(publication.id, lambda it: rules.await_platform(it, number, platform.title, now))
        elif asked.answer is Answer.PENDING:
            ask_at = now + self._settings.ask_delay(publication.asked)
            await self._ledger.move(
                publication.id, lambda it: rules.mark_pending(it, number, asked.detail, ask_at, now)
            )
        elif asked.answer is Answer.ABSENT and asked.failure is not None:
            await self._refused(publication, number, asked.failure)
        elif asked.answer is Answer.ABSENT:
            await self._ledger.move(publication.id, lambda it: absent(it, number, asked, trust, self._settings, now))
        else:
            await self._unanswered(publication, number, asked.detail or "the platform does not know")

    async def _refused(self, publication: Publication, number: int, cause: WorkError) -> None:
        """The platform gave up on the post for good, and said why."""
        now = self._clock.now()
        kind, text = failure_of(cause)
        if kind is Failure.ACTION_REQUIRED and not await self._is_to_ask(publication, number, text):
            cause = LimitReached(text, 0.0)  # no failed try: it waits behind the channel
        await self._ledger.move(publication.id, lambda it: refused(it, number, cause, self._settings, now))

    async def _ask_a_person(self, publication: Publication, number: int, text: str) -> None:
        """Once a channel, as the uploader does."""
        now, later = self._clock.now(), self._settings.ask_delay(publication.asked)
        if await self._is_to_ask(publication, number, text):
            await self._ledger.move(publication.id, lambda it: rules.require_action(it, number, text, now))
        else:
            await self._ledger.move(
                publication.id, lambda it: rules.wait_for_another(it, number, text, now + later, now)
            )

    async def _is_to_ask(self, publication: Publication, number: int, text: str) -> bool:
        asker = channels.Asker(publication_id=publication.id, attempt=number)
        return await self._channels.pause_by(publication.content.channel_id, text, asker)

    async def _ask_later(self, publication: Publication, number: int, limit: LimitReached) -> None:
        """The platform takes no more questions for now: that is none of those that went unanswered."""
        now = self._clock.now()
        ask_at = now + timedelta(seconds=limit.retry_after_seconds or 0.0)
        await self._ledger.move(
            publication.id,
            lambda it: rules.mark_pending(it, number, limit.detail, ask_at, now).with_(asked=max(0, it.asked - 1)),
        )

    async def _unanswered(self, publication: Publication, number: int, detail: str, *, final: bool = False) -> None:
        """Ask again, ever more seldom; after some questions people are told. `final`: there is no use in asking."""
        now, asked = self._clock.now(), publication.asked
        if final or asked >= self._settings.max_asks:
            ask_at = None if final else now + timedelta(seconds=self._settings.unknown_ask_seconds)
            await self._ledger.move(publication.id, lambda it: rules.mark_unknown(it, number, detail, ask_at, now))
        else:
            ask_at = now + self._settings.ask_delay(asked)
            await self._ledger.move(publication.id, lambda it: rules.mark_pending(it, number, detail, ask_at, now))
