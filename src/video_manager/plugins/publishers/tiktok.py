"""TikTok, through its Content Posting API.

TikTok posts by itself once all bytes are there. So the bytes but for the last chunk are sent before, and that chunk is
the call which publishes; its fate is known from the status of the `publish_id`.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import asyncio
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Any, ClassVar, Literal

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.errors import NotPublished, PermanentError, RetryableError
from video_manager.plugins.api import (
    Account,
    Asked,
    Handle,
    OAuth,
    Options,
    Pace,
    PlatformLimits,
    Post,
    Published,
    Publisher,
    PublisherContext,
    Quota,
)
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.tiktok_api import AddressGone, Chunks, TikTok, cut
from video_manager.plugins.publishers.tiktok_outcome import STATUS, answer_of, seen, status_of

TITLE_UNITS = 2200
"""UTF-16 units of the text of a post."""
TYPES = frozenset({"video/mp4", "video/quicktime", "video/webm"})
SIDES = (360, 4096)
FRAME_RATES = (23, 60)
ADDRESS_SECONDS = 3600.0
"""An upload address lives so long."""
SPARE_SECONDS = 300.0
"""An address that has less left is not gone on with, unless it is `ready`: only the last chunk is missing."""

CREATOR, POSTS = "questions about the creator a minute", "posts a minute"
MINUTE = timedelta(minutes=1)


class Privacy(StrEnum):
    PUBLIC_TO_EVERYONE = "PUBLIC_TO_EVERYONE"
    MUTUAL_FOLLOW_FRIENDS = "MUTUAL_FOLLOW_FRIENDS"
    FOLLOWER_OF_CREATOR = "FOLLOWER_OF_CREATOR"
    SELF_ONLY = "SELF_ONLY"


class TikTokOptions(Options):
    audited: bool = Field(
        False, description="TikTok has audited your app. Without that, only the account itself sees its posts."
    )
    mode: Literal["direct", "inbox"] = Field(
        "direct", description="`direct` posts; `inbox` puts a draft into the account's inbox, which a person finishes "
        "in TikTok's app (text and settings are entered there)."
    )  # fmt: skip


class TikTokPostOptions(Options):
    privacy: Privacy = Field(Privacy.PUBLIC_TO_EVERYONE, description="Who may see it, as far as the account allows it.")
    allow_comments: bool = Field(True, description="Let people comment.")
    allow_duet: bool = Field(True, description="Let people make duets with it.")
    allow_stitch: bool = Field(True, description="Let people take parts of it into their own videos.")
    made_with_ai: bool = Field(False, description="Say that it was made with AI.")
    paid_partnership: bool = Field(False, description="It advertises somebody else's brand, for money or favours.")
    own_brand: bool = Field(False, description="It advertises the creator's own business.")
    cover_seconds: float = Field(0.0, ge=0, le=600, description="The moment whose picture is the cover.")


class TikTokPublisher(Publisher[TikTokOptions]):
    name = "tiktok"
    title = "TikTok"
    description = "Posts to a TikTok account, or leaves drafts in its inbox."
    Options = TikTokOptions
    PostOptions = TikTokPostOptions
    limits = PlatformLimits(max_duration_seconds=600, max_size_bytes=4 * 10**9)
    pace = Pace(max_per_24_hours=15)  # of one account, by all apps together
    oauth = OAuth(
        authorize_url="https://www.tiktok.com/v2/auth/authorize/",
        token_url="https://open.tiktokapis.com/v2/oauth/token/",  # noqa: S106 - an address
        scopes=("user.info.basic", "video.publish", "video.upload", "video.list", "user.info.stats"),
        needed=("user.info.basic", "video.publish", "video.upload"),
        pkce=False, client_id_name="client_key", scope_separator=",",
    )  # fmt: skip
    quotas = (Quota(CREATOR, 20, MINUTE), Quota(POSTS, 6, MINUTE), Quota(STATUS, 30, MINUTE))
    guide = (
        "Register an app at developers.tiktok.com with Login Kit and the Content Posting API (Direct Post on). Until "
        "TikTok has audited it, at most 5 accounts a day can post, they must be private, and only they see the posts."
    )
    deletes = False
    keeps_hours: ClassVar[float] = ADDRESS_SECONDS / 3600
    publish_timeout_seconds: ClassVar[float] = 300.0
    """The last chunk, and looking what becomes of it, take no longer; then it is sent again, to the same address."""

    async def connect(self, options: TikTokOptions, context: PublisherContext) -> Account:
        tiktok = TikTok(context)
        user = (await tiktok.get("/v2/user/info/", fields="open_id,display_name")).get("user", {})
        facts: dict[str, Any] = {}
        name = str(user.get("display_name", ""))
        if options.mode == "direct":
            creator = await _creator(tiktok)
            facts = {
                "username": creator.get("creator_username"),
                "privacy": creator.get("privacy_level_options", []),
                "max_duration_seconds": creator.get("max_video_post_duration_sec"),
            }
            name = str(creator.get("creator_nickname") or name)
        username = facts.get("username")
        return Account(
            name=name, url=f"https://www.tiktok.com/@{username}" if username else None, id=str(user["open_id"]),
            facts=facts,
        )  # fmt: skip

    async def check(self, post: Post, options: TikTokOptions, context: PublisherContext) -> tuple[Finding, ...]:
        found = [*beyond(self.name, post, self.limits), *_picture_faults(self.name, post)]
        units = _units(caption_of(post))
        if options.mode == "direct" and units > TITLE_UNITS:
            text = f"title, description and tags have {units} characters; {TITLE_UNITS} are allowed"
            found.append(fault(self.name, "text_too_long", text, measured=units, limit=TITLE_UNITS))
        most = context.account.get("max_duration_seconds")
        if most and post.duration_seconds > most:
            text = f"when it was connected, this account could post {most} s; TikTok is asked again before posting"
            found.append(
                fault(
                    self.name, "too_long_for_account", text, measured=post.duration_seconds, limit=most, unit="s",
                    severity=Severity.WARNING,
                )
            )  # fmt: skip
        if options.mode == "direct" and not options.audited:
            found.append(fault(self.name, "only_for_oneself", _UNAUDITED, severity=Severity.WARNING))
        return tuple(found)

    async def upload(self, post: Post, options: TikTokOptions, context: PublisherContext) -> Handle:
        tiktok = TikTok(context)
        handle, done = await _resumed(tiktok, options, context)
        resumes = bool(handle)
        if not resumes:
            handle = await _begun(tiktok, post, options, context)
        await context.save_handle(handle)
        try:
            await _send(tiktok, post, handle, done, context)
        except AddressGone:
            if not resumes:
                raise
            handle = await _begun(tiktok, post, options, context)
            await context.save_handle(handle)
            await _send(tiktok, post, handle, 0, context)
        return {**handle, "ready": True}

    async def publish(self, post: Post, handle: Handle, options: TikTokOptions, context: PublisherContext) -> Published:
        tiktok, chunks = TikTok(context), _chunks(handle)
        try:
            if not handle.get("arrived"):
                await tiktok.send(
                    handle["upload_url"], chunks, chunks.count - 1, post.video, post.video_type, publishes=True
                )
        except NotPublished as refused:
            if not isinstance(refused.cause, AddressGone):
                raise
            # The address takes it once: perhaps an earlier try had sent it after all, or it is still on its way.
            if answer_of(await status_of(tiktok, handle), handle).still_uploaded:
                if (context.earlier or {}).get("publish_id") == handle["publish_id"]:
                    raise RetryableError(refused.detail) from refused
                raise
        return await seen(tiktok, handle, context)

    async def ask(self, post: Post, handle: Handle, options: TikTokOptions, context: PublisherContext) -> Asked:
        return answer_of(await status_of(TikTok(context), handle), handle)

    async def delete(self, external_id: str, options: TikTokOptions, context: PublisherContext) -> None:
        raise PermanentError("TikTok lets no other program delete a post: delete it in TikTok's app")


_UNAUDITED = "TikTok has not audited your app: only the account itself will see the post"
_DRAFT = "it is a draft in the account's inbox: finish it in TikTok's app"


def caption_of(post: Post) -> str:
    """The title, the description, and the tags as hashtags."""
    tags = " ".join("#" + "".join(part for part in tag if part.isalnum() or part == "_") for tag in post.tags)
    return "\n\n".join(part for part in (post.title, post.description, tags) if part)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _picture_faults(platform: str, post: Post) -> list[Finding]:
    found = []
    if post.video_type not in TYPES:
        found.append(fault(platform, "wrong_type", f"the video is {post.video_type}; TikTok takes MP4, MOV and WebM"))
    for side in (post.width, post.height):
        if side and not SIDES[0] <= side <= SIDES[1]:
            text = f"the picture is {post.width} x {post.height}; each side needs {SIDES[0]} to {SIDES[1]} pixels"
            found.append(fault(platform, "wrong_picture_size", text, measured=side, unit="px"))
            break
    rate = Fraction(post.frame_rate) if post.frame_rate else None
    if rate is not None and not FRAME_RATES[0] <= rate <= FRAME_RATES[1]:
        text = f"it has {float(rate):.2f} pictures a second; TikTok takes {FRAME_RATES[0]} to {FRAME_RATES[1]}"
        found.append(fault(platform, "wrong_frame_rate", text, measured=float(rate), unit="fps"))
    return found


# ---- before the last chunk ------------------------------------------------------------------------------


async def _creator(tiktok: TikTok) -> dict[str, Any]:
    return await tiktok.post("/v2/post/publish/creator_info/query/", {}, CREATOR)


async def _begun(tiktok: TikTok, post: Post, options: TikTokOptions, context: PublisherContext) -> dict[str, Any]:
    """A new upload. Nothing comes of it before the last chunk is there."""
    chunks = cut((await asyncio.to_thread(post.video.stat)).st_size)
    source = {
        "source": "FILE_UPLOAD", "video_size": chunks.size_bytes, "chunk_size": chunks.chunk_bytes,
        "total_chunk_count": chunks.count,
    }  # fmt: skip
    handle: dict[str, Any] = {"mode": options.mode, "public": False, "username": None, "warning": None}
    context.progress(0.0, "beginning")
    if options.mode == "inbox":
        path, body = "/v2/post/publish/inbox/video/init/", {"source_info": source}
        handle["warning"] = _DRAFT
    else:
        creator = await _creator(tiktok)
        info = _post_info(post, options, creator)
        path, body = "/v2/post/publish/video/init/", {"post_info": info, "source_info": source}
        handle |= {
            "public": info["privacy_level"] == Privacy.PUBLIC_TO_EVERYONE, "username": creator.get("creator_username"),
            "warning": None if options.audited else _UNAUDITED,
        }  # fmt: skip
    begun_at = context.now()
    data = await tiktok.post(path, body, POSTS)
    return {
        **handle, "publish_id": str(data["publish_id"]), "upload_url": str(data["upload_url"]),
        "expires_at": (begun_at + timedelta(seconds=ADDRESS_SECONDS)).isoformat(),
        "size_bytes": chunks.size_bytes, "chunk_bytes": chunks.chunk_bytes, "chunks": chunks.count,
    }  # fmt: skip


def _post_info(post: Post, options: TikTokOptions, creator: dict[str, Any]) -> dict[str, Any]:
    """Raises PermanentError where the account allows less than was chosen: it is asked before each post."""
    chosen = TikTokPostOptions.model_validate(post.extra)
    privacy = chosen.privacy if options.audited else Privacy.SELF_ONLY
    allowed = [str(one) for one in creator.get("privacy_level_options", [])]
    if privacy not in allowed:
        raise PermanentError(f"this TikTok account does not allow the privacy {privacy}; it has {', '.join(allowed)}")
    most = creator.get("max_video_post_duration_sec")
    if most and post.duration_seconds > most:
        raise PermanentError(f"this TikTok account may post {most} s; the video lasts {post.duration_seconds:.1f} s")
    return {
        "title": caption_of(post), "privacy_level": str(privacy),
        "disable_comment": not chosen.allow_comments or bool(creator.get("comment_disabled")),
        "disable_duet": not chosen.allow_duet or bool(creator.get("duet_disabled")),
        "disable_stitch": not chosen.allow_stitch or bool(creator.get("stitch_disabled")),
        "video_cover_timestamp_ms": round(chosen.cover_seconds * 1000), "is_aigc": chosen.made_with_ai,
        "brand_content_toggle": chosen.paid_partnership, "brand_organic_toggle": chosen.own_brand,
    }  # fmt: skip


async def _resumed(
    tiktok: TikTok, options: TikTokOptions, context: PublisherContext
) -> tuple[dict[str, Any], int]:  # fmt: skip
    """The upload of the attempt before, and how many of its chunks TikTok has; empty: a new one has to begin. Of one
    that was `ready` the last chunk may have been sent: no other is begun while its address lives, so that there is one
    post at most. (Of a draft and a post in two modes, only one is public.)"""
    handle = dict(context.earlier or {})
    if not handle:
        return {}, 0
    try:
        status = await status_of(tiktok, handle)
    except PermanentError:  # TikTok knows nothing of it any more
        status = {"status": "FAILED"}
    state, arrived = status.get("status"), int(status.get("uploaded_bytes") or 0)
    if state == "FAILED":
        return {}, 0
    if state != "PROCESSING_UPLOAD" or arrived >= handle["size_bytes"]:
        return {**handle, "arrived": True}, handle["chunks"]  # a last chunk that was believed to be lost has come
    left = (datetime.fromisoformat(handle["expires_at"]) - context.now()).total_seconds()
    if left <= 0 or handle["mode"] != options.mode:
        return {}, 0
    if handle.get("ready"):
        return handle, handle["chunks"] - 1
    done, rest = divmod(arrived, handle["chunk_bytes"])
    is_good = not rest and done < handle["chunks"] and left >= SPARE_SECONDS
    return (handle, done) if is_good else ({}, 0)


async def _send(tiktok: TikTok, post: Post, handle: Handle, done: int, context: PublisherContext) -> None:
    chunks = _chunks(handle)
    for index in range(done, chunks.count - 1):
        start = chunks.range(index)[0]

        def sent(size_bytes: int, start: int = start) -> None:
            context.progress((start + size_bytes) / chunks.size_bytes, "uploading")

        await tiktok.send(handle["upload_url"], chunks, index, post.video, post.video_type, sent=sent)


def _chunks(handle: Handle) -> Chunks:
    return Chunks(handle["size_bytes"], handle["chunk_bytes"], handle["chunks"])
