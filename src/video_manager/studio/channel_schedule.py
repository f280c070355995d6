"""When a channel posts: its zone, slots, distance, posts a day, and what becomes of times that were missed."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any
from zoneinfo import available_timezones

from nicegui import ui

from video_manager.domain.access import Actor
from video_manager.domain.channel import Channel
from video_manager.domain.schedule import MissedRule, Pace, Weekday
from video_manager.errors import FieldError, InvalidInput
from video_manager.plugins.api import Publisher, SchedulingPublisher
from video_manager.publishing.channels import ChannelEdit
from video_manager.repository import Loaded
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import button, heading, text
from video_manager.studio.forms.plain import PlainForm
from video_manager.studio.forms.requests import read_body
from video_manager.studio.session import Visit

_DAYS = {
    Weekday.MON: "Monday", Weekday.TUE: "Tuesday", Weekday.WED: "Wednesday", Weekday.THU: "Thursday",
    Weekday.FRI: "Friday", Weekday.SAT: "Saturday", Weekday.SUN: "Sunday",
}  # fmt: skip
_RULES = {
    MissedRule.PUBLISH_NOW: "Publish at once", MissedRule.NEXT_SLOT: "Move to the next free slot",
    MissedRule.ASK: "Ask me",
}  # fmt: skip


class ChannelScheduleDialog:
    def __init__(self, visit: Visit, channel: Channel, refresh: Callable[[], Awaitable[None]]) -> None:
        self._visit = visit
        self._channel = channel
        self._refresh = refresh
        self._slots: dict[Weekday, Any] = {}
        self._dialog = Dialog(f"Schedule of {channel.name}", wide=True)
        with self._dialog.body():
            text(_pace_words(self._pace()), "vm-soft")
            self._form = PlainForm()
            self._draw_slots()
            self._draw_limits()
            self._draw_missed()
            self._draw_hand_over()
        with self._dialog.foot():
            button("Save", self._save, "primary")

    def open(self) -> None:
        self._dialog.open()

    def _publisher(self) -> type[Publisher[Any]] | None:
        try:
            return self._visit.parts.registry.publisher(self._channel.platform)
        except InvalidInput:  # its plugin is gone
            return None

    def _pace(self) -> Pace:
        publisher = self._publisher()
        return publisher.pace if publisher else Pace()

    def _draw_slots(self) -> None:
        policy = self._channel.schedule
        zone = str(self._visit.zone) if policy.zone == "UTC" and not policy.slots else policy.zone
        zones = sorted(available_timezones() | {zone})
        self._zone = self._form.field(
            "zone", "Time zone", lambda: ui.select(zones, value=zone, with_input=True).props("options-dense"),
            "Slots and days are on the clock there, also when it changes.",
        )  # fmt: skip
        heading("Posting slots", 3)
        text("Videos that are to go out “in the next free slot” get these times, one each.", "vm-hint")
        for day, name in _DAYS.items():
            times = [slot.time for slot in policy.slots if slot.weekday is day]
            self._slots[day] = self._form.field(day, name, partial(_times, times), optional=True)

    def _draw_limits(self) -> None:
        policy = self._channel.schedule
        heading("How often", 3)
        self._distance = self._form.field(
            "min_distance_minutes", "Minutes between two posts", lambda: _number(policy.min_distance_minutes),
            "0: no distance. A post that comes too soon waits, and shows until when.",
        )  # fmt: skip
        self._most = self._form.field(
            "max_per_day", "Most posts a day", lambda: _number(policy.max_per_day),
            "Empty: as many as there are.", optional=True,
        )  # fmt: skip

    def _draw_missed(self) -> None:
        policy = self._channel.schedule
        heading("Missed times", 3)
        self._missed = self._form.field(
            "missed", "When a time passed while nothing could go out",
            lambda: ui.select({rule.value: label for rule, label in _RULES.items()}, value=policy.missed.value),
            "Because the system was off, or this channel paused.",
        )  # fmt: skip
        self._grace = self._form.field(
            "grace_minutes", "Minutes that count as in time", lambda: _number(policy.grace_minutes)
        )

    def _draw_hand_over(self) -> None:
        """Only where the platform can keep times; elsewhere what is chosen stays as it is."""
        self._hand_over = None
        publisher = self._publisher()
        if publisher is None or not issubclass(publisher, SchedulingPublisher):
            return
        heading("While this system is off", 3)
        self._hand_over = self._form.field(
            "hand_over", f"{publisher.title} publishes at the time by itself",
            lambda: ui.switch(value=self._channel.schedule.hand_over).props("dense"),
            f"The video is uploaded soon after the approval, up to {publisher.most_ahead.days} days ahead, and "
            f"{publisher.title} makes it public at its time. Moving, cancelling and pausing take the time back.",
        )  # fmt: skip

    def _schedule(self) -> dict[str, Any]:
        slots = [{"weekday": day.value, "time": time} for day, time in self._entered()]
        most = self._most.value
        return {
            "zone": self._zone.value or "", "slots": slots, "min_distance_minutes": self._distance.value or 0,
            "max_per_day": None if most in (None, "") else most, "missed": self._missed.value,
            "grace_minutes": self._grace.value or 0,
            "hand_over": self._channel.schedule.hand_over if self._hand_over is None else bool(self._hand_over.value),
        }  # fmt: skip

    def _entered(self) -> list[tuple[Weekday, str]]:
        """In the order in which they stand in the request, which the errors count."""
        return [(day, _padded(time)) for day, element in self._slots.items() for time in element.value or ()]

    async def _save(self) -> None:
        async def save(actor: Actor) -> Loaded[Channel]:
            edit = read_body(ChannelEdit, {"schedule": self._schedule()})
            return await self._visit.parts.publishing.edit_channel(actor, self._channel.id, edit)

        async def saved(_channel: object) -> None:
            self._dialog.close()
            await self._refresh()

        await self._visit.attempt(save, done="Saved.", then=saved, fields=self)

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        return self._form.show_errors([self._at_its_day(error) for error in errors])

    def _at_its_day(self, error: FieldError) -> FieldError:
        """`schedule.slots.3.time` is one of some day's times."""
        path = error.field.split(".")
        if len(path) < 3 or path[1] != "slots" or not path[2].isdigit():
            return error
        day, time = self._entered()[int(path[2])]
        return FieldError(day, f"{time} is no time such as 18:00")


def _times(times: Sequence[str]) -> Any:
    chips = ui.input_chips(value=list(times))
    return chips.props('new-value-mode="add-unique" placeholder="18:00, then Enter"')


def _number(value: int | None) -> Any:
    return ui.number(value=value, min=0, step=1, precision=0, format="%d")


def _padded(time: str) -> str:
    """People write 9:30, too."""
    time = time.strip()
    return f"0{time}" if len(time) == 4 and time[1:2] == ":" else time


def _pace_words(pace: Pace) -> str:
    if pace.max_per_24_hours is None:
        return "The platform itself sets no pace that is kept here."
    return f"The platform takes at most {pace.max_per_24_hours} posts in 24 hours; that is kept in any case."
