"""People who may sign in, and what they may do."""

import uuid
from collections.abc import Callable
from typing import Any

from nicegui import ui

from video_manager.domain.access import ROLE_RIGHTS, Actor, Role, User
from video_manager.repository import Loaded
from video_manager.studio.admin.table import Card, draw_table
from video_manager.studio.dialogs import Dialog, confirm
from video_manager.studio.elements import box, button, chip, icon_button, text
from video_manager.studio.formats import time_text, words
from video_manager.studio.forms.plain import PlainForm
from video_manager.studio.session import Visit

_MOST = 200
ROLES = {
    str(role): f"{words(role)}: {', '.join(str(right) for right in sorted(ROLE_RIGHTS[role]))}"
    for role in Role
    if role is not Role.WORKER
}


class UsersTab:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._card = Card("People", "Everybody signs in with an account of their own.")
        with self._card.actions:
            button("Add a person", self._add, "primary", "person_add")

    async def refresh(self) -> None:
        page = await self._visit.parts.access.users.page(await self._visit.current_actor(), limit=_MOST)
        self._card.content.clear()
        with self._card.content:
            draw_table(("Name", "Role", "Mail", "Since", ""), page.items, self._draw_row)

    def _draw_row(self, loaded: Loaded[User]) -> None:
        user = loaded.value
        with box("", "td"), box("vm-row"):
            text(user.name[:1].upper(), "vm-me", tag="span")
            text(user.name, "vm-strong")
            if user.disabled:
                chip("Disabled", "warn")
        text(words(user.role), tag="td")
        text(user.email or "", tag="td")
        text(time_text(user.created_at, self._visit.zone), "vm-nowrap", tag="td")
        with box("", "td"), box("vm-row vm-tight vm-end"):
            icon_button("edit", "Edit", lambda: self._edit(loaded), small=True)
            icon_button("delete_outline", "Remove", lambda: self._ask_remove(user), small=True)

    def _add(self) -> None:
        users, new_id = self._visit.parts.access.users, uuid.uuid4().hex
        dialog, form = Dialog("Add a person"), PlainForm()
        with dialog.body():
            name: Any = form.field("name", "Name", ui.input, "With this they sign in.")
            password: Any = form.field("password", "First password", _password, "They change it under Profile.")
            role: Any = form.field("role", "Role", lambda: ui.select(ROLES, value=str(Role.PRODUCER)))
            email: Any = form.field("email", "Mail", ui.input, optional=True)

        async def add(actor: Actor) -> Loaded[User]:
            return await users.create(
                actor, new_id, name.value or "", password.value or "", Role(role.value), email.value or None
            )

        self._finish(dialog, "Add", self._visit.act(add, done="Added.", then=self._closing(dialog), fields=form))

    def _edit(self, loaded: Loaded[User]) -> None:
        users, user = self._visit.parts.access.users, loaded.value
        dialog, form = Dialog(f"Edit {user.name}"), PlainForm()
        with dialog.body():
            role: Any = form.field("role", "Role", lambda: ui.select(ROLES, value=str(user.role)))
            email: Any = form.field("email", "Mail", lambda: ui.input(value=user.email or ""), optional=True)
            password: Any = form.field("password", "New password", _password, "Empty: it stays.", optional=True)
            active = ui.switch("May sign in", value=not user.disabled)
            text("A new role or password ends their sessions at once.", "vm-hint")

        async def save(actor: Actor) -> Loaded[User]:
            return await users.change(
                actor, user.id, role=Role(role.value), email=email.value or "", disabled=not active.value,
                password=password.value or None, expected_revision=loaded.revision,
            )  # fmt: skip

        self._finish(dialog, "Save", self._visit.act(save, done="Saved.", then=self._closing(dialog), fields=form))

    def _ask_remove(self, user: User) -> None:
        async def remove() -> None:
            await self._visit.attempt(
                lambda actor: self._visit.parts.access.users.remove(actor, user.id), done="Removed.", then=self._again
            )

        confirm(f"Remove {user.name}?", "Their sessions end at once. What they made stays.", "Remove", remove)

    def _finish(self, dialog: Dialog, label: str, handler: Callable[[], Any]) -> None:
        with dialog.foot():
            button(label, handler, "primary")
        dialog.open()

    def _closing(self, dialog: Dialog) -> Callable[[object], Any]:
        async def close(_result: object) -> None:
            dialog.close()
            await self.refresh()

        return close

    async def _again(self, _result: object) -> None:
        await self.refresh()


def _password() -> ui.input:
    return ui.input(password=True, password_toggle_button=True).props("autocomplete=new-password")
