"""Adding and editing a channel: choose the platform, fill its form, and it is connected before it is saved."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from nicegui import ui

from video_manager.domain.access import Actor
from video_manager.domain.channel import Channel
from video_manager.errors import FieldError
from video_manager.plugins.registry import PluginKind
from video_manager.publishing.channels import ChannelEdit, NewChannel
from video_manager.repository import Loaded
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import box, button, text
from video_manager.studio.forms import SchemaForm
from video_manager.studio.forms.inputs import STORED
from video_manager.studio.forms.plain import PlainForm
from video_manager.studio.forms.requests import read_body
from video_manager.studio.forms.schema import Schema, Widget, read_fields
from video_manager.studio.icons import platform_icon
from video_manager.studio.session import Visit
from video_manager.studio.sign_in_dialog import SignInDialog, signs_in, without

Refresh = Callable[[], Awaitable[None]]


class PlatformDialog:
    """The platforms as cards; choosing one opens its form."""

    def __init__(self, visit: Visit, refresh: Refresh) -> None:
        self._dialog = Dialog("Where should videos go?", wide=True)

        async def choose(platform: str) -> None:
            self._dialog.close()
            if signs_in(visit, platform):
                await SignInDialog(visit, platform, refresh).open()
            else:
                ChannelDialog(visit, platform, refresh).open()

        with self._dialog.body(), box("vm-options-grid"):
            for item in visit.parts.registry.describe(PluginKind.PUBLISHER):
                card = box("vm-option", "button").props('type="button"')
                card.on("click", lambda _event, name=item.name: choose(name))
                with card:
                    ui.icon(platform_icon(item.name))
                    with box("vm-col vm-tight"):
                        text(item.title, "vm-strong")
                        text(item.description, "vm-soft vm-small")
        with self._dialog.foot():
            pass

    def open(self) -> None:
        self._dialog.open()


class ChannelDialog:
    """A new channel, or a changed one when `channel` is given; `resume`: it goes on when it works again."""

    def __init__(
        self, visit: Visit, platform: str, refresh: Refresh, channel: Channel | None = None, *, resume: bool = False
    ) -> None:
        self._resume = resume
        self._visit = visit
        self._platform = platform
        self._refresh = refresh
        self._channel = channel
        description = visit.parts.registry.description(PluginKind.PUBLISHER, platform)
        # A second press of the button must not make a second channel.
        self._new_id = uuid.uuid4().hex
        self._dialog = Dialog(f"Edit {channel.name}" if channel else f"New channel: {description.title}")
        with self._dialog.body():
            self._plain = PlainForm()
            self._name: Any = self._plain.field(
                "name", "Name", lambda: ui.input(value=channel.name if channel else description.title),
                "As you will see it when you choose channels.",
            )  # fmt: skip
            schema = without(description.json_schema, visit.parts.registry.publisher(platform).token_option)
            self._options = SchemaForm(schema, _values(schema, channel))
        with self._dialog.foot():
            self._button = button("Save" if channel else "Connect", self._save, "primary")

    def open(self) -> None:
        self._dialog.open()

    async def _save(self) -> None:
        publishing = self._visit.parts.publishing

        async def save(actor: Actor) -> Loaded[Channel]:
            values = {"name": self._name.value or "", "options": self._options.values()}
            if self._channel is not None:
                if self._resume:
                    values["paused"] = False
                return await publishing.edit_channel(actor, self._channel.id, read_body(ChannelEdit, values))
            new = read_body(NewChannel, {"platform": self._platform, **values})
            return await publishing.channels.create(actor, self._new_id, new)

        async def saved(_channel: object) -> None:
            self._dialog.close()
            await self._refresh()

        self._button.disable()
        if not await self._visit.attempt(save, done="The channel works.", then=saved, fields=self):
            self._button.enable()

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        return self._plain.show_errors(self._options.show_errors(errors))


def _values(schema: Schema, channel: Channel | None) -> dict[str, Any]:
    """What the form begins with; of the secrets only that they are there."""
    if channel is None:
        return {}
    secrets = [field.name for field in read_fields(schema) if field.widget is Widget.SECRET]
    return {**dict.fromkeys(secrets, STORED), **channel.options}
