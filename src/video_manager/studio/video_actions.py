"""What can be done with a video wherever it is shown: cancel, retry, pause, delete."""

from collections.abc import Awaitable, Callable

from video_manager.domain.access import Actor, Right
from video_manager.domain.video import VideoState
from video_manager.manager.views import VideoView
from video_manager.studio.dialogs import confirm, later
from video_manager.studio.elements import icon_button
from video_manager.studio.formats import plural
from video_manager.studio.session import Visit
from video_manager.studio.video_parts import ENDED_BADLY, WORKING, title_of

Refresh = Callable[[], Awaitable[None]]


def draw_actions(visit: Visit, video: VideoView, refresh: Refresh, on_delete: Callable[[], None]) -> None:
    """Small buttons for what is possible in the video's state. `on_delete` hides it, `refresh` reads it again."""
    videos, id = visit.parts.videos, video.id

    async def again(_video: object) -> None:
        await refresh()

    def attempt(use_case: Callable[[Actor], Awaitable[VideoView]], done: str) -> Callable[[], Awaitable[None]]:
        return visit.act(use_case, done=done, then=again)

    if visit.may(Right.REQUEST) and video.state in WORKING:
        if video.paused:
            go_on = attempt(lambda actor: videos.adjust(actor, id, priority=None, paused=False), "It goes on.")
            icon_button("play_arrow", "Go on", go_on, small=True)
        elif video.state is VideoState.REQUESTED:
            wait = attempt(lambda actor: videos.adjust(actor, id, priority=None, paused=True), "It waits in the queue.")
            icon_button("pause", "Pause", wait, small=True)
        stop = attempt(lambda actor: videos.cancel(actor, id), "Cancelled. Retry starts it again.")
        icon_button("stop", "Cancel", stop, small=True)
    if visit.may(Right.REQUEST) and video.state in ENDED_BADLY:
        retry = attempt(lambda actor: videos.retry(actor, id), "It starts again.")
        icon_button("replay", "Retry", retry, small=True)
    if visit.may(Right.DELETE) and video.state is not VideoState.DELETED:
        icon_button("delete_outline", "Delete", lambda: ask_delete(visit, video, refresh, on_delete), small=True)


def ask_delete(visit: Visit, video: VideoView, refresh: Refresh, on_delete: Callable[[], None]) -> None:
    """Say what goes, ask, and leave some seconds to undo."""
    public = video.publications.published
    stays = f" {plural(public, 'public post').capitalize()} will stay public." if public else ""
    waiting = video.publications.total - public
    goes = f" {plural(waiting, 'waiting publication').capitalize()} will be withdrawn." if waiting > 0 else ""
    versions = plural(len(video.versions), "version")
    explanation = f"“{title_of(video)}” goes with its {versions}, files and comments.{goes}{stays}"

    async def remove() -> None:
        if not await visit.attempt(lambda actor: visit.parts.videos.delete(actor, video.id)):
            await refresh()

    def start() -> None:
        on_delete()
        later(f"“{title_of(video)}” is being deleted.", remove, refresh)

    confirm("Delete this video?", explanation, "Delete", start)
