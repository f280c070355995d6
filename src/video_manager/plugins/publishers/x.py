"""X (formerly Twitter), through its API v2.

The video is uploaded and processed first; one call then posts it. X knows no mark that would make that call repeatable,
so a lost answer is looked up in the account's own posts by the key of the video, which is in no other post.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.errors import ActionRequiredError, NotPublished, PermanentError, RetryableError
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
    Quota,
)
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.x_api import Duplicate, MediaGone, XApi, segments_of
from video_manager.plugins.publishers.x_text import core_of, has_link, weight_of

TYPES = frozenset({"video/mp4", "video/quicktime", "video/webm"})
CAPTION_TYPES = {".vtt": "text/vtt", ".srt": "text/srt"}
TEXT_WEIGHT, PREMIUM_TEXT_WEIGHT = 280, 4000
COMMON = PlatformLimits(
    min_duration_seconds=0.5, max_duration_seconds=20 * 60, max_size_bytes=8 * 10**9, min_aspect=1 / 3, max_aspect=3
)
PREMIUM = COMMON.model_copy(update={"max_duration_seconds": 125 * 60, "max_size_bytes": 16 * 10**9})
FASTEST_FRAME_RATE = 60
SPARE_SECONDS = 900.0
"""A medium that has less left is not gone on with."""
POLL_SECONDS = 5.0
LOOK_BACK = timedelta(hours=6)
"""Posts that are older than the upload by more than this are none of this publication."""
PAGES = 5

POSTS, ALL_POSTS = "posts in 15 minutes", "posts of all channels a day"


class XOptions(Options):
    premium: bool = Field(
        False, description="The account has X Premium: videos up to 125 minutes and 16 GB, and longer texts."
    )


class XPostOptions(Options):
    reply_settings: Literal["everyone", "following", "mentionedUsers", "subscribers", "verified"] = Field(
        "everyone", description="Who may reply."
    )
    made_with_ai: bool = Field(False, description="Say that it was made with AI.")
    paid_partnership: bool = Field(False, description="Say that it is a paid promotion.")
    hashtags: bool = Field(False, description="Add the tags as hashtags; they count as text.")


class XPublisher(Publisher[XOptions]):
    name = "x"
    title = "X"
    description = "Posts to an account on X."
    Options = XOptions
    PostOptions = XPostOptions
    limits = COMMON
    oauth = OAuth(
        authorize_url="https://x.com/i/oauth2/authorize",
        token_url="https://api.x.com/2/oauth2/token",  # noqa: S106 - an address
        scopes=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
        needed=("tweet.read", "tweet.write", "users.read", "media.write", "offline.access"),
        token_endpoint_auth="client_secret_basic",  # noqa: S106 - the name of a method
    )  # fmt: skip
    quotas = (
        Quota(POSTS, 100, timedelta(minutes=15)),
        Quota(ALL_POSTS, 10_000, timedelta(days=1), per_channel=False),
    )  # fmt: skip
    guide = (
        "Register an app (Web App, read and write) at console.x.com and buy credits: X charges per call. A post costs "
        "$0.015, one with a link $0.200; looking up a lost answer $0.001 for each of the account's latest posts."
    )
    keeps_hours: ClassVar[float] = 24.0
    publish_timeout_seconds: ClassVar[float] = 90.0

    async def connect(self, options: XOptions, context: PublisherContext) -> Account:
        me = await XApi(context).data("GET", "/2/users/me", params={"user.fields": "id,name,username,protected"})
        username = str(me["username"])
        return Account(
            name=f"{me.get('name') or username} (@{username})", url=f"https://x.com/{username}", id=str(me["id"]),
            facts={"username": username, "protected": bool(me.get("protected"))},
        )  # fmt: skip

    async def check(self, post: Post, options: XOptions, context: PublisherContext) -> tuple[Finding, ...]:
        return tuple(_findings(self.name, post, options, context.account))

    async def upload(self, post: Post, options: XOptions, context: PublisherContext) -> Handle:
        x = XApi(context)
        handle = _resumed(context)
        resumes = bool(handle)
        if not resumes:
            handle = await _begun(x, post, context)
        await context.save_handle(handle)
        try:
            await _send(x, post, handle, context)
        except (PermanentError, MediaGone):
            if not resumes:
                raise
            # What was there of the earlier attempt is not taken any more: from the start, once.
            handle = await _begun(x, post, context)
            await context.save_handle(handle)
            await _send(x, post, handle, context)
        if post.captions is not None and not handle["captions"]:
            handle |= {"captions": True, "warning": await _send_captions(x, post, handle)}
            await context.save_handle(handle)
        for quota in (POSTS, ALL_POSTS):
            await context.spend(quota)
        return handle

    async def publish(self, post: Post, handle: Handle, options: XOptions, context: PublisherContext) -> Published:
        chosen = XPostOptions.model_validate(post.extra)
        body: dict[str, Any] = {"text": text_of(post), "media": {"media_ids": [handle["media_id"]]}}
        if chosen.reply_settings != "everyone":
            body["reply_settings"] = chosen.reply_settings
        body |= {name: True for name in ("made_with_ai", "paid_partnership") if getattr(chosen, name)}
        try:
            made = await XApi(context).data("POST", "/2/tweets", json=body, publishes=True)
        except NotPublished as refused:
            if isinstance(refused.cause, Duplicate):
                # Perhaps of an earlier call whose post was not to be seen yet: only looking tells.
                raise refused.cause from refused
            raise
        if not made.get("id"):
            raise RetryableError("X answered without the post's id")
        return _published(str(made["id"]), handle, context)

    async def ask(self, post: Post, handle: Handle, options: XOptions, context: PublisherContext) -> Asked:
        text, same_text = core_of(text_of(post)), ""
        async for tweet in _own_posts(XApi(context), handle, str(context.account["id"])):
            if tweet is None:
                return Asked(Answer.UNKNOWN, detail="the account has posted so much that X does not show it all")
            if handle["media_key"] in (tweet.get("attachments") or {}).get("media_keys", []):
                return Asked(Answer.PUBLISHED, _published(str(tweet["id"]), handle, context))
            shown = str((tweet.get("note_tweet") or {}).get("text") or tweet.get("text", ""))
            if core_of(shown) == text and tweet.get("attachments"):
                same_text = str(tweet["id"])
        if same_text:
            url = _published(same_text, handle, context).url
            return Asked(Answer.UNKNOWN, detail=f"a post with this text and another upload is there: look at {url}")
        return Asked(Answer.ABSENT, detail="the account's posts do not have it")

    async def delete(self, external_id: str, options: XOptions, context: PublisherContext) -> None:
        await XApi(context).data("DELETE", f"/2/tweets/{external_id}")


def text_of(post: Post) -> str:
    """The title and the description; the tags where they are wanted."""
    wanted = XPostOptions.model_validate(post.extra).hashtags
    tags = " ".join("#" + "".join(part for part in tag if part.isalnum() or part == "_") for tag in post.tags)
    return "\n\n".join(part for part in (post.title, post.description, tags if wanted else "") if part)


_PROTECTED = "the account is protected: only its followers see the post"


def _findings(platform: str, post: Post, options: XOptions, account: Mapping[str, Any]) -> Iterator[Finding]:
    yield from beyond(platform, post, PREMIUM if options.premium else COMMON)
    text = text_of(post)
    weight, most = weight_of(text), PREMIUM_TEXT_WEIGHT if options.premium else TEXT_WEIGHT
    if weight > most:
        message = f"the text has {weight} characters as X counts them; {most} are allowed"
        yield fault(platform, "text_too_long", message, measured=weight, limit=most)
    if post.video_type not in TYPES:
        yield fault(platform, "wrong_type", f"the video is {post.video_type}; X takes MP4, MOV and WebM")
    if post.frame_rate is not None and _rate(post.frame_rate) > FASTEST_FRAME_RATE:
        message = f"it has {post.frame_rate} pictures a second; at most {FASTEST_FRAME_RATE} are allowed"
        yield fault(platform, "wrong_frame_rate", message, measured=_rate(post.frame_rate), limit=FASTEST_FRAME_RATE)
    if has_link(text):
        message = "the text has a link: X charges $0.200 for such a post instead of $0.015"
        yield fault(platform, "link_costs", message, severity=Severity.INFO)
    if account.get("protected"):
        yield fault(platform, "protected", _PROTECTED, severity=Severity.WARNING)


def _rate(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below or 1)


# ---- the video ------------------------------------------------------------------------------------------


async def _begun(x: XApi, post: Post, context: PublisherContext) -> dict[str, Any]:
    size = (await asyncio.to_thread(post.video.stat)).st_size
    now = context.now()
    medium = await x.initialize(size, post.video_type, "tweet_video")
    life = timedelta(seconds=float(medium.get("expires_after_secs") or 0))
    return {
        "media_id": str(medium["id"]), "media_key": str(medium.get("media_key") or f"7_{medium['id']}"),
        "since": now.isoformat(), "expires_at": (now + life).isoformat(), "size_bytes": size, "sent": 0,
        "finalized": False, "captions": False, "warning": None,
    }  # fmt: skip


def _resumed(context: PublisherContext) -> dict[str, Any]:
    """What the attempt before had uploaded; empty: nothing that could be gone on with."""
    handle = dict(context.earlier or {})
    if not handle:
        return {}
    left = (datetime.fromisoformat(handle["expires_at"]) - context.now()).total_seconds()
    return handle if left > SPARE_SECONDS else {}


async def _send(x: XApi, post: Post, handle: dict[str, Any], context: PublisherContext) -> None:
    """The segments that X does not have for certain, then its processing. A segment that is sent again replaces
    itself: it is named by its index."""
    count = segments_of(handle["size_bytes"])
    for index in range(handle["sent"], count):
        context.progress(index / count, "uploading")
        await x.append(handle["media_id"], index, post.video)
        handle["sent"] = index + 1
        await context.save_handle(handle)
    medium = await _finalized(x, handle)
    handle["finalized"] = True
    if medium.get("expires_after_secs"):
        handle["expires_at"] = (context.now() + timedelta(seconds=float(medium["expires_after_secs"]))).isoformat()
    await context.save_handle(handle)
    while (processing := medium.get("processing_info") or {}).get("state") in ("pending", "in_progress"):
        context.progress(1.0, "X is processing the video")
        await context.sleep(float(processing.get("check_after_secs") or POLL_SECONDS))
        medium = await x.status(handle["media_id"])
    if processing.get("state") == "failed":
        error = processing.get("error") or {}
        reason = str(error.get("message") or error.get("name") or "it named no reason")[:500]
        raise PermanentError(f"X could not process the video: {reason}")


async def _finalized(x: XApi, handle: Handle) -> dict[str, Any]:
    """Where the answer was lost, X refuses to finalize again, and tells the status instead."""
    if handle["finalized"]:
        return await x.status(handle["media_id"])
    try:
        return await x.finalize(handle["media_id"])
    except (PermanentError, MediaGone) as refused:
        try:
            return await x.status(handle["media_id"])
        except (PermanentError, MediaGone):
            raise refused from None


async def _send_captions(x: XApi, post: Post, handle: Handle) -> str | None:
    """Subtitles, which belong to the video before it is posted. What X says against them is a warning: the video goes
    without them."""
    file = post.captions or Path()
    kind = CAPTION_TYPES.get(file.suffix)
    if kind is None:
        return f"X takes no captions of the type {file.suffix}"
    try:
        medium = await x.initialize((await asyncio.to_thread(file.stat)).st_size, kind, "subtitles")
        await x.append(str(medium["id"]), 0, file)
        await x.finalize(str(medium["id"]))
        code = post.language.partition("-")[0].upper() or "EN"
        subtitles = {"id": str(medium["id"]), "display_name": post.language or "English", "language_code": code}
        body = {"id": handle["media_id"], "media_category": "TweetVideo", "subtitles": subtitles}
        await x.body("POST", "/2/media/subtitles", json=body)
    except PermanentError as error:
        return f"without captions: {error.detail}"
    return None


# ---- the post -------------------------------------------------------------------------------------------


def _published(id: str, handle: Handle, context: PublisherContext) -> Published:
    warnings = (handle["warning"], _PROTECTED if context.account.get("protected") else None)
    url = f"https://x.com/{context.account.get('username') or 'i'}/status/{id}"
    return Published(id, url, "; ".join(one for one in warnings if one) or None)


async def _own_posts(x: XApi, handle: Handle, account: str) -> AsyncIterator[dict[str, Any] | None]:
    """The account's posts since a while before the upload, the newest first; None at the end: there are more."""
    since = (datetime.fromisoformat(handle["since"]) - LOOK_BACK).astimezone(UTC)
    question = {
        "max_results": "100", "start_time": f"{since:%Y-%m-%dT%H:%M:%SZ}",
        "tweet.fields": "attachments,created_at,note_tweet,text",
    }  # fmt: skip
    for _ in range(PAGES):
        page = await x.body("GET", f"/2/users/{account}/tweets", params=question)
        problems = page.get("errors")
        if problems and not page.get("data"):
            raise ActionRequiredError(f"X does not show the account's posts: {str(problems)[:300]}")
        for tweet in page.get("data") or []:
            yield tweet
        following = (page.get("meta") or {}).get("next_token")
        if not following:
            return
        question["pagination_token"] = str(following)
    yield None
