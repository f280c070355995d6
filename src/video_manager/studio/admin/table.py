"""Tables of the administration: a card with a heading, rows, and what to do when there are none."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from nicegui.element import Element

from video_manager.studio.elements import box, heading, text

RowT = TypeVar("RowT")


def draw_table(titles: Sequence[str], rows: Sequence[RowT], draw_row: Callable[[RowT], None]) -> Element:
    """`draw_row` draws one row's cells."""
    with box("vm-scroll") as frame, box("vm-table", "table"):
        with box("", "thead"), box("", "tr"):
            for title in titles:
                text(title, tag="th")
        with box("", "tbody"):
            for row in rows:
                with box("", "tr"):
                    draw_row(row)
    return frame


class Card:
    """A card with a heading, an explanation, a place for its buttons, and its content."""

    def __init__(self, title: str, about: str) -> None:
        with box("vm-card vm-flush"):
            with box("vm-table-head vm-row vm-wrap"):
                with box("vm-grow vm-col vm-tight"):
                    heading(title)
                    text(about, "vm-soft vm-small", tag="p")
                self.actions = box("vm-row vm-tight")
            self.content = box()
