"""The server's side of the player component. Keys and frames are handled in the browser; see player.js."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

# Its module also registers the browser code that the player shares with it.
from video_manager.studio.upload.source_upload import UPLOADS_URL


@dataclass(frozen=True)
class Cut:
    """One version to play. `frames_per_second` is exact where the rate is constant, as our masters' is."""

    label: str
    url: str
    frames_per_second: float
    duration_seconds: float
    width: int = 1080
    height: int = 1920
    poster: str = ""
    captions: str = ""


@dataclass(frozen=True)
class Mark:
    """Something on the timeline: a finding (with a range) or a comment (a pin). `tone`: error, warning, info, comment,
    resolved."""

    id: str
    tone: str
    text: str
    start_seconds: float
    end_seconds: float | None = None


class ReviewPlayer(Element, component="player.js"):
    """`on_time` gets the position in seconds whenever it rests (paused, sought). `on_comment` is the key C, with the
    position. `on_mark` gets the id of a mark that was clicked. `on_capture` gets the upload id of a frame's picture,
    or the reason why there is none."""

    def __init__(
        self, cuts: Sequence[Cut], marks: Sequence[Mark] = (), *, on_time: Callable[[float], Any] | None = None,
        on_comment: Callable[[float], Any] | None = None, on_mark: Callable[[str], Any] | None = None,
        on_capture: Callable[[str, str], Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._props["endpoint"] = UPLOADS_URL
        self.show(cuts, marks)
        if on_time:
            self.on("time", lambda event: on_time(_seconds(event)))
        if on_comment:
            self.on("comment", lambda event: on_comment(_seconds(event)))
        if on_mark:
            self.on("mark", lambda event: on_mark(str(event.args)))
        if on_capture:
            self.on("captured", lambda event: on_capture(*_capture(event)))

    def show(self, cuts: Sequence[Cut], marks: Sequence[Mark]) -> None:
        """Play these: one cut, or two beside each other. The first one leads."""
        self._props["cuts"] = [asdict(cut) for cut in cuts[:2]]
        self.show_marks(marks)

    def show_marks(self, marks: Sequence[Mark]) -> None:
        self._props["marks"] = [asdict(mark) for mark in marks]
        self.update()

    def seek(self, seconds: float) -> None:
        """Stop at this time and take the keys."""
        self.run_method("seekTo", seconds)

    def capture(self) -> None:
        """Send the frame that is shown as a JPEG; the answer comes by `on_capture`."""
        self.run_method("capture")


def _seconds(event: GenericEventArguments) -> float:
    return max(0.0, float(event.args)) if isinstance(event.args, int | float) else 0.0


def _capture(event: GenericEventArguments) -> tuple[str, str]:
    args: Any = event.args if isinstance(event.args, dict) else {}
    return str(args.get("id", ""))[:120], str(args.get("error", ""))[:300]
