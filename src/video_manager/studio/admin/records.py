"""Who did what, and the messages that nobody could handle."""

import json

from nicegui import ui

from video_manager.domain.access import AuditEntry
from video_manager.ports import DeadLetter
from video_manager.studio.admin.table import Card, draw_table
from video_manager.studio.dialogs import confirm
from video_manager.studio.elements import box, button, empty, icon_button, text
from video_manager.studio.formats import time_text
from video_manager.studio.session import Visit

_PAGE = 50


class AuditTab:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._cursors: list[str | None] = [None]
        self._card = Card("Audit", "Who changed access, channels and schedules, the newest first.")

    async def refresh(self) -> None:
        audit = self._visit.parts.access.audit
        page = await audit.page(await self._visit.current_actor(), cursor=self._cursors[-1], limit=_PAGE)
        self._card.content.clear()
        with self._card.content:
            draw_table(("When", "Who", "What", "Detail"), page.items, self._draw_row)
            with box("vm-row vm-pages vm-below"):
                if len(self._cursors) > 1:
                    button("Newer", self._back, "second", "chevron_left")
                if page.next is not None:
                    button("Older", lambda: self._on(page.next), "second", "chevron_right")

    def _draw_row(self, entry: AuditEntry) -> None:
        text(time_text(entry.at, self._visit.zone), "vm-nowrap", tag="td")
        text(entry.actor_name, "vm-strong", tag="td")
        text(entry.action, "vm-mono vm-nowrap", tag="td")
        text(entry.detail or entry.subject, "vm-prose", tag="td")

    async def _back(self) -> None:
        self._cursors.pop()
        await self._visit.attempt(lambda _actor: self.refresh())

    async def _on(self, cursor: str | None) -> None:
        self._cursors.append(cursor)
        await self._visit.attempt(lambda _actor: self.refresh())


class DeadLettersTab:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._card = Card("Dead letters", "Messages that could not be handled at all. Nothing else waits for them.")

    async def refresh(self) -> None:
        letters = await self._visit.parts.operations.dead_letters(await self._visit.current_actor())
        self._card.content.clear()
        with self._card.content:
            if not letters:
                empty("mark_email_read", "None", "Every message found somebody who could handle it.")
            for letter in letters:
                self._draw(letter)

    def _draw(self, letter: DeadLetter) -> None:
        operations = self._visit.parts.operations

        async def again(_result: object) -> None:
            await self.refresh()

        async def drop() -> None:
            await self._visit.attempt(lambda actor: operations.drop(actor, letter.id), done="Dropped.", then=again)

        with box("vm-list-row vm-top"):
            with box("vm-col vm-tight vm-grow"):
                text(str(letter.envelope.get("type", "?")), "vm-strong vm-mono")
                died = time_text(letter.died_at, self._visit.zone)
                text(f"Queue {letter.queue} · {letter.attempts} attempts · {died}", "vm-soft vm-small")
                text(letter.reason, "vm-bad vm-small vm-prose")
                with ui.expansion("The message").props("dense"):
                    text(json.dumps(dict(letter.envelope), indent=2, ensure_ascii=False), "vm-code", tag="pre")
            resend = self._visit.act(lambda actor: operations.resend(actor, letter.id), done="Sent again.", then=again)
            icon_button("replay", "Send again", resend, small=True)
            explanation = "It is gone for good, and what it asked for never happens."
            icon_button(
                "delete_outline", "Drop", lambda: confirm("Drop this message?", explanation, "Drop", drop), small=True
            )
