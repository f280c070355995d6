"""The line above the player: the versions to choose from, and two of them side by side."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from video_manager.domain.video import Verdict, VersionState
from video_manager.manager.views import VersionView
from video_manager.studio.desk.state import Desk, cut_of
from video_manager.studio.elements import box, button, chip, link_button, text
from video_manager.studio.formats import words
from video_manager.studio.video_parts import draw_state, title_of

_VERDICT_TONES = {Verdict.NONE: "info", Verdict.APPROVED: "good", Verdict.REJECTED: "bad"}


class DeskHead:
    """`choose` is told the number of a version, `compare` that of the one beside it or None."""

    def __init__(
        self, desk: Desk, choose: Callable[[int], Awaitable[None]], compare: Callable[[int | None], Awaitable[None]]
    ) -> None:
        self._desk = desk
        self._choose = choose
        self._compare = compare
        self._drawn: tuple[object, ...] = ()
        self._place = box("vm-row vm-wrap vm-tight vm-desk-head")

    def show(self) -> None:
        """Draw it anew when something in it changed; else leave it alone: a menu in it may be open."""
        desk = self._desk
        key = (desk.number, desk.beside, title_of(desk.video), *map(_unmoved, desk.video.versions), desk.video.paused)
        if key == self._drawn:
            return
        self._drawn = key
        self._place.clear()
        with self._place:
            for version in desk.video.versions:
                self._draw_version(version)
            self._draw_compare()
            with box("vm-row vm-tight vm-push"):
                draw_state(desk.video)
                link_button("Details", f"/videos/{desk.video.id}", "second", "info", small=True)

    def _draw_version(self, version: VersionView) -> None:
        chosen = version.number == self._desk.number
        pick = box("vm-pick vm-chosen" if chosen else "vm-pick", "button")
        pick.props(f"aria-pressed={'true' if chosen else 'false'}")
        pick.on("click", lambda: self._choose(version.number))
        with pick:
            text(f"Version {version.number}", tag="span")
            label = words(version.state if version.verdict is Verdict.NONE else version.verdict)
            chip(label, _VERDICT_TONES[version.verdict] if version.state is VersionState.READY else "")

    def _draw_compare(self) -> None:
        desk = self._desk
        others = [item.number for item in desk.video.versions if item.number != desk.number and cut_of(item)]
        if desk.beside is not None:
            button("End comparison", lambda: self._compare(None), "second", "close", small=True)
        elif others and cut_of(desk.version):
            with button("Compare", None, "second", "compare", small=True), ui.menu().props("auto-close"):
                for number in others:
                    ui.menu_item(f"With version {number}", on_click=lambda _event, number=number: self._compare(number))


def _unmoved(version: VersionView) -> tuple[object, ...]:
    """What the head shows of a version."""
    return version.number, version.state, version.verdict, len(version.files)
