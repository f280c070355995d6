"""How a channel words its posts: templates of title and description, further tags, and the platform's own choices."""

from collections.abc import Awaitable, Callable, Sequence

from nicegui import ui

from video_manager.domain.access import Actor
from video_manager.domain.channel import Channel
from video_manager.errors import FieldError
from video_manager.plugins.registry import PluginKind
from video_manager.publishing.channels import ChannelEdit
from video_manager.publishing.texts import VARIABLES
from video_manager.repository import Loaded
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import button, heading, text
from video_manager.studio.forms import SchemaForm
from video_manager.studio.forms.plain import PlainForm
from video_manager.studio.forms.requests import read_body
from video_manager.studio.session import Visit


class ChannelTextsDialog:
    def __init__(self, visit: Visit, channel: Channel, refresh: Callable[[], Awaitable[None]]) -> None:
        self._visit = visit
        self._channel = channel
        self._refresh = refresh
        schema = visit.parts.registry.description(PluginKind.PUBLISHER, channel.platform).post_schema or {}
        texts = channel.texts
        self._dialog = Dialog(f"Posts of {channel.name}", wide=True)
        with self._dialog.body():
            text("Used for every video that is approved for this channel. Whoever approves sees the outcome, and may "
                 "still choose otherwise.", "vm-soft")  # fmt: skip
            self._plain = PlainForm()
            self._title = self._plain.field(
                "title", "Title", lambda: ui.input(value=texts.title, placeholder="{{ title }}"),
                "Empty: the video's own. For example: {{ title }} | My channel", optional=True,
            )  # fmt: skip
            self._description = self._plain.field(
                "description", "Description",
                lambda: ui.textarea(value=texts.description, placeholder="{{ description }}").props("autogrow"),
                "These may stand in double braces: " + ", ".join(VARIABLES), optional=True,
            )  # fmt: skip
            self._tags = self._plain.field(
                "tags", "Further tags",
                lambda: ui.input_chips(value=list(texts.tags)).props(
                    'new-value-mode="add-unique" placeholder="Type a tag and press Enter"'
                ),
                optional=True,
            )  # fmt: skip
            heading("On the platform", 3)
            self._options = SchemaForm(schema, channel.post_options, prefix="options")
            if self._options.is_empty:
                text("This platform leaves nothing to choose.", "vm-hint")
        with self._dialog.foot():
            button("Save", self._save, "primary")

    def open(self) -> None:
        self._dialog.open()

    async def _save(self) -> None:
        async def save(actor: Actor) -> Loaded[Channel]:
            texts = {
                "title": self._title.value or "", "description": self._description.value or "",
                "tags": list(self._tags.value or ()),
            }  # fmt: skip
            edit = read_body(ChannelEdit, {"texts": texts, "post_options": self._options.values()})
            return await self._visit.parts.publishing.edit_channel(actor, self._channel.id, edit)

        async def saved(_channel: object) -> None:
            self._dialog.close()
            await self._refresh()

        await self._visit.attempt(save, done="Saved.", then=saved, fields=self)

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        return self._plain.show_errors(self._options.show_errors(errors))
