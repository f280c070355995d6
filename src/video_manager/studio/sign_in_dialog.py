"""Channels of platforms where people sign in: what to register there, the way there, and the choice of an account."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.domain.channel import Channel
from video_manager.errors import FieldError, InvalidInput
from video_manager.plugins.registry import PluginKind
from video_manager.publishing.channels import ChannelEdit, NewChannel
from video_manager.publishing.connection import (
    AppEdit,
    AppView,
    Connection,
    ConnectionState,
    NewConnection,
    Reconnection,
)
from video_manager.repository import Loaded
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import box, button, icon_button, note, text
from video_manager.studio.formats import sentence
from video_manager.studio.forms import SchemaForm
from video_manager.studio.forms.plain import PlainForm
from video_manager.studio.forms.requests import read_body
from video_manager.studio.forms.schema import Schema
from video_manager.studio.session import Visit, tell

Refresh = Callable[[], Awaitable[None]]


def signs_in(visit: Visit, platform: str) -> bool:
    """Whether people sign in at this platform. False for one whose plugin is gone."""
    try:
        return visit.parts.registry.publisher(platform).oauth is not None
    except InvalidInput:
        return False


class SignInDialog:
    """A new channel, or `channel` again. Its button leads to the platform, which sends the person back to Channels.
    Where the platform knows tokens made by hand, one that is entered connects at once instead. `entered`: options of an
    earlier try."""

    def __init__(
        self, visit: Visit, platform: str, refresh: Refresh, channel: Channel | None = None,
        entered: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self._visit = visit
        self._platform = platform
        self._refresh = refresh
        self._channel = channel
        self._entered = entered
        self._new_id = uuid.uuid4().hex
        self._description = visit.parts.registry.description(PluginKind.PUBLISHER, platform)
        self._token_option = visit.parts.registry.publisher(platform).token_option
        title = f"Connect {channel.name} again" if channel else f"New channel: {self._description.title}"
        self._dialog = Dialog(title)
        self._plain = PlainForm()
        self._options: SchemaForm | None = None
        self._name: Any = None
        self._client_id: Any = None
        self._client_secret: Any = None
        self._token: Any = None

    async def open(self) -> None:
        connecting = self._visit.parts.connecting
        await self._visit.attempt(lambda actor: connecting.app(actor, self._platform), then=self._draw)

    def _draw(self, app: AppView) -> None:
        self._app = app
        may_register = self._visit.may(Right.ADMINISTER)
        with self._dialog.body():
            if self._channel is None:
                self._name = self._plain.field(
                    "name", "Name", lambda: ui.input(value=self._description.title),
                    "As you will see it when you choose channels.",
                )  # fmt: skip
                fields = without(self._description.json_schema, self._token_option)
                self._options = SchemaForm(fields, self._entered)
            elif self._channel.paused_reason:
                note(sentence(self._channel.paused_reason), "warn", "pause_circle")
            if self._token_option:
                self._draw_token(app)
            if may_register and not app.automatic:
                self._draw_app(app)
            elif not app.registered:
                note(f"An administrator has to enter the app of {app.title} here first.", "warn")
        sign_in = f"Sign in at {app.title}"
        with self._dialog.foot():
            self._button = button(sign_in, self._go, "primary", "open_in_new")
            self._button.set_enabled(app.registered or may_register)
        if self._token is not None:
            self._token.on_value_change(lambda it: self._button.set_text("Connect" if it.value else sign_in))
        self._dialog.open()

    def _draw_token(self, app: AppView) -> None:
        with ui.expansion("Without signing in: an access token").classes("full-width"):
            text(app.guide, "vm-prose vm-small")
            self._token = self._plain.field(
                self._token_option, "Access token", lambda: ui.input(password=True, password_toggle_button=True),
                "Kept encrypted and never shown again.", optional=True,
            )  # fmt: skip

    def _draw_app(self, app: AppView) -> None:
        with ui.expansion("The app registered there", value=not app.registered).classes("full-width"):
            if app.guide:
                text(app.guide, "vm-prose vm-small")
            with box("vm-row vm-tight"):
                with box("vm-grow"):
                    address = self._plain.field(
                        "redirect_url", "Redirect address to register, exactly so",
                        lambda: ui.input(value=app.redirect_url),
                    )  # fmt: skip
                address.props("readonly")
                icon_button("content_copy", "Copy", lambda: _copy(app.redirect_url))
            text(f"It asks for: {', '.join(app.scopes)}", "vm-hint")
            self._client_id = self._plain.field(
                "client_id", "Client id", lambda: ui.input(value=app.client_id or ""), "As the platform gave it."
            )  # fmt: skip
            self._client_secret = self._plain.field(
                "client_secret", "Client secret",
                lambda: ui.input(
                    password=True, password_toggle_button=True,
                    placeholder="Stored; enter another to replace it" if app.registered else "",
                ),
                "Kept encrypted and never shown again.",
            )  # fmt: skip

    async def _go(self) -> None:
        if self._token is not None and self._token.value:
            await self._connect_by_token(self._token.value)
            return

        async def begin(actor: Actor) -> str:
            connecting = self._visit.parts.connecting
            await self._save_app(actor)
            if self._channel is not None:
                wanted = NewConnection(channel_id=self._channel.id)
            else:
                options = self._options.values() if self._options else {}
                wanted = read_body(NewConnection, {"name": self._name.value or "", "options": options})
            _, address = await connecting.begin(actor, uuid.uuid4().hex, self._platform, wanted)
            return address

        self._button.disable()
        if not await self._visit.attempt(begin, then=ui.navigate.to, fields=self):
            self._button.enable()

    async def _connect_by_token(self, token: str) -> None:
        publishing = self._visit.parts.publishing
        by_hand = {self._token_option: token}

        async def save(actor: Actor) -> Loaded[Channel]:
            if self._channel is not None:
                edit = ChannelEdit(options={**self._channel.options, **by_hand}, paused=False)
                return await publishing.edit_channel(actor, self._channel.id, edit)
            given = {**(self._options.values() if self._options else {}), **by_hand}
            values = {"platform": self._platform, "name": self._name.value or "", "options": given}
            return await publishing.channels.create(actor, self._new_id, read_body(NewChannel, values))

        async def saved(_channel: object) -> None:
            self._dialog.close()
            await self._refresh()

        self._button.disable()
        if not await self._visit.attempt(save, done="The channel is connected.", then=saved, fields=self):
            self._button.enable()

    async def _save_app(self, actor: Actor) -> None:
        """Only what was changed."""
        if self._client_id is None:
            return
        given = {"client_id": self._client_id.value or "", "client_secret": self._client_secret.value or None}
        if self._app.registered and given == {"client_id": self._app.client_id, "client_secret": None}:
            return
        self._app = await self._visit.parts.connecting.edit_app(actor, self._platform, read_body(AppEdit, given))

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        left = self._options.show_errors(errors) if self._options else errors
        return self._plain.show_errors(left)


class AccountDialog:
    """Back from the platform: whose account it is, before anything is saved; or what went wrong."""

    def __init__(self, visit: Visit, connection: Connection, refresh: Refresh) -> None:
        self._visit = visit
        self._connection = connection
        self._refresh = refresh
        self._new_id = uuid.uuid4().hex
        self._plain = PlainForm()
        self._title = visit.parts.registry.description(PluginKind.PUBLISHER, connection.platform).title
        self._dialog = Dialog(f"{self._title}: your account")
        state = connection.state_at(visit.parts.clock.now())
        if state is ConnectionState.READY:
            self._draw_choice()
        else:
            self._draw_failure(connection.error or "this sign-in took too long, or was broken off: begin it again")

    def open(self) -> None:
        self._dialog.open()

    def _draw_choice(self) -> None:
        connection = self._connection
        accounts = {one.id: one.name for one in connection.accounts}
        with self._dialog.body():
            text(f"You are signed in at {self._title}. This is what can be connected:", "vm-prose")
            first = connection.accounts[0].id
            self._account = ui.radio(accounts, value=first).props("dense").classes("vm-col")
            if connection.channel_id is None:
                self._name: Any = self._plain.field(
                    "name", "Name", lambda: ui.input(value=connection.name or accounts[first]),
                    "As you will see it when you choose channels.",
                )  # fmt: skip
        with self._dialog.foot():
            label = "Save the channel" if connection.channel_id is None else "Connect again"
            self._button = button(label, self._save, "primary")

    def _draw_failure(self, error: str) -> None:
        with self._dialog.body():
            note(sentence(error), "bad", "error_outline")
        with self._dialog.foot("Close"):
            button("Try again", self._again, "primary")

    async def _again(self) -> None:
        connection, channels = self._connection, self._visit.parts.publishing.channels
        self._dialog.close()
        if connection.channel_id is None:
            entered = connection.options
            await SignInDialog(self._visit, connection.platform, self._refresh, entered=entered).open()
            return
        id = connection.channel_id

        async def find(actor: Actor) -> Loaded[Channel]:
            return await channels.get(actor, id)

        async def go_on(found: Loaded[Channel]) -> None:
            await SignInDialog(self._visit, connection.platform, self._refresh, found.value).open()

        await self._visit.attempt(find, then=go_on)

    async def _save(self) -> None:
        connection, connecting = self._connection, self._visit.parts.connecting

        async def save(actor: Actor) -> Loaded[Channel]:
            if connection.channel_id is not None:
                return await connecting.reconnect(actor, connection.channel_id, Reconnection(connection=connection.id))
            values = {"platform": connection.platform, "name": self._name.value or "", "connection": connection.id,
                      "account_id": self._account.value}  # fmt: skip
            return await connecting.create_channel(actor, self._new_id, read_body(NewChannel, values))

        async def saved(_channel: object) -> None:
            self._dialog.close()
            await self._refresh()

        self._button.disable()
        if not await self._visit.attempt(save, done="The channel is connected.", then=saved, fields=self._plain):
            self._button.enable()


def without(schema: Schema, name: str) -> Schema:
    """The form's fields but for the token made by hand, which has a place of its own."""
    return {**schema, "properties": {key: part for key, part in schema.get("properties", {}).items() if key != name}}


def _copy(address: str) -> None:
    ui.clipboard.write(address)
    tell("Copied.", kind="info")
