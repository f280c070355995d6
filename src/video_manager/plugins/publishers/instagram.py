"""Instagram Reels, through the Graph API with Facebook Login: the flavour that takes bytes, so that the product needs
no public address.

A container holds the video until one short call publishes it. The container's id is stored first, and it can be asked
both how many bytes it has and whether it has been published.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from video_manager.domain.video import Finding
from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    Pace,
    Post,
    Published,
    Publisher,
    PublisherContext,
    Token,
)
from video_manager.plugins.platform_limits import beyond
from video_manager.plugins.publishers.instagram_limits import LIMITS, caption_of, picture_faults, text_faults
from video_manager.plugins.publishers.meta_errors import Unseen, UploadGone, meaning
from video_manager.plugins.publishers.meta_graph import Graph, Page, bytes_there, facebook_login

NEEDED = ("instagram_basic", "instagram_content_publish", "pages_show_list", "pages_read_engagement")
POLLS, POLL_SECONDS = 5, 60.0
"""Instagram asks for one question a minute, for five minutes."""
QUOTA_LOOK_SECONDS = 3600.0
"""The allowance of the last 24 hours grows again bit by bit: it is read again so much later."""
CONTAINER_HOURS = 23.0
"""A container lives 24 hours: an older one than this is not begun with again."""
CLOCKS = timedelta(minutes=5)
"""By how much Instagram's clock may be behind ours."""

_SUBCODE = re.compile(r"\b2207\d{3}\b")


class InstagramOptions(Options):
    """The account is chosen while connecting."""


class InstagramPostOptions(Options):
    share_to_feed: bool = Field(True, description="Show the reel in the profile's feed too, besides the Reels tab.")
    thumb_offset_ms: int | None = Field(
        None, ge=0, description="Which moment of the video is the cover, in milliseconds. Instagram takes no "
        "cover file from here: it would want to fetch one from a public address.",
    )  # fmt: skip
    collaborators: tuple[str, ...] = Field(
        (), max_length=3, description="Usernames that are invited as collaborators; the reel shows on their profiles "
        "when they accept.",
    )  # fmt: skip
    trial: Literal["no", "manual", "performance"] = Field(
        "no", description="A trial reel is shown to people who do not follow the account. It becomes a usual one by "
        "hand in the app (manual), or by itself when it does well (performance).",
    )  # fmt: skip


