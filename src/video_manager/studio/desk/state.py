"""What the review page is about: one video, the version being looked at, and perhaps another beside it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fractions import Fraction

from video_manager.domain.video import MediaRole, VersionState
from video_manager.manager.views import VersionView, VideoView
from video_manager.studio.player import Cut, Mark
from video_manager.studio.session import Visit
from video_manager.studio.video_parts import file_of, playable

_SHORTEST_MARK_SECONDS = 0.2


async def _nothing() -> None:
    """Until the page says how it reloads."""


@dataclass
class Desk:
    """Shared by all panels of one open page. `reload` reads the video again and redraws what changed."""

    visit: Visit
    video: VideoView
    number: int
    beside: int | None = None
    reload: Callable[[], Awaitable[None]] = field(default=_nothing)

    @property
    def version(self) -> VersionView:
        return next(version for version in self.video.versions if version.number == self.number)

    def use(self, video: VideoView) -> None:
        """A newer reading of the same video."""
        self.video = video
        known = {version.number for version in video.versions}
        self.number = self.number if self.number in known else video.versions[-1].number
        self.beside = self.beside if self.beside in known else None

    def decidable(self) -> bool:
        """Whether a decision on this version makes sense now."""
        return self.version.state is VersionState.READY and self.video.deleted_at is None

    def cuts(self) -> list[Cut]:
        numbers = [self.number] if self.beside is None else [self.number, self.beside]
        versions = [version for number in numbers for version in self.video.versions if version.number == number]
        return [cut for version in versions if (cut := cut_of(version)) is not None]

    def marks(self) -> list[Mark]:
        """Findings with a place, and comments with a time, on this version."""
        report = self.version.checks
        findings = [
            Mark(
                id=f"finding-{index}", tone=str(item.severity), text=item.message, start_seconds=item.start_seconds,
                end_seconds=max(item.end_seconds or 0.0, item.start_seconds + _SHORTEST_MARK_SECONDS),
            )
            for index, item in enumerate(report.findings if report else ())
            if item.start_seconds is not None
        ]  # fmt: skip
        comments = [
            Mark(
                id=f"comment-{item.id}", tone="resolved" if item.resolved else "comment",
                text=f"{item.author}: {item.text}", start_seconds=item.at_seconds,
            )
            for item in self.video.comments
            if item.version == self.number and item.at_seconds is not None
        ]  # fmt: skip
        return [*findings, *comments]


def cut_of(version: VersionView) -> Cut | None:
    """What the player needs of a version; None when there is nothing to play."""
    file = playable(version)
    if file is None:
        return None
    thumbnail = file_of(version, MediaRole.THUMBNAIL)
    return Cut(
        label=f"Version {version.number}", url=file.url, frames_per_second=frames_per_second(file.frame_rate),
        duration_seconds=file.duration_seconds or 0.0, width=file.width or 1080, height=file.height or 1920,
        poster=thumbnail.url if thumbnail else "",
    )  # fmt: skip


def frames_per_second(rate: str | None) -> float:
    """Of a rational such as `30000/1001`; 30 when it is unknown."""
    try:
        return float(Fraction(rate or "30")) or 30.0
    except (ValueError, ZeroDivisionError):
        return 30.0
