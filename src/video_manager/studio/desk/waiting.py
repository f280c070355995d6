"""In place of the player, when there is nothing to play: how far it is, or why it failed."""

from nicegui import ui

from video_manager.domain.access import Right
from video_manager.domain.video import VersionState
from video_manager.studio.desk.state import Desk
from video_manager.studio.elements import ProgressBar, box, button, empty, heading, text
from video_manager.studio.video_parts import draw_picture, is_working, stage_text


def draw_unready(desk: Desk) -> None:
    version = desk.version
    with box("vm-card vm-unready vm-col"):
        if is_working(version):
            draw_picture(desk.video)
            heading(f"Version {version.number} is being made")
            ProgressBar(version.progress, idle=version.progress == 0)
            text(stage_text(version), "vm-soft vm-num")
        elif version.state is VersionState.FAILED:
            draw_failure(desk)
        else:
            empty("movie", "Nothing to play", "The files of this version were removed or never made.")


def draw_failure(desk: Desk) -> None:
    """The reason in words, and the tool's own words in a block."""
    version = desk.version
    headline, _, log = (version.error or "No reason was given.").partition("\n")
    ui.icon("error_outline").classes("vm-unready-icon vm-bad")
    heading(f"Version {version.number} failed")
    text(headline, "vm-prose", tag="p")
    if log.strip():
        text(log.strip(), "vm-code", tag="pre")
    if desk.visit.may(Right.REQUEST):

        async def again(_video: object) -> None:
            await desk.reload()

        retry = desk.visit.act(
            lambda actor: desk.visit.parts.videos.retry(actor, desk.video.id), done="It starts again.", then=again
        )
        with box("vm-row"):
            button("Try again", retry, "primary", "replay")
