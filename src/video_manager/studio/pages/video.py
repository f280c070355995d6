"""One video in all its details: versions and files, publications, history."""

from collections.abc import Mapping

from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.domain.channel import Channel
from video_manager.domain.publication import Publication
from video_manager.domain.video import Decision, Verdict, VersionState, VideoState
from video_manager.manager.requests import PublicationRequest
from video_manager.manager.views import VersionView, VideoView
from video_manager.repository import Loaded
from video_manager.studio.channel_choice import all_channels
from video_manager.studio.desk.options import draw_options
from video_manager.studio.desk.state import Desk
from video_manager.studio.desk.waiting import draw_failure
from video_manager.studio.elements import ProgressBar, box, button, chip, heading, icon_button, link_button, text
from video_manager.studio.formats import length_text, picture_text, plural, size_text, time_text, words
from video_manager.studio.icons import platform_icon, platform_title
from video_manager.studio.layout import Frame
from video_manager.studio.live import gather
from video_manager.studio.publication_parts import draw_publication
from video_manager.studio.session import Visit
from video_manager.studio.video_actions import draw_actions
from video_manager.studio.video_parts import (
    draw_findings,
    draw_picture,
    draw_state,
    generator_title,
    is_working,
    newest,
    stage_text,
    title_of,
)
from video_manager.web import random_ids

_MOST_PUBLICATIONS = 200
_COLUMN_CLASSES = {"Picture": "vm-spare", "Length": "vm-spare", "Size": "vm-right"}
_DONE = {Decision.APPROVE: "approved", Decision.REJECT: "rejected", Decision.REGENERATE: "asked for another than"}


async def build(visit: Visit, frame: Frame) -> None:
    page = VideoPage(visit, str(visit.request.path_params["id"]), frame)
    await page.refresh()
    gather(visit.live.video, 0.4, page.hear, visit.opened_at)
    gather(visit.live.progress, 0.5, page.show_progress, visit.opened_at)