class InstagramPublisher(Publisher[InstagramOptions]):
    name = "instagram"
    title = "Instagram"
    description = "Publishes reels to a professional Instagram account that is linked to a Facebook Page."
    Options = InstagramOptions
    PostOptions = InstagramPostOptions
    limits = LIMITS
    pace = Pace(max_per_24_hours=50)
    deletes: ClassVar[bool] = False
    oauth = facebook_login(
        (*NEEDED, "instagram_manage_insights", "business_management"), NEEDED
    )  # fmt: skip
    keeps_hours = 20.0
    """A container lives for 24 hours."""
    guide = (
        "Register an app of the type Business at developers.facebook.com with Facebook Login for Business. The "
        "Instagram account must be a professional one that is linked to a Facebook Page. Without Meta's app "
        "review only people with a role in the app can connect."
    )

    # ---- the account ----------------------------------------------------------------------------------------

    async def exchanged(self, token: Token, context: PublisherContext) -> Token:
        return await Graph(context, self.title).lasting(token)

    async def accounts(self, options: InstagramOptions, context: PublisherContext) -> tuple[Account, ...]:
        """The professional accounts behind the person's Pages. Each acts by its Page's token, which has no fixed
        end."""
        pages = await Graph(context, self.title).pages(NEEDED)
        found = tuple(_account(page, page.instagram) for page in pages if page.instagram)
        if not found:
            raise ActionRequiredError(
                "none of these Pages has a professional Instagram account: link one in the Page's settings, "
                "then connect again"
            )
        return found

    async def connect(self, options: InstagramOptions, context: PublisherContext) -> Account:
        account = context.account
        if not account.get("id"):
            found = await self.accounts(options, context)
            if len(found) > 1:
                raise ActionRequiredError(f"choose one of {', '.join(one.name for one in found)}")
            return found[0]
        seen = await Graph(context, self.title).get(str(account["id"]), fields="id,username,name")
        facts = {name: account[name] for name in ("page_id", "page_name") if name in account}
        return Account(
            name=f"@{seen['username']}", url=_profile(seen), id=str(seen["id"]),
            facts={**facts, "username": seen["username"]},
        )  # fmt: skip

    # ---- limits ---------------------------------------------------------------------------------------------

    async def check(
        self, post: Post, options: InstagramOptions, context: PublisherContext
    ) -> tuple[Finding, ...]:  # fmt: skip
        chosen = InstagramPostOptions.model_validate(post.extra)
        return (
            *beyond(self.name, post, self.limits),
            *picture_faults(post),
            *text_faults(post, chosen.thumb_offset_ms),
        )

    # ---- the way to being public ----------------------------------------------------------------------------

    async def upload(self, post: Post, options: InstagramOptions, context: PublisherContext) -> Handle:
        graph = Graph(context, self.title)
        handle, offset = await self._earlier(graph, context) or (await self._begun(post, graph, context), 0)
        await context.save_handle(handle)
        if offset is not None:
            await graph.send_file(handle["uri"], post, offset)
        await self._wait(handle, graph, context)
        return handle

    async def _earlier(self, graph: Graph, context: PublisherContext) -> tuple[Handle, int | None] | None:
        """The container of the attempt before, when it can still be used, and from where on bytes are missing (None: it
        has them all)."""
        earlier = context.earlier
        if not earlier or context.now() - _begun_at(earlier) > timedelta(hours=CONTAINER_HOURS):
            return None
        try:
            status = await graph.get(earlier["container"], fields="status_code,video_status")
        except (UploadGone, Unseen):
            return None
        if status["status_code"] not in ("IN_PROGRESS", "FINISHED"):
            return None
        phase = status.get("video_status", {}).get("uploading_phase", {})
        has_all = status["status_code"] == "FINISHED" or phase.get("status") == "complete"
        return earlier, None if has_all else bytes_there(phase)

    async def _begun(self, post: Post, graph: Graph, context: PublisherContext) -> Handle:
        account = str(context.account["id"])
        await self._look_at_quota(account, graph)
        chosen = InstagramPostOptions.model_validate(post.extra)
        fields: dict[str, Any] = {
            "media_type": "REELS", "upload_type": "resumable", "caption": caption_of(post),
            "share_to_feed": "true" if chosen.share_to_feed else "false",
        }  # fmt: skip
        if chosen.thumb_offset_ms is not None:
            fields["thumb_offset"] = str(chosen.thumb_offset_ms)
        if chosen.collaborators:
            fields["collaborators"] = json.dumps([name.removeprefix("@") for name in chosen.collaborators])
        if chosen.trial != "no":
            strategy = "MANUAL" if chosen.trial == "manual" else "SS_PERFORMANCE"
            fields["trial_params"] = json.dumps({"graduation_strategy": strategy})
        begun_at = context.now()
        made = await graph.post(f"{account}/media", fields)
        return {"container": str(made["id"]), "uri": str(made["uri"]), "begun_at": begun_at.isoformat()}

    async def _look_at_quota(self, account: str, graph: Graph) -> None:
        """How many posts a day are allowed is told differently by different pages of Meta's, so it is read."""
        answer = await graph.get(f"{account}/content_publishing_limit", fields="quota_usage,config")
        for entry in answer.get("data", []):
            used, most = int(entry.get("quota_usage", 0)), entry.get("config", {}).get("quota_total")
            if most is not None and used >= int(most):
                raise LimitReached(
                    f"Instagram allows {most} posts in 24 hours through its API, and {used} were made",
                    QUOTA_LOOK_SECONDS,
                )

    async def _wait(self, handle: Handle, graph: Graph, context: PublisherContext) -> None:
        for poll in range(POLLS + 1):
            context.progress(0.9 + 0.1 * poll / (POLLS + 1), "processing at Instagram")
            status = await graph.get(handle["container"], fields="status_code,status")
            if status["status_code"] == "FINISHED":
                return
            if status["status_code"] != "IN_PROGRESS":
                raise _failed(status)
            if poll < POLLS:
                await context.sleep(POLL_SECONDS)
        raise RetryableError("Instagram is still processing the video", POLL_SECONDS)

    async def publish(
        self, post: Post, handle: Handle, options: InstagramOptions, context: PublisherContext
    ) -> Published:
        graph = Graph(context, self.title)
        made = await graph.post(
            f"{context.account['id']}/media_publish", {"creation_id": handle["container"]}, publishes=True
        )
        id = str(made["id"])
        try:
            return Published(id, (await graph.get(id, fields="permalink")).get("permalink"))
        except WorkError:
            return Published(id, None)  # it is public; only its address is not known

    async def ask(self, post: Post, handle: Handle, options: InstagramOptions, context: PublisherContext) -> Asked:
        graph = Graph(context, self.title)
        try:
            status = await graph.get(handle["container"], fields="status_code,status")
            state = status["status_code"]
        except (UploadGone, Unseen):
            state = "gone"  # after 24 hours; whether it was published is only seen among the posts
        if state in ("PUBLISHED", "gone"):
            return await self._found(post, handle, graph, context)
        if state == "IN_PROGRESS":
            return Asked(Answer.PENDING, detail="Instagram is still processing the video")
        failure = None if state == "FINISHED" else _failed(status)
        return Asked(Answer.ABSENT, detail=f"Instagram has not published it ({state})", failure=failure)

    async def _found(self, post: Post, handle: Handle, graph: Graph, context: PublisherContext) -> Asked:
        """The newest post with this caption that was made since the container."""
        listed = await graph.get(
            f"{context.account['id']}/media", fields="id,caption,permalink,timestamp", limit=25
        )  # fmt: skip
        wanted, since = caption_of(post).split(), _begun_at(handle) - CLOCKS
        for media in listed.get("data", []):
            caption = str(media.get("caption") or "").split()
            if caption == wanted and datetime.fromisoformat(media["timestamp"]) >= since:
                return Asked(Answer.PUBLISHED, Published(str(media["id"]), media.get("permalink")))
        return Asked(Answer.UNKNOWN, detail="Instagram's list of posts does not show it: look at the profile")

    async def delete(self, external_id: str, options: InstagramOptions, context: PublisherContext) -> None:
        raise PermanentError("Instagram has no call that takes a reel down: delete it in the app")


def _failed(status: Mapping[str, Any]) -> WorkError:
    """Why a container cannot be published; the text of its status often holds a subcode."""
    text = f"Instagram could not use the video: {str(status.get('status') or status['status_code'])[:400]}"
    if status["status_code"] == "PUBLISHED":
        return PermanentError(f"{text}; it was published by somebody else")
    subcode = _SUBCODE.search(text)
    found = meaning(text, int(subcode[0])) if subcode else None
    return found or UploadGone(text)


def _begun_at(handle: Handle) -> datetime:
    return datetime.fromisoformat(str(handle["begun_at"]))


def _profile(account: Mapping[str, Any]) -> str:
    return f"https://www.instagram.com/{account['username']}/"


def _account(page: Page, instagram: Mapping[str, Any]) -> Account:
    return Account(
        name=f"@{instagram['username']}", url=_profile(instagram), id=str(instagram["id"]),
        facts={"username": instagram["username"], "page_id": page.id, "page_name": page.name},
        token=Token(page.token),
    )  # fmt: skip
