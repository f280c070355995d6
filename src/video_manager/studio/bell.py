"""The bell: what happened, live, with what is unread marked."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from video_manager.domain.access import Actor
from video_manager.notifications.model import Level, Notification
from video_manager.notifications.service import Shown
from video_manager.repository import Page
from video_manager.studio.elements import box, button, empty, heading, icon_button, text
from video_manager.studio.formats import age_text, safe_url
from video_manager.studio.live import gather
from video_manager.studio.session import Visit

_SHOWN = 25
_ICONS = {
    Level.INFO: "info",
    Level.SUCCESS: "check_circle",
    Level.WARNING: "warning_amber",
    Level.ERROR: "error_outline",
}


class Bell:
    """`unread` is the number when the page is built; later ones come live."""

    def __init__(self, visit: Visit, unread: int) -> None:
        self._visit = visit
        self._service = visit.parts.notifications
        with icon_button("notifications_none", "Notifications", tooltip=False):
            self._badge = text("", "vm-bell-count", tag="span")
            with ui.menu().props('max-height="70vh" anchor="bottom right" self="top right"') as self._menu:
                self._panel = box("vm-bell")
        self._menu.on("before-show", self._load)
        self._count(unread)
        gather(visit.live.notification, 0.5, self._refresh, visit.opened_at)

    def _count(self, number: int) -> None:
        self._badge.text = "99+" if number > 99 else str(number)
        self._badge.set_visibility(number > 0)

    async def _refresh(self, _ids: set[str]) -> None:
        self._count(await self._service.unread(await self._visit.current_actor()))

    async def _load(self) -> None:
        await self._visit.attempt(lambda actor: self._service.list(actor, limit=_SHOWN), then=self._show)

    def _show(self, page: Page[Shown]) -> None:
        self._panel.clear()
        with self._panel:
            with box("vm-bell-head"):
                heading("Notifications")
                button("Mark all as read", self._mark_all, "quiet", small=True)
            if not page.items:
                empty("notifications_none", "Nothing yet", "What happens to your videos is told here.")
            for shown in page.items:
                _draw_notification(self._visit, shown, self._open)

    async def _open(self, notification: Notification) -> None:
        async def mark(actor: Actor) -> None:
            await self._service.mark_read(actor, notification.id)

        if await self._visit.attempt(mark):
            ui.navigate.to(safe_url(notification.link) or "/")

    async def _mark_all(self) -> None:
        if await self._visit.attempt(self._service.mark_all_read):
            self._count(0)
            self._menu.close()


def _draw_notification(visit: Visit, shown: Shown, on_open: Callable[[Notification], Awaitable[None]]) -> None:
    notification = shown.notification
    row = box("vm-bell-row" if shown.read else "vm-bell-row vm-unread", "button")
    row.on("click", lambda: on_open(notification))
    with row:
        ui.icon(_ICONS[notification.severity]).classes(f"vm-level-{notification.severity}")
        with box("vm-col vm-tight vm-grow"):
            text(notification.title, "vm-strong vm-clip2")
            text(notification.text, "vm-soft vm-small vm-clip2")
            text(age_text(notification.created_at, visit.parts.clock.now()), "vm-faint vm-small")
