"""Small forms of fixed fields, as dialogs have them: labels above, reasons below."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from video_manager.errors import FieldError
from video_manager.studio.formats import sentence
from video_manager.studio.forms.inputs import FieldFrame

ElementT = TypeVar("ElementT", bound=Any)


class PlainForm:
    """Fields by the name that errors use; the last part of an error's path decides."""

    def __init__(self) -> None:
        self._frames: dict[str, FieldFrame] = {}

    def field(
        self, name: str, title: str, make: Callable[[], ElementT], help: str = "", *, optional: bool = False
    ) -> ElementT:
        """Draw the field; `make` makes its input, which is returned."""
        frame = FieldFrame(title, help, wide=True, optional=optional)
        with frame.place:
            element = make()
        element.props("outlined dense hide-bottom-space")
        element.props["aria-label"] = title
        self._frames[name] = frame
        return element

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        shown = {error.field.rsplit(".", 1)[-1]: error.reason for error in errors}
        for name, frame in self._frames.items():
            frame.show_error(sentence(shown.get(name, "")))
        return [error for error in errors if error.field.rsplit(".", 1)[-1] not in self._frames]
