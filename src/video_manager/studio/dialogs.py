"""Dialogs: one shape for all, a question before what hurts, and a few seconds to change one's mind."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nicegui import background_tasks, context, ui
from nicegui.element import Element

from video_manager.studio.elements import box, button, heading, text

UNDO_SECONDS = 7.0
REMOVE_SECONDS = 20.0
Handler = Callable[[], Any]


class Dialog:
    """A dialog with a heading, a body that scrolls, and a row of buttons. It belongs to the page, not to what was
    pressed: a live event may draw that anew under the open dialog."""

    def __init__(self, title: str, *, wide: bool = False) -> None:
        with context.client.layout:
            self._place = ui.element()  # NiceGUI removes a dialog together with the element it was made in
        self._place.visible = False
        with self._place:
            self._dialog = ui.dialog()
        with self._dialog, box("vm-dialog vm-wide-dialog" if wide else "vm-dialog") as frame:
            frame.props["role"] = "dialog"
            frame.props["aria-label"] = title
            with box("vm-dialog-head"):
                heading(title)
            self._body = box("vm-dialog-body")
            self._foot = box("vm-dialog-foot")
        self._dialog.on("hide", self._remove_later)

    def _remove_later(self) -> None:
        """The handler that closed the dialog may still speak from inside it."""

        async def remove() -> None:
            await asyncio.sleep(REMOVE_SECONDS)
            if not self._place.is_deleted:
                self._place.delete()
            if not self._dialog.is_deleted:
                self._dialog.delete()

        background_tasks.create(remove(), name="remove a closed dialog")

    @contextmanager
    def body(self) -> Iterator[Element]:
        with self._body:
            yield self._body

    @contextmanager
    def foot(self, cancel: str = "Cancel") -> Iterator[Element]:
        with self._foot:
            if cancel:
                button(cancel, self.close, "quiet")
            yield self._foot

    def open(self) -> None:
        self._dialog.open()

    def close(self) -> None:
        self._dialog.close()


def confirm(title: str, explanation: str, action: str, then: Handler, *, danger: bool = True) -> None:
    """Ask before doing; the button says what it does."""
    dialog = Dialog(title)
    with dialog.body():
        text(explanation, "vm-prose", tag="p")

    async def go() -> None:
        dialog.close()
        result = then()
        if isinstance(result, Awaitable):
            await result

    with dialog.foot():
        button(action, go, "danger" if danger else "primary").props("autofocus")
    dialog.open()


def later(message: str, action: Callable[[], Awaitable[Any]], on_undo: Callable[[], Awaitable[Any]]) -> None:
    """Do it after a few seconds in which it can be undone. Leaving the page does not stop it; a system that ends
    in between has simply not done it."""
    undone = asyncio.Event()
    with context.client.layout, box("vm-undo") as bar:
        bar.props["role"] = "status"
        text(message, "vm-grow")

        async def undo() -> None:
            undone.set()
            await on_undo()
            bar.delete()

        button("Undo", undo, "quiet", "undo")

    async def wait_and_do() -> None:
        try:
            await asyncio.wait_for(undone.wait(), UNDO_SECONDS)
        except TimeoutError:
            if not bar.is_deleted:
                bar.delete()
            await action()

    background_tasks.create(wait_and_do(), name="an action that could be undone", context=context.client.layout)
