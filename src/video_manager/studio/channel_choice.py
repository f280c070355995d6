"""Choosing channels: chips that can be switched on and off."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from nicegui import ui

from video_manager.domain.channel import Channel
from video_manager.studio.elements import box, link, text
from video_manager.studio.icons import platform_icon
from video_manager.studio.session import Visit

_MOST = 200


async def all_channels(visit: Visit) -> list[Channel]:
    """Every channel that is not deleted."""
    page = await visit.parts.publishing.channels.list(visit.opener, limit=_MOST)
    return [loaded.value for loaded in page.items]


async def usable_channels(visit: Visit) -> list[Channel]:
    """Those that take new publications."""
    return [channel for channel in await all_channels(visit) if channel.enabled]


class ChannelChoice:
    def __init__(
        self, channels: Sequence[Channel], chosen: Iterable[str], on_change: Callable[[], Any] = lambda: None
    ) -> None:
        self._on_change = on_change
        known = {channel.id for channel in channels}
        self._chosen = [id for id in chosen if id in known]
        self._order = [channel.id for channel in channels]
        with box("vm-row vm-wrap vm-tight").props('role="group" aria-label="Channels"'):
            for channel in channels:
                self._draw(channel)
            if not channels:
                text("There are no channels yet.", "vm-hint")
                link("Add one", "/channels", "vm-small")

    def value(self) -> list[str]:
        return [id for id in self._order if id in self._chosen]

    def _draw(self, channel: Channel) -> None:
        with box("vm-pick", "button").props('type="button"') as pick:
            ui.icon(platform_icon(channel.platform))
            text(channel.name, tag="span")
            if channel.paused:
                text("paused", "vm-faint", tag="span")

        def show() -> None:
            on = channel.id in self._chosen
            pick.classes(add="vm-chosen" if on else None, remove=None if on else "vm-chosen")
            pick.props(f"aria-pressed={'true' if on else 'false'}")

        def toggle() -> None:
            if channel.id in self._chosen:
                self._chosen.remove(channel.id)
            else:
                self._chosen.append(channel.id)
            show()
            self._on_change()

        pick.on("click", toggle)
        show()
