"""X (formerly Twitter), through its API v2.

The video is uploaded and processed first; one call then posts it. X knows no mark that would make that call repeatable,
so a lost answer is looked up in the account's own posts by the key of the video, which is in no other post.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.errors import ActionRequiredError, NotPublished, PermanentError, RetryableError, WorkError
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
from video_manager.plugins.publishers.x_api import Duplicate, MediaGone, XApi
from video_manager.plugins.publishers.x_text import core_of, has_link, weight_of
from video_manager.plugins.publishers.x_video import begun, resumed, send, send_captions

TYPES = frozenset({"video/mp4", "video/quicktime", "video/webm"})
TEXT_WEIGHT, PREMIUM_TEXT_WEIGHT = 280, 4000
COMMON = PlatformLimits(
    min_duration_seconds=0.5, max_duration_seconds=20 * 60, max_size_bytes=8 * 10**9, min_aspect=1 / 3, max_aspect=3
)
PREMIUM = COMMON.model_copy(update={"max_duration_seconds": 125 * 60, "max_size_bytes": 16 * 10**9})
FASTEST_FRAME_RATE = 60
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
        handle = resumed(context)
        resumes = bool(handle)
        if not resumes:
            handle = await begun(x, post, context)
        await context.save_handle(handle)
        try:
            await send(x, post, handle, context)
        except (PermanentError, MediaGone):
            if not resumes:
                raise
            # What was there of the earlier attempt is not taken any more: from the start, once.
            handle = await begun(x, post, context)
            await context.save_handle(handle)
            await send(x, post, handle, context)
        if post.captions is not None and not handle["captions"]:
            handle |= {"captions": True, "warning": await send_captions(x, post, handle)}
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
                await _judge_duplicate(post, refused.cause, context)
            raise
        if not made.get("id"):
            raise RetryableError("X answered without the post's id")
        return _published(str(made["id"]), handle, context)

    async def ask(self, post: Post, handle: Handle, options: XOptions, context: PublisherContext) -> Asked:
        text, same_text = core_of(text_of(post)), ""
        since = datetime.fromisoformat(handle["since"]) - LOOK_BACK
        async for tweet in _own_posts(XApi(context), context, since):
            if tweet is None:
                return Asked(Answer.UNKNOWN, detail="the account has posted so much that X does not show it all")
            if handle["media_key"] in (tweet.get("attachments") or {}).get("media_keys", []):
                return Asked(Answer.PUBLISHED, _published(str(tweet["id"]), handle, context))
            if _core(tweet) == text and tweet.get("attachments"):
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


# ---- the post -------------------------------------------------------------------------------------------


def _published(id: str, handle: Handle, context: PublisherContext) -> Published:
    warnings = (handle["warning"], _PROTECTED if context.account.get("protected") else None)
    url = f"https://x.com/{context.account.get('username') or 'i'}/status/{id}"
    return Published(id, url, "; ".join(one for one in warnings if one) or None)


async def _judge_duplicate(post: Post, refused: Duplicate, context: PublisherContext) -> None:
    """X has this text already. Where an old post has it, that is final; else it may be the post of an earlier call
    that is not listed yet. Raises RetryableError then: it is looked up, and never taken for certain."""
    text, before = core_of(text_of(post)), context.now() - LOOK_BACK
    try:
        async for tweet in _own_posts(XApi(context), context, None, pages=1):
            if tweet is None or _core(tweet) != text:
                continue
            if datetime.fromisoformat(str(tweet["created_at"])) < before:
                return
    except WorkError as error:
        raise RetryableError(f"{refused.detail}; looking for it: {error.detail}") from refused
    raise RetryableError(f"{refused.detail}; unless it is this post, made by an earlier call") from refused


def _core(tweet: Mapping[str, Any]) -> str:
    return core_of(str((tweet.get("note_tweet") or {}).get("text") or tweet.get("text", "")))


async def _own_posts(
    x: XApi, context: PublisherContext, since: datetime | None, pages: int = PAGES
) -> AsyncIterator[dict[str, Any] | None]:
    """The account's posts, the newest first; None at the end: there are more."""
    question = {
        "max_results": "100", "tweet.fields": "attachments,created_at,note_tweet,text",
    }  # fmt: skip
    if since is not None:
        question["start_time"] = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for _ in range(pages):
        page = await x.body("GET", f"/2/users/{context.account['id']}/tweets", params=question)
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
