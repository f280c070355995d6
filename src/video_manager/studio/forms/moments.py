"""Choosing when: now, in the channel's next free slot, or at a wall-clock time in a zone."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from nicegui import ui

from video_manager.errors import InvalidInput
from video_manager.studio.elements import box
from video_manager.studio.forms.inputs import FieldFrame

NOW, SLOT, LATER = "now", "next_slot", "later"


class MomentChoice:
    """`value` is None for now, `next_slot`, or `{local, zone}` as the person wrote it: the service decides what it
    means."""

    def __init__(
        self, zone: ZoneInfo, now: datetime, start: datetime | None = None, *, now_label: str = "Now",
        later_label: str = "At a time", on_change: Any = None,
    ) -> None:  # fmt: skip
        self._on_change = on_change or (lambda: None)
        with box("vm-col"):
            self._when = ui.toggle(
                {NOW: now_label, SLOT: "Next free slot", LATER: later_label},
                value=LATER if start else NOW,
                on_change=self._turned,
            ).props("no-caps unelevated")
            with box("vm-moment") as self._fields:
                local = (start or _next_evening(now, zone)).astimezone(zone)
                self._date = FieldFrame("Date")
                with self._date.place:
                    self._date_input = ui.input(value=f"{local:%Y-%m-%d}").props('outlined dense type="date"')
                self._time = FieldFrame("Time")
                with self._time.place:
                    self._time_input = ui.input(value=f"{local:%H:%M}").props('outlined dense type="time"')
                self._zone = FieldFrame("Zone")
                with self._zone.place:
                    zones = sorted(available_timezones() | {str(zone)})
                    self._zone_input = ui.select(zones, value=str(zone), with_input=True)
                    self._zone_input.props('outlined dense options-dense virtual-scroll-slice-size="20"')
        for name, element in (("Date", self._date_input), ("Time", self._time_input), ("Zone", self._zone_input)):
            element.props["aria-label"] = name
        self._fields.set_visibility(self._when.value == LATER)

    @property
    def is_later(self) -> bool:
        """Not now."""
        return bool(self._when.value != NOW)

    def value(self) -> dict[str, str] | str | None:
        """Raises InvalidInput when a part is missing."""
        if self._when.value != LATER:
            return SLOT if self.is_later else None
        date, time = self._date_input.value or "", self._time_input.value or ""
        self._date.show_error("" if date else "Choose a day.")
        self._time.show_error("" if time else "Choose a time.")
        if not date or not time:
            raise InvalidInput.field("publish_at", "choose a day and a time")
        return {"local": f"{date}T{time}", "zone": str(self._zone_input.value or "UTC")}

    def show_error(self, reason: str) -> None:
        self._time.show_error(reason)

    def _turned(self) -> None:
        self._fields.set_visibility(self._when.value == LATER)
        self._on_change()


def _next_evening(now: datetime, zone: ZoneInfo) -> datetime:
    """18:00 today, or tomorrow when that is over: a start that is seldom wrong."""
    local = now.astimezone(zone)
    evening = local.replace(hour=18, minute=0, second=0, microsecond=0)
    return evening if evening > local + timedelta(minutes=10) else evening + timedelta(days=1)