class VideoPage:
    def __init__(self, visit: Visit, id: str, frame: Frame) -> None:
        self._visit = visit
        self._id = id
        self._frame = frame
        self._actions = frame.actions
        self._place = box("vm-two-columns vm-details")
        self._bars: dict[int, tuple[ProgressBar, ui.label]] = {}

    async def hear(self, ids: set[str]) -> None:
        if self._id in ids:
            await self.refresh()

    async def show_progress(self, ids: set[str]) -> None:
        """Only the bars move: what a person opened stays open."""
        if self._id not in ids:
            return
        video = await self._visit.parts.videos.get(await self._visit.current_actor(), self._id)
        for version in video.versions:
            if version.number in self._bars:
                bar, stage = self._bars[version.number]
                bar.show(version.progress, idle=version.progress == 0)
                stage.text = stage_text(version)

    async def refresh(self) -> None:
        actor, parts = await self._visit.current_actor(), self._visit.parts
        video = await parts.videos.get(actor, self._id)
        found = await parts.publishing.list(actor, video_id=self._id, limit=_MOST_PUBLICATIONS)
        channels = {channel.id: channel for channel in await all_channels(self._visit)}
        asked = f"Asked for by {video.created_by}, {time_text(video.created_at, self._visit.zone)}"
        self._frame.name(title_of(video), asked)
        self._draw_actions(video)
        self._place.clear()
        self._bars.clear()
        with self._place:
            with box("vm-col vm-wide"):
                for version in reversed(video.versions):
                    self._draw_version(video, version)
            with box("vm-col vm-wide"):
                self._draw_about(video)
                self._draw_publications(video, found.items, channels)
                self._draw_history(video)

    def _draw_actions(self, video: VideoView) -> None:
        self._actions.clear()
        with self._actions:
            draw_actions(self._visit, video, self.refresh, lambda: ui.navigate.to("/library"))
            if any(version.state is VersionState.READY for version in video.versions) and video.deleted_at is None:
                kind = "primary" if video.state is VideoState.IN_REVIEW else "second"
                link_button("Review", f"/review/{video.id}", kind, "rate_review")

    def _draw_about(self, video: VideoView) -> None:
        with box("vm-card"):
            with box("vm-row vm-top"):
                draw_picture(video)
                with box("vm-col vm-tight vm-grow"):
                    with box("vm-row vm-tight vm-wrap"):
                        draw_state(video)
                        draw_findings(newest(video))
                    text(generator_title(self._visit, newest(video).spec.generator), "vm-soft vm-small")
            if newest(video).metadata.description:
                text(newest(video).metadata.description, "vm-prose vm-small vm-soft vm-above")

    # ---- versions ---------------------------------------------------------------------------------------

    def _draw_version(self, video: VideoView, version: VersionView) -> None:
        with box("vm-card vm-col", "section"):
            with box("vm-row vm-wrap"):
                heading(f"Version {version.number}")
                verdict = version.verdict is not Verdict.NONE
                tone = {"ready": "info", "failed": "bad"}.get(version.state, "")
                tone = {"approved": "good", "rejected": "bad"}.get(version.verdict, tone)
                chip(words(version.verdict if verdict else version.state), tone)
                text(generator_title(self._visit, version.spec.generator), "vm-soft vm-small")
                text(time_text(version.created_at, self._visit.zone), "vm-faint vm-small vm-push")
            if is_working(version):
                bar = ProgressBar(version.progress, idle=version.progress == 0)
                self._bars[version.number] = bar, text(stage_text(version), "vm-soft vm-small vm-num")
            desk = Desk(self._visit, video, version.number, reload=self.refresh)
            if version.state is VersionState.FAILED:
                with box("vm-col vm-failure"):
                    draw_failure(desk)
            self._draw_files(version)
            with ui.expansion("Options, seed and facts").props("dense"):
                draw_options(desk)

    def _draw_files(self, version: VersionView) -> None:
        if not version.files:
            if version.state is VersionState.READY:
                text("Its files were removed.", "vm-soft vm-small")
            return
        with box("vm-scroll"), box("vm-table", "table"):
            with box("", "thead"), box("", "tr"):
                for title in ("File", "Picture", "Length", "Size", ""):
                    text(title, _COLUMN_CLASSES.get(title, ""), tag="th")
            with box("", "tbody"):
                for file in version.files:
                    with box("", "tr"):
                        text(words(file.role), tag="td")
                        text(picture_text(file.width, file.height), "vm-nowrap vm-spare", tag="td")
                        text(length_text(file.duration_seconds), "vm-spare", tag="td")
                        text(size_text(file.size_bytes), "vm-right vm-nowrap vm-num", tag="td")
                        with box("vm-right", "td"):
                            get = icon_button("download", f"Download {file.role}", small=True)
                            get.props["href"] = file.url
                            get.props["download"] = file.name
        total = sum(file.size_bytes for file in version.files)
        text(f"{plural(len(version.files), 'file')}, {size_text(total)} together.", "vm-hint")

    # ---- publications -----------------------------------------------------------------------------------

    def _draw_publications(
        self, video: VideoView, found: tuple[Loaded[Publication], ...], channels: Mapping[str, Channel]
    ) -> None:
        with box("vm-card", "section"):
            with box("vm-card-head"):
                heading("Publications")
                approved = [item for item in video.versions if item.verdict is Verdict.APPROVED]
                if approved and self._visit.may(Right.PUBLISH):
                    self._draw_publish(video, approved[-1], channels)
            if not found:
                advice = "Approve a version to publish it." if not approved else "Choose a channel to publish it."
                text(f"None yet. {advice}", "vm-soft vm-small")
            for loaded in found:
                content = loaded.value.content
                channel = channels.get(content.channel_id)
                platform = platform_title(self._visit, content.platform)
                name = channel.name if channel else f"{platform} (deleted channel)"
                draw_publication(self._visit, loaded.value, name, self.refresh)

    def _draw_publish(self, video: VideoView, version: VersionView, channels: Mapping[str, Channel]) -> None:
        with button("Publish", None, "second", "publish", small=True), ui.menu().props("auto-close"):
            for channel in channels.values():
                if channel.enabled:

                    async def publish(_event: object, channel: Channel = channel) -> None:
                        await self._publish(video, version, channel)

                    with ui.menu_item(on_click=publish), box("vm-row"):
                        ui.icon(platform_icon(channel.platform))
                        text(channel.name, tag="span")

    async def _publish(self, video: VideoView, version: VersionView, channel: Channel) -> None:
        async def use_case(actor: Actor) -> str:
            request = PublicationRequest(video_id=video.id, version=version.number, channel_id=channel.id)
            return await self._visit.parts.reviews.publish(actor, request, random_ids)

        async def again(_id: str) -> None:
            await self.refresh()

        await self._visit.attempt(use_case, done=f"It goes to {channel.name}.", then=again)

    # ---- history ----------------------------------------------------------------------------------------

    def _draw_history(self, video: VideoView) -> None:
        zone = self._visit.zone
        entries = [
            (item.created_at, f"Version {item.number} requested by {item.created_by}", "") for item in video.versions
        ]
        entries += [(item.ready_at, f"Version {item.number} was ready", "") for item in video.versions if item.ready_at]
        entries += [
            (item.at, f"{item.author} {_DONE[item.decision]} version {item.version}", item.reason)
            for item in video.reviews
        ]
        entries += [
            (item.voided_at, f"Approval of version {item.version} voided", item.void_reason or "")
            for item in video.approvals if item.voided_at
        ]  # fmt: skip
        with box("vm-card", "section"):
            heading("History")
            with box("vm-history", "ol"):
                for at, what, why in sorted(entries, key=lambda entry: entry[0], reverse=True):
                    with box("vm-col vm-tight", "li"):
                        text(what, "vm-prose")
                        text(time_text(at, zone) + (f" · {why}" if why else ""), "vm-soft vm-small vm-prose")
            text(f"Id {video.id}", "vm-faint vm-small vm-mono")
