"""Administration: people and keys, where messages go, and what keeps the system healthy."""

from collections.abc import Callable
from typing import Protocol

from nicegui import ui

from video_manager.studio.admin.keys import KeysTab
from video_manager.studio.admin.receivers import TargetsTab, WebhooksTab
from video_manager.studio.admin.records import AuditTab, DeadLettersTab
from video_manager.studio.admin.system import SystemTab
from video_manager.studio.admin.users import UsersTab
from video_manager.studio.elements import box
from video_manager.studio.layout import Frame
from video_manager.studio.session import Visit


class Tab(Protocol):
    """Draws its frame when it is made, and its content when it is refreshed."""

    async def refresh(self) -> None: ...


_TABS: dict[str, tuple[str, Callable[[Visit], Tab]]] = {
    "users": ("People", UsersTab),
    "keys": ("API keys", KeysTab),
    "notifications": ("Notifications", TargetsTab),
    "webhooks": ("Webhooks", WebhooksTab),
    "audit": ("Audit", AuditTab),
    "dead-letters": ("Dead letters", DeadLettersTab),
    "system": ("System", SystemTab),
}


async def build(visit: Visit, frame: Frame) -> None:
    frame.name("Administration")
    asked = visit.request.query_params.get("tab", "users")
    start = asked if asked in _TABS else "users"
    tabs = ui.tabs().props("dense align=left inline-label outside-arrows mobile-arrows no-caps")
    with tabs:
        for name, (title, _) in _TABS.items():
            ui.tab(name, title)
    tabs.value = start
    place = box("vm-tab-place")

    async def show() -> None:
        place.clear()
        with place:
            tab = _TABS[str(tabs.value)][1](visit)
            await visit.attempt(lambda _actor: tab.refresh())

    async def turn() -> None:
        ui.navigate.history.replace(f"/admin?tab={tabs.value}")
        await show()

    tabs.on_value_change(turn)
    await show()
