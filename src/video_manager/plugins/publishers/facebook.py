"""Reels of a Facebook Page, through the Graph API.

A video is begun and takes its bytes; one short call finishes it. Facebook processes it after that call and publishes it
by itself, so that every reel is asked about until it is public.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from video_manager.domain.video import Finding
from video_manager.errors import ActionRequiredError, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    Pace,
    PlatformLimits,
    Post,
    Published,
    Publisher,
    PublisherContext,
    Quota,
    Token,
)
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.meta_errors import LONGEST_WORDS, Unseen, UploadGone, meaning, said
from video_manager.plugins.publishers.meta_graph import (
    Graph,
    Page,
    bytes_there,
    facebook_login,
    frames_per_second,
    text_of,
)

NEEDED = ("pages_show_list", "pages_read_engagement", "pages_manage_posts")
TASK = "CREATE_CONTENT"
NARROWEST, LOWEST = 540, 960
LOWEST_RATE, HIGHEST_RATE = 24, 60
REELS_A_DAY = Quota("reels", 30)
POLLS, POLL_SECONDS = 12, 5.0
"""How often to look whether the bytes have all been taken."""


class FacebookOptions(Options):
    """The Page is chosen while connecting."""


class FacebookPublisher(Publisher[FacebookOptions]):
    name = "facebook"
    title = "Facebook"
    description = "Publishes reels on a Facebook Page; they are always public."
    Options = FacebookOptions
    limits = PlatformLimits(min_duration_seconds=3, max_duration_seconds=90, min_aspect=0.55, max_aspect=0.575)
    pace = Pace(max_per_24_hours=30)
    quotas: ClassVar[tuple[Quota, ...]] = (REELS_A_DAY,)
    oauth = facebook_login((*NEEDED, "read_insights", "business_management"), NEEDED)
    keeps_hours = 20.0
    """As a video that is not finished; how long Meta keeps one is not documented."""
    guide = (
        "Register an app of the type Business at developers.facebook.com with Facebook Login for Business. You need "
        "the right to create content on the Page. Without Meta's app review only people with a role in the app can "
        "connect."
    )

    # ---- the Page -------------------------------------------------------------------------------------------

    async def exchanged(self, token: Token, context: PublisherContext) -> Token:
        return await Graph(context, self.title).lasting(token)

    async def accounts(self, options: FacebookOptions, context: PublisherContext) -> tuple[Account, ...]:
        """The Pages that the person may post to, each with a token of its own."""
        pages = await Graph(context, self.title).pages(NEEDED)
        found = tuple(_account(page) for page in pages if TASK in page.tasks)
        if not found:
            raise ActionRequiredError(
                f"this person may not create content on {', '.join(page.name for page in pages)}: "
                "ask for that right in the Page's settings, then connect again"
            )
        return found

    async def connect(self, options: FacebookOptions, context: PublisherContext) -> Account:
        id = context.account.get("id")
        if not id:
            found = await self.accounts(options, context)
            if len(found) > 1:
                raise ActionRequiredError(f"choose one of {', '.join(one.name for one in found)}")
            return found[0]
        page = await Graph(context, self.title).get(str(id), fields="id,name,link")
        return Account(name=str(page["name"]), url=page.get("link"), id=str(page["id"]))

    # ---- limits ---------------------------------------------------------------------------------------------

    async def check(
        self, post: Post, options: FacebookOptions, context: PublisherContext
    ) -> tuple[Finding, ...]:  # fmt: skip
        return (*beyond(self.name, post, self.limits), *self._picture(post))

    def _picture(self, post: Post) -> Iterator[Finding]:
        if 0 < post.width < NARROWEST or 0 < post.height < LOWEST:
            text = f"the picture is {post.width} x {post.height}; at least {NARROWEST} x {LOWEST} is needed"
            yield fault(self.name, "too_few_pixels", text)
        rate = frames_per_second(post)
        if rate is not None and not LOWEST_RATE - 0.03 <= rate <= HIGHEST_RATE:  # 24000/1001 passes for 24
            text = f"the video has {rate:g} frames a second; {LOWEST_RATE} to {HIGHEST_RATE} are allowed"
            yield fault(self.name, "frame_rate", text, measured=rate, unit="1/s")
        if post.video_type != "video/mp4":
            yield fault(self.name, "file_type", f"the video is {post.video_type}; MP4 is needed")

    # ---- the way to being public ----------------------------------------------------------------------------

    async def upload(self, post: Post, options: FacebookOptions, context: PublisherContext) -> Handle:
        graph = Graph(context, self.title)
        handle, offset = await self._earlier(graph, context) or (await self._begun(graph, context), 0)
        await context.save_handle(handle)
        if offset is not None:
            await graph.send_file(handle["upload_url"], post, offset)
        await self._wait(handle, graph, context)
        return handle

    async def _earlier(self, graph: Graph, context: PublisherContext) -> tuple[Handle, int | None] | None:
        """The video of the attempt before, when it can still be used, and from where on bytes are missing (None: it has
        them all)."""
        if not context.earlier:
            return None
        try:
            status = await _status(graph, context.earlier)
        except (UploadGone, Unseen, PermanentError):
            return None
        if _error(status) is not None:
            return None
        uploading = _phase(status, "uploading")
        return context.earlier, None if uploading.get("status") == "complete" else bytes_there(uploading)

    async def _begun(self, graph: Graph, context: PublisherContext) -> Handle:
        """Facebook counts what is posted; a reel is counted here when it is begun, so that none is begun in vain."""
        await context.spend(REELS_A_DAY.name)
        begun = await graph.post(f"{context.account['id']}/video_reels", {}, upload_phase="start")
        return {"video": str(begun["video_id"]), "upload_url": str(begun["upload_url"])}

    async def _wait(self, handle: Handle, graph: Graph, context: PublisherContext) -> None:
        for poll in range(POLLS):
            status = await _status(graph, handle)
            error = _error(status)
            if error is not None:
                raise error
            if _phase(status, "uploading").get("status") == "complete":
                return
            context.progress(0.9 + 0.1 * poll / POLLS, "being taken by Facebook")
            await context.sleep(POLL_SECONDS)
        raise RetryableError("Facebook has not taken all bytes yet")

    async def publish(
        self, post: Post, handle: Handle, options: FacebookOptions, context: PublisherContext
    ) -> Published:
        fields = {
            "video_id": handle["video"], "video_state": "PUBLISHED", "title": post.title,
            "description": text_of(post.description, tags=post.tags),
        }  # fmt: skip
        path = f"{context.account['id']}/video_reels"
        await Graph(context, self.title).post(path, fields, publishes=True, upload_phase="finish")
        raise RetryableError("Facebook has it and processes it; it is public when that has ended")

    async def ask(self, post: Post, handle: Handle, options: FacebookOptions, context: PublisherContext) -> Asked:
        graph = Graph(context, self.title)
        answer = await graph.get(handle["video"], fields="status,permalink_url")
        status = answer.get("status", {})
        error = _error(status)
        processing, publishing = (_phase(status, name).get("status") for name in ("processing", "publishing"))
        if publishing == "complete":
            return Asked(Answer.PUBLISHED, _published(handle, status, answer.get("permalink_url")))
        if error is not None:
            return Asked(Answer.ABSENT, detail=error.detail, failure=error)
        if "in_progress" in (processing, publishing):
            return Asked(Answer.PENDING, detail="Facebook is still processing the video")
        if (processing, publishing) == ("not_started", "not_started"):
            return Asked(Answer.ABSENT, detail="Facebook was never told to publish it")
        # Processed, and not published: either it will be in a moment, or it was never told to.
        return Asked(Answer.UNKNOWN, detail="Facebook has processed the video and does not show it: look at the Page")

    async def delete(self, external_id: str, options: FacebookOptions, context: PublisherContext) -> None:
        await Graph(context, self.title).delete(external_id)


async def _status(graph: Graph, handle: Handle) -> Mapping[str, Any]:
    status = (await graph.get(handle["video"], fields="status")).get("status")
    return status if isinstance(status, Mapping) else {}


def _phase(status: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    phase = status.get(f"{name}_phase")
    return phase if isinstance(phase, Mapping) else {}


def _error(status: Mapping[str, Any]) -> WorkError | None:
    """What went wrong with a video, in Facebook's words; None: nothing. A video that it cannot process would fail the
    next time too."""
    phases = [_phase(status, name) for name in ("uploading", "processing", "publishing")]
    failed = next((phase for phase in phases if phase.get("status") == "error"), None)
    if failed is None:
        state = status.get("video_status")
        return UploadGone(f"Facebook let the video go: {state}") if state in ("error", "expired") else None
    errors = failed.get("errors") or [failed.get("error") or {}]
    text = f"Facebook could not use the video: {'; '.join(said(one) for one in errors)[:LONGEST_WORDS]}"
    meant = (meaning(text, one.get("code")) for one in errors)
    return next((fault for fault in meant if fault is not None), PermanentError(text))


def _published(handle: Handle, status: Mapping[str, Any], permalink: str | None) -> Published:
    """A reel of a Page is public; what Facebook keeps as something else is told to people."""
    kept_as = _phase(status, "publishing").get("publish_status") or "published"
    warning = None if kept_as == "published" else f"Facebook keeps the reel as {str(kept_as)[:50]}: see to it there"
    url = permalink or f"/reel/{handle['video']}/"
    return Published(handle["video"], url if url.startswith("https://") else f"https://www.facebook.com{url}", warning)


def _account(page: Page) -> Account:
    return Account(name=page.name, url=page.link, id=page.id, token=Token(page.token))
