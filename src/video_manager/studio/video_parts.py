"""How a video shows itself in lists: picture, title, state, progress."""

from collections.abc import Sequence

from nicegui import ui
from nicegui.element import Element

from video_manager.domain.video import MediaRole, Severity, VersionState, VideoState
from video_manager.manager.views import FileView, VersionView, VideoView
from video_manager.plugins.registry import PluginDescription, PluginKind
from video_manager.studio.elements import box, chip, text
from video_manager.studio.formats import length_text, words
from video_manager.studio.session import Visit

STATE_TONES = {
    VideoState.REQUESTED: "", VideoState.RENDERING: "accent", VideoState.PROCESSING: "accent",
    VideoState.IN_REVIEW: "info", VideoState.APPROVED: "good", VideoState.REJECTED: "bad", VideoState.FAILED: "bad",
    VideoState.CANCELLED: "", VideoState.DELETED: "",
}  # fmt: skip
WORKING = (VideoState.REQUESTED, VideoState.RENDERING, VideoState.PROCESSING)
ENDED_BADLY = (VideoState.FAILED, VideoState.CANCELLED)
PUBLICATION_TONES = {
    "scheduled": "info", "uploading": "accent", "pending": "accent", "published": "good", "failed": "bad",
    "unknown": "warn", "action_required": "warn", "cancelled": "", "withdrawn": "",
}  # fmt: skip


def newest(video: VideoView) -> VersionView:
    return video.versions[-1]


def title_of(video: VideoView) -> str:
    """The title people gave or accepted; before there is one, the beginning of the text it is made from."""
    given = newest(video).metadata.title or video.title
    if given:
        return given
    source = newest(video).spec.options.get("text")
    if isinstance(source, str) and source.strip():
        first = source.strip().lstrip("#").strip().splitlines()[0]
        return first if len(first) <= 70 else first[:69].rstrip() + "…"
    return f"Untitled {newest(video).spec.generator}"


def file_of(version: VersionView, role: MediaRole) -> FileView | None:
    """The version's file of that role; of the thumbnails the chosen one, else the first."""
    found = [file for file in version.files if file.role is role]
    found.sort(key=lambda file: file.id != version.metadata.thumbnail)
    return found[0] if found else None


def playable(version: VersionView) -> FileView | None:
    """What a browser can show of a version."""
    return file_of(version, MediaRole.PREVIEW) or file_of(version, MediaRole.MASTER)


def picture_url(video: VideoView) -> str | None:
    """The newest thumbnail there is; an older version's while the newest is still being made."""
    for version in reversed(video.versions):
        thumbnail = file_of(version, MediaRole.THUMBNAIL)
        if thumbnail is not None:
            return thumbnail.url
    return None


def draw_picture(video: VideoView, classes: str = "vm-picture") -> Element:
    """The thumbnail with the duration on it, or a quiet place for it."""
    url = picture_url(video)
    frame = box(classes)
    with frame:
        if url:
            image = ui.element("img")
            image.props["src"] = url
            image.props["alt"] = ""
            image.props["loading"] = "lazy"
        else:
            ui.icon("hourglass_empty" if video.state in WORKING else "movie")
        master = file_of(newest(video), MediaRole.MASTER)
        if master is not None and master.duration_seconds:
            text(length_text(master.duration_seconds), "vm-picture-length vm-num", tag="span")
    return frame


def draw_state(video: VideoView) -> Element:
    label = "In review" if video.state is VideoState.IN_REVIEW else words(video.state)
    if video.paused and video.state in WORKING:
        return chip("Paused", "warn", "pause")
    return chip(label, STATE_TONES[video.state])


def draw_publications(video: VideoView) -> None:
    """`2 of 3 published`, and what needs a person."""
    counts = video.publications
    for state in ("action_required", "unknown", "failed"):
        if counts.by_state.get(state):
            chip(f"{counts.by_state[state]} {words(state).lower()}", PUBLICATION_TONES[state], "warning_amber")
    if counts.total:
        chip(f"{counts.published} of {counts.total} published", "good" if counts.published else "info", "public")


def draw_findings(version: VersionView) -> None:
    """How many faults the checks found, by severity; nothing when they found none."""
    findings = version.checks.findings if version.checks else ()
    for severity, tone, icon in (
        (Severity.ERROR, "bad", "error_outline"),
        (Severity.WARNING, "warn", "warning_amber"),
    ):
        number = sum(1 for finding in findings if finding.severity is severity)
        if number:
            chip(str(number), tone, icon).props["aria-label"] = f"{number} {severity} findings"


def stage_text(version: VersionView) -> str:
    """`Encoding · 42 %`, or what it waits for."""
    stage = words(version.stage) or "Queued"
    return f"{stage} · {version.progress * 100:.0f} %" if version.progress > 0 else stage


def generator_title(visit: Visit, name: str) -> str:
    for description in _generators(visit):
        if description.name == name:
            return description.title
    return words(name)


def _generators(visit: Visit) -> Sequence[PluginDescription]:
    return visit.parts.registry.describe(PluginKind.GENERATOR)


def is_working(version: VersionView) -> bool:
    return version.state in (VersionState.REQUESTED, VersionState.RENDERING, VersionState.PROCESSING)
