"""That a person hears once why a channel is paused, whoever dies on the way.

The write that pauses a channel decides who asks (`Channel.asker`), as two documents are never written at once: the
attempt that found out asks with its own publication. Here is seen that it did; if it ended without, the channel asks.
An attempt that is over can ask no more, so that there is no moment at which both do.
"""

from video_manager.domain import publication as rules
from video_manager.domain.publication import Publication
from video_manager.publishing.channels import ChannelService
from video_manager.repository import Repository


class AskedOnce:
    """Any number may look."""

    def __init__(self, publications: Repository[Publication], channels: ChannelService) -> None:
        self._publications = publications
        self._channels = channels

    async def look(self) -> None:
        for channel in await self._channels.with_askers():
            if channel.asker is None:
                continue
            found = await self._publications.get(channel.asker.publication_id)
            asked = rules.asks(found.value, channel.asker.attempt) if found is not None else False
            if asked is not None:
                await self._channels.settle(channel, asked=asked)
