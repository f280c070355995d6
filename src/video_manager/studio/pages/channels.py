"""Channels: where approved videos go, and the publications that wait for a person."""

from collections.abc import Callable, Sequence

from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.domain.channel import Channel
from video_manager.domain.publication import Publication
from video_manager.publishing.channels import ChannelEdit
from video_manager.publishing.connection import Connection
from video_manager.repository import Loaded
from video_manager.studio.channel_choice import all_channels
from video_manager.studio.channel_dialog import ChannelDialog, PlatformDialog
from video_manager.studio.channel_schedule import ChannelScheduleDialog
from video_manager.studio.channel_texts import ChannelTextsDialog
from video_manager.studio.dialogs import confirm
from video_manager.studio.elements import box, button, chip, empty, heading, icon_button, link, note, text
from video_manager.studio.formats import sentence
from video_manager.studio.icons import platform_icon, platform_title
from video_manager.studio.layout import Frame
from video_manager.studio.live import gather
from video_manager.studio.publication_parts import NEEDS_PERSON, draw_publication
from video_manager.studio.session import Visit
from video_manager.studio.sign_in_dialog import AccountDialog, SignInDialog, signs_in

_MOST = 100


async def build(visit: Visit, frame: Frame) -> None:
    page = ChannelsPage(visit)
    if visit.may(Right.CHANNELS):
        with frame.actions:
            button("Add a channel", page.add, "primary", "add")
    await page.refresh()
    for hints in (visit.live.publication, visit.live.channel):
        gather(hints, 0.5, page.hear, visit.opened_at)
    begun = visit.request.query_params.get("connection")
    if begun is not None and visit.may(Right.CHANNELS):
        await page.go_on(begun)


class ChannelsPage:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._place = box("vm-col vm-wide")

    async def hear(self, _ids: set[str]) -> None:
        await self.refresh()

    async def refresh(self) -> None:
        actor = await self._visit.current_actor()
        channels = await all_channels(self._visit)
        waiting: list[Loaded[Publication]] = []
        for state in NEEDS_PERSON:
            waiting += (await self._visit.parts.publishing.list(actor, state=state, limit=_MOST)).items
        self._place.clear()
        with self._place:
            if waiting:
                self._draw_waiting(waiting, {channel.id: channel.name for channel in channels})
            if not channels:
                advice = "A channel is an account on a platform, a folder, or the product's own watch page."
                with box("vm-card"), empty("hub", "No channels yet", advice):
                    if self._visit.may(Right.CHANNELS):
                        button("Add a channel", self.add, "primary", "add")
            with box("vm-channels"):
                for channel in channels:
                    self._draw_channel(channel)

    async def go_on(self, connection_id: str) -> None:
        """Somebody comes back from signing in at a platform."""
        ui.navigate.history.replace("/channels")  # loading the page again must not ask again

        async def find(actor: Actor) -> Connection:
            return await self._visit.parts.connecting.get(actor, connection_id)

        await self._visit.attempt(
            find, then=lambda found: AccountDialog(self._visit, found, self.refresh).open()
        )  # fmt: skip

    def add(self) -> None:
        PlatformDialog(self._visit, self.refresh).open()

    def _draw_waiting(self, waiting: Sequence[Loaded[Publication]], names: dict[str, str]) -> None:
        with box("vm-card", "section"):
            heading("These publications need you")
            for loaded in waiting:
                content = loaded.value.content
                with box("vm-needs"):
                    link(content.metadata.title, f"/videos/{content.video_id}", "vm-strong vm-clip")
                    name = names.get(content.channel_id, platform_title(self._visit, content.platform))
                    draw_publication(self._visit, loaded.value, name, self.refresh)

    def _draw_channel(self, channel: Channel) -> None:
        with box("vm-card vm-col", "article"):
            with box("vm-row vm-top"):
                ui.icon(platform_icon(channel.platform)).classes("vm-tile-icon")
                with box("vm-col vm-tight vm-grow"):
                    text(channel.name, "vm-strong vm-clip2")
                    text(platform_title(self._visit, channel.platform), "vm-soft vm-small")
                _draw_state(channel)
            if channel.account_name:
                link(channel.account_name, channel.account_url, "vm-small vm-clip", new_tab=True)
            if channel.paused and channel.paused_reason:
                note(sentence(channel.paused_reason), "warn", "pause_circle")
            if self._visit.may(Right.CHANNELS):
                self._draw_buttons(channel)

    def _draw_buttons(self, channel: Channel) -> None:
        async def reconnect() -> None:
            if signs_in(self._visit, channel.platform):
                await SignInDialog(self._visit, channel.platform, self.refresh, channel).open()
            else:
                ChannelDialog(self._visit, channel.platform, self.refresh, channel, resume=True).open()

        visit, again = self._visit, self.refresh
        with box("vm-row vm-tight vm-wrap vm-channel-foot"):
            if channel.paused and not channel.paused_by_person:
                button("Reconnect", reconnect, "primary", "sync", small=True)
            if channel.paused:
                go_on = self._edit(channel, ChannelEdit(paused=False), "It goes on.")
                button("Go on", go_on, "second", "play_arrow", small=True)
            button("Edit", lambda: ChannelDialog(visit, channel.platform, again, channel).open(), "second", small=True)
            button("Schedule", lambda: ChannelScheduleDialog(visit, channel, again).open(), "second", small=True)
            button("Posts", lambda: ChannelTextsDialog(visit, channel, again).open(), "second", small=True)
            ui.space()
            with box("vm-row vm-tight"):
                self._draw_icons(channel, reconnect)

    def _draw_icons(self, channel: Channel, reconnect: Callable[[], object]) -> None:
        service = self._visit.parts.publishing
        if not channel.paused:
            if signs_in(self._visit, channel.platform):
                icon_button("sync", "Sign in again", reconnect, small=True)
            pause = self._edit(channel, ChannelEdit(paused=True), "Paused: what is scheduled waits.")
            icon_button("pause", "Pause", pause, small=True)
        if channel.enabled:
            off = self._edit(channel, ChannelEdit(enabled=False), "Disabled: it takes nothing new.")
            icon_button("toggle_on", "Disable", off, small=True)
        else:
            icon_button("toggle_off", "Enable", self._edit(channel, ChannelEdit(enabled=True), "Enabled."), small=True)

        async def remove() -> None:
            await self._visit.attempt(
                lambda actor: service.delete_channel(actor, channel.id), done="Deleted.", then=self._again
            )

        explanation = "What was published there stays public and is still measured."
        icon_button(
            "delete_outline", "Delete",
            lambda: confirm(f"Delete the channel “{channel.name}”?", explanation, "Delete", remove), small=True,
        )  # fmt: skip

    def _edit(self, channel: Channel, edit: ChannelEdit, done: str) -> Callable[[], object]:
        async def use_case(actor: Actor) -> Loaded[Channel]:
            return await self._visit.parts.publishing.edit_channel(actor, channel.id, edit)

        return self._visit.act(use_case, done=done, then=self._again)

    async def _again(self, _result: object) -> None:
        await self.refresh()


def _draw_state(channel: Channel) -> None:
    if not channel.enabled:
        chip("Disabled")
    elif channel.paused:
        chip("Paused", "warn")
    else:
        chip("Active", "good")
