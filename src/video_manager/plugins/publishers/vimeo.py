"""Vimeo, by tus.

The video is made before its first byte, for nobody to see, with the publication's id as its description; publishing
sets description and privacy in one call. Whatever answer is lost, that description tells whose video it is.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import httpx
from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    OAuth,
    Options,
    PlatformLimits,
    Post,
    Published,
    Publisher,
    PublisherContext,
)
from video_manager.plugins.platform_http import RATE_LIMIT_SECONDS, Api, file_bytes, words
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.vimeo_tus import TusUpload

API = "https://api.vimeo.com"
ACCEPT = {"Accept": "application/vnd.vimeo.*+json;version=3.4"}
FIELDS = "uri,link,description,privacy.view,upload.status,upload.upload_link,transcode.status"
NOBODY = "nobody"
POLL_SECONDS = 10.0
QUOTA_SECONDS = 3600.0
"""Vimeo names no time; the quota is of a week, or somebody makes room."""
PAGE = 100
MOST_PAGES = 5
"""So far back, newest first, a video of ours is looked for that was made without our hearing of it."""


class VimeoOptions(Options):
    """The person's agreement is all there is."""


class VimeoPostOptions(Options):
    privacy: Literal["anybody", "unlisted", "disable"] = Field(
        "anybody",
        description="Who may watch it: everybody, who has the link (paid plans), or only where it is embedded.",
    )
    comments: Literal["anybody", "contacts", "nobody"] = Field("anybody", description="Who may comment.")
    download: bool = Field(False, description="Whether people may download it.")


class VimeoPublisher(Publisher[VimeoOptions]):
    name = "vimeo"
    title = "Vimeo"
    description = "Publishes on Vimeo."
    Options = VimeoOptions
    PostOptions = VimeoPostOptions
    limits = PlatformLimits(max_title_characters=128, max_description_characters=5000)
    oauth = OAuth(
        authorize_url=f"{API}/oauth/authorize", token_url=f"{API}/oauth/access_token",
        scopes=("public", "private", "edit", "upload", "delete"), needed=("private", "edit", "upload"),
        pkce=False,  # nothing of Vimeo's documents it
        token_endpoint_auth="client_secret_basic",  # noqa: S106 - the name of a method
    )  # fmt: skip
    keeps_hours = 72.0
    """As a video that nobody can see."""
    guide = "Make an app at developer.vimeo.com and request upload access for it; without it nothing can be uploaded."
    publish_timeout_seconds: ClassVar[float] = 60.0

    async def connect(self, options: VimeoOptions, context: PublisherContext) -> Account:
        me = await _vimeo(context).json("GET", f"{API}/me", headers=ACCEPT, params={"fields": "uri,name,link"})
        return Account(name=str(me["name"]), id=str(me["uri"]).rpartition("/")[2], url=me.get("link"))

    async def renew(self, token: Any, options: VimeoOptions, context: PublisherContext) -> Any:
        """Vimeo's tokens last until they are revoked."""
        raise ActionRequiredError("Vimeo does not take this channel's access any more: connect it again")

    async def check(self, post: Post, options: VimeoOptions, context: PublisherContext) -> tuple[Finding, ...]:
        return (*beyond(self.name, post, self.limits), *self._left_out(post))

    def _left_out(self, post: Post) -> Iterator[Finding]:
        if post.tags:
            yield fault(self.name, "tags_left_out", "tags are not sent to Vimeo", severity=Severity.WARNING)

    # ---- the way to being public ------------------------------------------------------------------------------

    async def upload(self, post: Post, options: VimeoOptions, context: PublisherContext) -> Handle:
        handle = dict(context.earlier or {})
        if handle:
            await context.save_handle(handle)
        api = _vimeo(context)
        is_complete = False
        while not is_complete:
            begun = handle or await self._found(post, api)
            handle = begun or await self._made(post, api)
            await context.save_handle(handle)
            is_complete = await self._send(post, handle, context, begun=bool(begun)) or await self._has_all(handle, api)
            if not is_complete:
                await api.call("DELETE", f"{API}{handle['uri']}", headers=ACCEPT, ok={200, 204, 404})
                handle = {}
        await self._transcoded(handle["uri"], api, context)
        await self._dress(post, handle, api, context)
        return handle

    async def _send(self, post: Post, handle: Handle, context: PublisherContext, *, begun: bool) -> bool:
        """False: the upload's address does not exist any more."""
        if not handle["link"]:
            return False
        return await TusUpload(handle["link"], post.video, post.video_bytes, context, self.title).send(begun=begun)

    async def _made(self, post: Post, api: Api) -> dict[str, Any]:
        body = {
            "upload": {"approach": "tus", "size": str(post.video_bytes)}, "name": post.title,
            "description": marker_of(post), "privacy": {"view": NOBODY},
        }  # fmt: skip
        made = await api.json("POST", f"{API}/me/videos", headers=ACCEPT, json=body, params={"fields": FIELDS})
        return {"uri": made["uri"], "link": made["upload"]["upload_link"]}

    async def _found(self, post: Post, api: Api) -> dict[str, Any] | None:
        """One of this publication that was made without our hearing of it, or whose handle is gone."""
        for page in range(1, MOST_PAGES + 1):
            window = {"sort": "date", "direction": "desc", "per_page": PAGE, "page": page, "fields": FIELDS}
            videos = (await api.json("GET", f"{API}/me/videos", headers=ACCEPT, params=window))["data"]
            for video in videos:
                if video.get("description") == marker_of(post):
                    return {"uri": video["uri"], "link": (video.get("upload") or {}).get("upload_link") or ""}
            if len(videos) < PAGE:
                break
        return None

    async def _has_all(self, handle: Handle, api: Api) -> bool:
        video = await _video(handle["uri"], api)
        return video is not None and (video.get("upload") or {}).get("status") == "complete"

    async def _transcoded(self, uri: str, api: Api, context: PublisherContext) -> None:
        while True:
            video = await _video(uri, api)
            if video is None:
                raise RetryableError("Vimeo does not know the uploaded video any more: it is uploaded again")
            if "error" in (video["upload"]["status"], video["transcode"]["status"]):
                raise PermanentError("Vimeo could not process the video")
            if video["transcode"]["status"] == "complete":
                return
            context.progress(0.95, "Vimeo processes the video")
            await context.sleep(POLL_SECONDS)

    async def _dress(self, post: Post, handle: dict[str, Any], api: Api, context: PublisherContext) -> None:
        """Thumbnail and captions, each once: what has been done is written down."""
        video = f"{API}{handle['uri']}"
        if post.thumbnail is not None and not handle.get("picture"):
            picture = await api.json("POST", f"{video}/pictures", headers=ACCEPT)
            content = await asyncio.to_thread(post.thumbnail.read_bytes)
            await api.call("PUT", picture["link"], signed=False, headers={**ACCEPT, "Content-Type": "image/jpeg"},
                           content=content)  # fmt: skip
            await api.call("PATCH", f"{API}{picture['uri']}", headers=ACCEPT, json={"active": True})
            handle["picture"] = True
            await context.save_handle(handle)
        if post.captions is not None and not handle.get("captions"):
            track = {"type": "captions", "language": post.language, "name": post.captions.name, "active": True}
            made = await api.json("POST", f"{video}/texttracks", headers=ACCEPT, json=track)
            length = {"Content-Length": str(post.captions.stat().st_size)}
            await api.call("PUT", made["link"], signed=False, headers={**ACCEPT, **length},
                           stream=file_bytes(post.captions))  # fmt: skip
            handle["captions"] = True
            await context.save_handle(handle)

    async def publish(self, post: Post, handle: Handle, options: VimeoOptions, context: PublisherContext) -> Published:
        chosen = VimeoPostOptions.model_validate(post.extra)
        body = {
            "name": post.title, "description": post.description,
            "privacy": {"view": chosen.privacy, "comments": chosen.comments, "download": chosen.download},
        }  # fmt: skip
        changed = await _vimeo(context).json(
            "PATCH", f"{API}{handle['uri']}", headers=ACCEPT, json=body, params={"fields": FIELDS}, publishes=True
        )
        asked = _answer(changed, post)
        if asked.published is None:
            raise RetryableError(asked.detail)
        return asked.published

    async def ask(self, post: Post, handle: Handle, options: VimeoOptions, context: PublisherContext) -> Asked:
        video = await _video(handle["uri"], _vimeo(context))
        return Asked(Answer.ABSENT, detail="Vimeo has no such video") if video is None else _answer(video, post)

    async def delete(self, external_id: str, options: VimeoOptions, context: PublisherContext) -> None:
        await _vimeo(context).call("DELETE", f"{API}/videos/{external_id}", headers=ACCEPT, ok={200, 204, 404})


