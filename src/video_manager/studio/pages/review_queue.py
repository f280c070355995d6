"""The review queue: what waits for a decision, the longest waiting first."""

from nicegui import ui

from video_manager.domain.access import Right
from video_manager.manager.views import VideoView
from video_manager.studio.elements import anchor, box, empty, link, link_button, text
from video_manager.studio.formats import age_text, plural
from video_manager.studio.layout import Frame
from video_manager.studio.live import gather
from video_manager.studio.queue import waiting_videos
from video_manager.studio.session import Visit
from video_manager.studio.video_parts import draw_findings, draw_picture, generator_title, newest, title_of

_SHOWN = 60


async def build(visit: Visit, frame: Frame) -> None:
    place = box()

    async def draw(_ids: set[str]) -> None:
        waiting = await waiting_videos(visit, await visit.current_actor())
        frame.actions.clear()
        place.clear()
        if waiting and visit.may(Right.REVIEW):
            with frame.actions:
                link_button("Start reviewing", f"/review/{waiting[0].id}", "primary", "play_arrow")
        with place:
            _draw_queue(visit, waiting)

    await draw(set())
    gather(visit.live.video, 0.5, draw, visit.opened_at)


def _draw_queue(visit: Visit, waiting: list[VideoView]) -> None:
    if not waiting:
        advice = "When a video is made and checked, it waits here until somebody decides. You will be told by the bell."
        with box("vm-card"), empty("task_alt", "Nothing waits for review", advice):
            if visit.may(Right.REQUEST):
                link_button("Request a video", "/new", "primary", "add")
        return
    with box("vm-gallery"):
        for video in waiting[:_SHOWN]:
            _draw_card(visit, video)
    if len(waiting) > _SHOWN:
        text(f"{plural(len(waiting) - _SHOWN, 'more video')} after these.", "vm-soft vm-more")


def _draw_card(visit: Visit, video: VideoView) -> None:
    version, now = newest(video), visit.parts.clock.now()
    with box("vm-poster-card", "article"):
        with anchor(f"/review/{video.id}", "vm-poster-link", label=f"Review {title_of(video)}"):
            draw_picture(video, "vm-picture vm-poster")
        with box("vm-poster-body"):
            link(title_of(video), f"/review/{video.id}", "vm-video-title vm-clip2")
            waited = age_text(version.ready_at or video.created_at, now)
            text(f"{generator_title(visit, version.spec.generator)} · v{version.number} · {waited}", "vm-soft vm-small")
            with box("vm-row vm-tight vm-wrap"):
                draw_findings(version)
                open_comments = sum(1 for comment in video.comments if not comment.resolved)
                if open_comments:
                    with box("vm-chip", "span"):
                        ui.icon("chat_bubble_outline")
                        text(str(open_comments), tag="span")
