"""API keys: for programs. A key is shown once, when it is made."""

import uuid
from typing import Any

from nicegui import ui

from video_manager.domain.access import Actor, ApiKey, Role
from video_manager.gateway.keys import NewKey
from video_manager.repository import Loaded
from video_manager.studio.admin.table import Card, draw_table
from video_manager.studio.dialogs import Dialog, confirm
from video_manager.studio.elements import box, button, chip, empty, icon_button, note, text
from video_manager.studio.formats import time_text, words
from video_manager.studio.forms.plain import PlainForm
from video_manager.studio.session import Visit, tell

_MOST = 200


class KeysTab:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._card = Card("API keys", "For programs. Each has a role, and stops working at once when it is revoked.")
        with self._card.actions:
            button("Make a key", self._make, "primary", "key")

    async def refresh(self) -> None:
        page = await self._visit.parts.access.keys.page(await self._visit.current_actor(), limit=_MOST)
        self._card.content.clear()
        with self._card.content:
            if not page.items:
                empty("key", "No keys yet", "Make one for each program that talks to the API.")
            else:
                draw_table(("Name", "Begins with", "Role", "Made", ""), page.items, self._draw_row)

    def _draw_row(self, loaded: Loaded[ApiKey]) -> None:
        key = loaded.value
        text(key.name, "vm-strong", tag="td")
        text(f"vm_{key.prefix}_", "vm-mono", tag="td")
        text(words(key.role), tag="td")
        text(time_text(key.created_at, self._visit.zone), "vm-nowrap", tag="td")
        with box("", "td"), box("vm-row vm-tight vm-end"):
            if key.revoked_at is not None:
                chip("Revoked")
            else:
                icon_button("block", "Revoke", lambda: self._ask_revoke(key), small=True)

    def _make(self) -> None:
        new_id = uuid.uuid4().hex
        dialog, form = Dialog("Make a key"), PlainForm()
        with dialog.body():
            name: Any = form.field("name", "Name", ui.input, "What uses it?")
            roles = {str(role): words(role) for role in Role}
            role: Any = form.field("role", "Role", lambda: ui.select(roles, value=str(Role.PRODUCER)))

        async def make(actor: Actor) -> NewKey:
            return await self._visit.parts.access.keys.create(actor, new_id, name.value or "", Role(role.value))

        async def made(key: NewKey) -> None:
            dialog.close()
            _show(key)
            await self.refresh()

        with dialog.foot():
            button("Make it", self._visit.act(make, then=made, fields=form), "primary")
        dialog.open()

    def _ask_revoke(self, key: ApiKey) -> None:
        async def again(_result: object) -> None:
            await self.refresh()

        async def revoke() -> None:
            await self._visit.attempt(
                lambda actor: self._visit.parts.access.keys.revoke(actor, key.id), done="Revoked.", then=again
            )

        confirm(f"Revoke “{key.name}”?", "Programs that use it get no answer any more.", "Revoke", revoke)


def _show(made: NewKey) -> None:
    """The only time that the key is seen."""
    dialog = Dialog("Your new key")

    def copy() -> None:
        ui.clipboard.write(made.text)
        tell("Copied.")

    with dialog.body():
        note("Copy it now: it is not kept, and cannot be shown again.", "warn", "visibility")
        text(made.text, "vm-code", tag="pre")
    with dialog.foot("Done"):
        button("Copy", copy, "primary", "content_copy")
    dialog.open()