def marker_of(post: Post) -> str:
    """The description until the video is published."""
    return f"video-manager {post.publication_id}"


def _vimeo(context: PublisherContext) -> Api:
    def fault_of(answer: httpx.Response) -> WorkError | None:
        return _fault(answer, context.now().timestamp())

    return Api(context, "Vimeo", fault_of)


async def _video(uri: str, api: Api) -> dict[str, Any] | None:
    answer = await api.call("GET", f"{API}{uri}", headers=ACCEPT, params={"fields": FIELDS}, ok={200, 404})
    return answer.json() if answer.status_code == 200 else None


def _answer(video: Mapping[str, Any], post: Post) -> Asked:
    view = video["privacy"]["view"]
    if view == NOBODY and video.get("description") == marker_of(post):
        return Asked(Answer.ABSENT, detail="Vimeo still shows the video to nobody")
    wanted = VimeoPostOptions.model_validate(post.extra).privacy
    warning = None if view == wanted else f"Vimeo shows it to {str(view)[:100]} instead of {wanted}"
    return Asked(Answer.PUBLISHED, Published(video["uri"].rpartition("/")[2], video.get("link"), warning))


def _fault(answer: httpx.Response, now: float) -> WorkError | None:
    text = f"Vimeo answered {answer.status_code}: {words(answer)}"
    if answer.status_code == 429:
        reset = answer.headers.get("X-RateLimit-Reset", "")
        wait = float(reset) - now if reset.isdigit() else RATE_LIMIT_SECONDS
        return LimitReached(text, min(max(wait, 1.0), QUOTA_SECONDS))
    if answer.status_code == 403 and "quota" in text.lower():
        return LimitReached(text, QUOTA_SECONDS)
    if answer.status_code == 403:
        return ActionRequiredError(f"{text}; look whether the app has upload access and the account may do this")
    return None
