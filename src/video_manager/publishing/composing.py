"""What a channel would post of a draft: its templates and defaults applied, and what its platform would refuse."""

from pathlib import Path

from video_manager.domain.channel import Channel
from video_manager.domain.posting import Composed, Draft
from video_manager.domain.video import Finding, Severity
from video_manager.errors import ActionRequiredError
from video_manager.plugins.api import Post
from video_manager.plugins.platform_limits import fault
from video_manager.ports import Clock
from video_manager.publishing.platforms import Platforms, draft_post
from video_manager.publishing.texts import compose_texts

_NOWHERE = Path()
"""Checking reads facts, never files."""


class Composer:
    def __init__(self, platforms: Platforms, clock: Clock) -> None:
        self._platforms = platforms
        self._clock = clock

    async def compose(self, channel: Channel, draft: Draft) -> Composed:
        """Raises InvalidInput (`options.<name>`, `texts.<field>`) where the channel's or the person's wishes are no
        valid ones. Calls nobody."""
        chosen = self._platforms.resolve_post_options(channel.platform, {**channel.post_options, **draft.options})
        metadata = compose_texts(channel.texts, draft, channel.name, self._clock.now())
        final = draft.with_(metadata=metadata, options=chosen)
        return Composed(
            channel_id=channel.id, channel_name=channel.name, platform=channel.platform, metadata=metadata,
            options=chosen, findings=await self._findings(channel, draft_post(final, _NOWHERE)),
        )  # fmt: skip

    async def _findings(self, channel: Channel, post: Post) -> tuple[Finding, ...]:
        found: tuple[Finding, ...] = ()
        if channel.paused:
            text = f"the channel is paused ({channel.paused_reason}): what is approved waits until it is resumed"
            found = (fault(channel.platform, "channel_paused", text, severity=Severity.WARNING),)
        try:
            async with self._platforms.connected(channel) as platform:
                return (*found, *await platform.check(post))
        except ActionRequiredError as error:
            text = f"the channel has to be repaired first: {error.detail}"
            return (*found, fault(channel.platform, "channel_broken", text, severity=Severity.WARNING))
