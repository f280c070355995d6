"""Taking a time back from the platform that keeps it, because a person changes what is to become of the publication."""

from video_manager.domain import publication as rules
from video_manager.domain.publication import Publication
from video_manager.errors import Conflict
from video_manager.plugins.api import Answer
from video_manager.ports import Clock
from video_manager.publishing.channels import ChannelService
from video_manager.publishing.ledger import Decide, Ledger
from video_manager.publishing.person_calls import person_waits
from video_manager.publishing.platforms import Platforms, post_of
from video_manager.publishing.rules import PublishingRules
from video_manager.repository import Loaded


class Recalling:
    def __init__(
        self, ledger: Ledger, channels: ChannelService, platforms: Platforms, clock: Clock, settings: PublishingRules
    ) -> None:
        self._ledger = ledger
        self._channels = channels
        self._platforms = platforms
        self._clock = clock
        self._settings = settings

    async def change(
        self, publication: Publication, decide: Decide, expected_revision: int | None
    ) -> Loaded[Publication]:
        """Take the time back, then change the publication in the same write that notes it. Who dies in between leaves
        it as it was: at its time the platform is asked, does not have it, and it is published from here.

        Raises Conflict with the platform's words, or when the post is public already."""
        number = publication.attempts[-1].number
        channel = await self._channels.of_publication(publication.content.channel_id)
        kind = self._platforms.kind(channel.platform)
        title, trust = kind.title, self._settings.trust_after(kind.publish_timeout_seconds)
        if not rules.may_be_taken_back(publication, trust, self._clock.now()):
            raise Conflict(f"it is just being handed over to {title}: try again in a minute")

        def decided(it: Publication) -> Publication:
            return decide(rules.take_back(it, number, trust, self._clock.now()))

        decided(publication)  # refused before the platform is called
        async with (
            person_waits(title, "the time could not be taken back"),
            self._platforms.connected(channel, publication) as platform,
        ):
            handle = self._platforms.handles.of(publication, publication.attempts[-1]) or {}
            asked = await platform.recall(post_of(publication, platform.context.work_folder), handle)
        if asked.answer is Answer.PUBLISHED and asked.published is not None:
            post, now = asked.published, self._clock.now()
            await self._ledger.move(
                publication.id,
                lambda it: rules.publish(it, number, post.external_id, post.url, now, warning=post.warning),
            )
            raise Conflict(f"{title} has published it already ({post.url or post.external_id})")
        if asked.answer is not Answer.ABSENT:
            raise Conflict(f"{title} has not given the time back ({asked.detail or asked.answer}): try again later")
        return await self._ledger.move(publication.id, decided, expected_revision=expected_revision)

    async def of_paused(self, channel_id: str) -> None:
        """The channel was paused: what its platform is to publish by itself is taken back by the next scheduler that
        looks."""
        for publication in await self._ledger.entrusted(channel_id):
            await self._ledger.move(publication.id, lambda it: rules.look_at(it, self._clock.now()))
