"""Taking a public post down again, where the platform allows it."""

from video_manager.domain import publication as rules
from video_manager.domain.access import Actor, Right
from video_manager.domain.publication import Publication, PublicationState
from video_manager.errors import Conflict, InvalidTransition
from video_manager.ports import Clock
from video_manager.publishing.channels import ChannelService
from video_manager.publishing.ledger import Ledger
from video_manager.publishing.person_calls import person_waits
from video_manager.publishing.platforms import Platforms
from video_manager.repository import Loaded, Repository


class TakingDown:
    def __init__(
        self, publications: Repository[Publication], ledger: Ledger, channels: ChannelService, platforms: Platforms,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._publications = publications
        self._ledger = ledger
        self._channels = channels
        self._platforms = platforms
        self._clock = clock

    async def take_down(self, actor: Actor, id: str, expected_revision: int | None = None) -> Loaded[Publication]:
        """Delete the post on its platform, then write that down. Deleting what is gone already is no error there, so
        that it can be asked for again when the first answer was lost. Raises Conflict with the platform's words."""
        actor.require(Right.PUBLISH)
        publication = (await self._publications.load(id)).value
        channel = await self._channels.of_publication(publication.content.channel_id)
        publisher = self._platforms.kind(channel.platform)
        if publication.state is not PublicationState.PUBLISHED or publication.external_id is None:
            raise InvalidTransition(f"publication {id} is {publication.state}: only a public post can be taken down")
        if not publisher.deletes:
            raise Conflict(f"{publisher.title} lets no program delete a post: delete it there ({publication.url})")
        async with (
            person_waits(publisher.title, "the post could not be taken down"),
            self._platforms.connected(channel, publication) as platform,
        ):
            await platform.delete(publication.external_id)
        return await self._ledger.move(
            id, lambda it: rules.take_down(it, actor.name, self._clock.now()), expected_revision=expected_revision
        )
