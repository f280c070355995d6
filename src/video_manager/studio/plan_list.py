"""The dry run as a list: what goes out in the next days, and what stands in the way."""

from nicegui import ui

from video_manager.publishing.forecast import PlannedPost
from video_manager.studio.elements import box, chip, empty, link, text
from video_manager.studio.formats import sentence, time_text
from video_manager.studio.icons import platform_icon
from video_manager.studio.session import Visit

DAYS = 7


class PlanList:
    """Drawn here and now; hidden until it is shown."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._place = box("vm-col vm-wide")
        self._place.set_visibility(False)

    def hide(self) -> None:
        self._place.set_visibility(False)

    async def show(self) -> None:
        plan = await self._visit.parts.publishing.plan(await self._visit.current_actor(), DAYS)
        self._place.set_visibility(True)
        self._place.clear()
        with self._place, box("vm-card"):
            if not plan.items:
                advice = "Approve a video and choose a time, or the next free slot, to see here when it will go out."
                empty("event_available", f"Nothing is planned for the next {DAYS} days", advice)
            for item in plan.items:
                self._draw(item)

    def _draw(self, item: PlannedPost) -> None:
        zone = self._visit.zone
        with box("vm-list-row", "article"):
            ui.icon(platform_icon(item.platform)).classes("vm-tile-icon")
            with box("vm-col vm-tight vm-grow"):
                link(item.title, f"/videos/{item.video_id}", "vm-strong vm-clip")
                text(f"{item.channel_name} · {_asked(item, self._visit)}", "vm-soft vm-small")
                for conflict in item.conflicts:
                    text(sentence(conflict.text), "vm-warn vm-small vm-prose")
            if item.expected_at is None:
                chip("Not by itself", "warn", "front_hand")
            else:
                late = item.publish_at is not None and item.expected_at > item.publish_at
                if item.handed_over:
                    chip("handed over", "info")
                chip(time_text(item.expected_at, zone), "warn" if late else "info", "schedule")


def _asked(item: PlannedPost, visit: Visit) -> str:
    if item.requested_local is not None:
        return f"asked for {item.requested_local.replace('T', ' ')}"
    return f"asked for {time_text(item.publish_at, visit.zone)}" if item.publish_at else "as soon as possible"
