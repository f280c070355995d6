"""The dialog with the address of one's own calendar, for other calendar programs."""

from nicegui import ui

from video_manager.domain.access import Actor
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import box, button, note, text
from video_manager.studio.session import Visit


class CalendarAddressDialog:
    def __init__(self, visit: Visit, active: bool) -> None:
        self._visit = visit
        self._active = active
        self._dialog = Dialog("Subscribe to this calendar")
        with self._dialog.body():
            text(
                "Calendar programs (Google Calendar, Outlook, Apple, Thunderbird) can show what goes out. They need an "
                "address of your own; whoever has it can read the schedule, and nothing else.", "vm-prose", tag="p",
            )  # fmt: skip
            self._place = box("vm-col")
        with self._dialog.foot("Close"):
            pass
        self._draw(None)

    def open(self) -> None:
        self._dialog.open()

    def _draw(self, address: str | None) -> None:
        self._place.clear()
        with self._place:
            if address is not None:
                field = ui.input(value=address).props('readonly outlined dense aria-label="Address"').classes("vm-wide")
                field.on("focus", js_handler="(event) => event.target.select()")
                note("It is shown only now. Copy it and subscribe to it there by “from URL”.", "info", "content_copy")
            elif self._active:
                note("You have an address. A new one ends it.", "info", "event_available")
            with box("vm-row vm-tight vm-wrap"):
                make = self._visit.act(self._make, then=self._made)
                button("Make a new address" if self._active else "Make an address", make, "primary", "add_link")
                if self._active:
                    button("End it", self._visit.act(self._end, done="It has ended.", then=self._ended), "second")

    async def _make(self, actor: Actor) -> str:
        return await self._visit.parts.access.calendars.make(actor)

    async def _made(self, address: object) -> None:
        self._active = True
        self._draw(str(address))

    async def _end(self, actor: Actor) -> None:
        await self._visit.parts.access.calendars.end(actor)

    async def _ended(self, _nothing: object) -> None:
        self._active = False
        self._draw(None)


async def open_address(visit: Visit) -> None:
    actor = await visit.current_actor()
    CalendarAddressDialog(visit, await visit.parts.access.calendars.has_one(actor)).open()
