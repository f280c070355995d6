"""Mastodon, and servers that speak its API: people sign in at their server, or enter an access token made there.

The post carries an idempotency key made from the publication, so that within an hour the same one is made only once,
and it is found again by the id of its video. A server can also be given the time (see mastodon_schedule.py).
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from video_manager.domain.video import Finding
from video_manager.errors import ActionRequiredError, NotPublished, PermanentError, RetryableError, StillUploaded
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
    PublisherContext,
    Quota,
    SchedulingPublisher,
    SignInServer,
    secret,
)
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.mastodon_api import USUAL, Mastodon, characters, facts_of, read
from video_manager.plugins.publishers.mastodon_schedule import Schedule, time_of
from video_manager.plugins.publishers.mastodon_server import OAUTH, MastodonServer, completed, oauth_of

_POLL_SECONDS = 2.0
_MOST_POLLS = 900
_MOST_PAGES = 5
_PAGE = 40
_SETTLING_SECONDS = 5.0
"""So long a post may be in neither list: the server takes it out of its schedule, then makes it."""
_NEEDED = ("write:media", "write:statuses", "read:statuses")


class MastodonOptions(Options):
    server: str = Field(
        description="The address of your server, such as https://mastodon.social.", max_length=500,
        pattern=r"^https://[^/?#\s@]+/?$",
    )  # fmt: skip
    access_token: str | None = secret(
        "Leave it empty to sign in. Else the access token of an application that you make on your server under "
        "Preferences > Development.",
        default=None, min_length=8, max_length=500,
    )  # fmt: skip

    @field_validator("server", mode="before")
    @classmethod
    def _is_address(cls, server: Any) -> Any:
        """People write the name alone, too."""
        return server if not isinstance(server, str) else completed(server)


class MastodonPostOptions(Options):
    visibility: Literal["public", "unlisted", "private", "direct"] = Field(
        "public", description="Who sees it: everybody, everybody but not in timelines, followers, or those named."
    )
    spoiler_text: str = Field("", max_length=500, description="A warning that is shown in place of the post.")
    language: str = Field(
        "", max_length=10, pattern=r"^([a-z]{2,3}(-[A-Za-z]{2,4})?)?$",
        description="The language of the text (ISO 639, such as en); empty: that of the video.",
    )  # fmt: skip
    sensitive: bool = Field(False, description="Hide the video behind a warning.")
    alt_text: str = Field(
        "", max_length=1500, description="What the video shows, for people who cannot see it; empty: the title."
    )


class MastodonPublisher(SchedulingPublisher[MastodonOptions]):
    name = "mastodon"
    title = "Mastodon"
    description = "Posts to an account of any Mastodon instance."
    Options = MastodonOptions
    PostOptions = MastodonPostOptions
    limits = PlatformLimits()
    quotas = (
        Quota("video uploads", 30, timedelta(minutes=30)),
        Quota("posts", 300, timedelta(hours=3)),
    )
    oauth = OAUTH
    registers_apps = True
    token_option = "access_token"  # noqa: S105 - the name of an option
    guide = (
        "Nothing is to be registered: enter your server's address and sign in there. Where a server does not let apps "
        "register by themselves, make an application (Preferences > Development > New application) with the scopes "
        "read:accounts (or profile), read:statuses, write:media and write:statuses, and enter its access token. No "
        "review is needed."
    )
    publish_timeout_seconds: ClassVar[float] = 60.0
    least_ahead: ClassVar[timedelta] = timedelta(minutes=15)
    """A time that is less than five minutes ahead by the server's clock is refused, and by servers before 4.3 the post
    was made at once: the rest is for clocks that differ."""

    def oauth_at(self, options: MastodonOptions) -> OAuth:
        return oauth_of(options.server)

    def sign_in_server(self, options: MastodonOptions, context: PublisherContext) -> SignInServer:
        return MastodonServer(options.server, context)

    async def connect(self, options: MastodonOptions, context: PublisherContext) -> Account:
        mastodon = _mastodon(options, context)
        me = await mastodon.json("GET", "/api/v1/accounts/verify_credentials")
        app = await mastodon.json("GET", "/api/v1/apps/verify_credentials")
        missing = _missing(app.get("scopes"))
        if missing:
            raise ActionRequiredError(
                f"the access token lacks {', '.join(missing)}: give its application these scopes, then make the token "
                "anew and enter it"
            )
        instance = await mastodon.json("GET", "/api/v2/instance")
        name = f"@{me['acct']}@{instance.get('domain', '')}"
        return Account(name=name[:200], url=str(me["url"])[:500], id=str(me["id"]), facts=facts_of(instance))

    async def check(self, post: Post, options: MastodonOptions, context: PublisherContext) -> tuple[Finding, ...]:
        facts = {**USUAL, **context.account}
        limits = PlatformLimits(max_size_bytes=facts["video_bytes"])
        return (*beyond(self.name, post, limits), *_faults(self.name, post, facts))

    async def upload(self, post: Post, options: MastodonOptions, context: PublisherContext) -> Handle:
        mastodon = _mastodon(options, context)
        media = str((context.earlier or {}).get("media_id", ""))
        # Not that of the attempt before: within an hour a server takes it for the post that was taken back.
        key = f"video-manager-{secrets.token_hex(16)}"
        if not media or not await _ready(mastodon, media, context):
            await context.spend("video uploads")
            context.progress(0.1, "uploading")
            media = await _send(mastodon, post, {**USUAL, **context.account})
            await context.save_handle({"media_id": media, "key": key})
            if not await _ready(mastodon, media, context):
                raise RetryableError("Mastodon does not know the video that it has just taken")
        await context.spend("posts")
        context.progress(0.95, "uploaded")
        return {"media_id": media, "key": key}

    async def publish(
        self, post: Post, handle: Handle, options: MastodonOptions, context: PublisherContext
    ) -> Published:
        chosen, status = MastodonPostOptions.model_validate(post.extra), _status_of(post, handle)
        mastodon = _mastodon(options, context)
        key = {"Idempotency-Key": f"video-manager-{post.publication_id}"}
        try:
            made = read(await mastodon.call("POST", "/api/v1/statuses", json=status, headers=key, publishes=True))
        except NotPublished as refused:
            if isinstance(refused.cause, PermanentError) and await _is_processing(mastodon, handle["media_id"]):
                raise NotPublished(StillUploaded(refused.cause.detail)) from refused
            raise
        return _published(made, chosen.visibility)

    async def ask(self, post: Post, handle: Handle, options: MastodonOptions, context: PublisherContext) -> Asked:
        mastodon = _mastodon(options, context)
        media = str(handle.get("media_id", ""))
        account = str(context.account["id"])
        found = await _status_with(mastodon, account, media)
        if found is None:
            planned = await Schedule(mastodon, media).planned()
            if planned:
                return Asked(Answer.PENDING, detail=f"Mastodon posts it at {time_of(planned[0])}")
            await context.sleep(_SETTLING_SECONDS)
            found = await _status_with(mastodon, account, media)
        if found is not None:
            chosen = MastodonPostOptions.model_validate(post.extra)
            return Asked(Answer.PUBLISHED, _published(found, chosen.visibility))
        try:
            await mastodon.call("GET", f"/api/v1/media/{media}", ok={200, 206})
        except PermanentError:
            # It belongs to a post, or was thrown away as one that belonged to none: the two look the same.
            text = "none of the account's last posts has the video, and yet it does not wait for one any more"
            return Asked(Answer.UNKNOWN, detail=text)
        return Asked(Answer.ABSENT)

    async def hand_over(
        self, post: Post, handle: Handle, at: datetime, options: MastodonOptions, context: PublisherContext
    ) -> None:
        schedule = Schedule(_mastodon(options, context), str(handle["media_id"]))
        await schedule.give(_status_of(post, handle), str(handle["key"]), at)

    async def recall(self, post: Post, handle: Handle, options: MastodonOptions, context: PublisherContext) -> Asked:
        schedule = Schedule(_mastodon(options, context), str(handle["media_id"]))
        if await schedule.take_back(context.now()):
            return Asked(Answer.ABSENT, detail="Mastodon has the video, without a post and without a time")
        return await self.ask(post, handle, options, context)

    async def delete(self, external_id: str, options: MastodonOptions, context: PublisherContext) -> None:
        await _mastodon(options, context).call("DELETE", f"/api/v1/statuses/{external_id}", ok={200, 404})


def text_of(post: Post) -> str:
    """The title, the description, and the tags as hashtags."""
    tags = ("".join(part for part in tag if part.isalnum() or part == "_") for tag in post.tags)
    hashtags = " ".join(f"#{tag}" for tag in tags if tag)
    return "\n\n".join(part.strip() for part in (post.title, post.description, hashtags) if part.strip())


def _status_of(post: Post, handle: Handle) -> dict[str, Any]:
    chosen = MastodonPostOptions.model_validate(post.extra)
    status = {
        "status": text_of(post), "media_ids": [handle["media_id"]], "visibility": chosen.visibility,
        "sensitive": chosen.sensitive, "language": chosen.language or post.language,
    }  # fmt: skip
    return {**status, "spoiler_text": chosen.spoiler_text} if chosen.spoiler_text else status


def _mastodon(options: MastodonOptions, context: PublisherContext) -> Mastodon:
    return Mastodon(options.server, options.access_token, context)


def _missing(granted: Any) -> list[str]:
    """The needed scopes that are not among those; a wide one (`write`) has its narrow ones in it. Servers before 4.3
    do not say what was granted."""
    if not isinstance(granted, list):
        return []
    return [scope for scope in _NEEDED if not {scope, scope.partition(":")[0]} & {str(one) for one in granted}]


async def _send(mastodon: Mastodon, post: Post, facts: Mapping[str, Any]) -> str:
    """The video, and its thumbnail with it; the id under which it is known."""
    chosen = MastodonPostOptions.model_validate(post.extra)
    alt_text = (chosen.alt_text or post.title)[: facts["description_characters"]]
    with ExitStack() as stack:
        # httpx reads the files piece by piece while it sends.
        files = {"file": (post.video.name, stack.enter_context(_opened(post.video)), post.video_type)}
        if post.thumbnail is not None:
            picture = "image/png" if post.thumbnail.suffix == ".png" else "image/jpeg"
            files["thumbnail"] = (post.thumbnail.name, stack.enter_context(_opened(post.thumbnail)), picture)
        taken = read(
            await mastodon.call("POST", "/api/v2/media", data={"description": alt_text}, files=files, ok={200, 202})
        )
    return str(taken["id"])


def _opened(path: Path) -> Any:
    return path.open("rb")


async def _ready(mastodon: Mastodon, media: str, context: PublisherContext) -> bool:
    """Wait until the video can be posted; False when the server does not know it (any more)."""
    for _ in range(_MOST_POLLS):
        answer = await mastodon.call("GET", f"/api/v1/media/{media}", ok={200, 206, 404})
        if answer.status_code != 206:
            return answer.status_code == 200
        context.progress(0.7, "processing")
        await context.sleep(_POLL_SECONDS)
    raise RetryableError("Mastodon is still processing the video")


async def _is_processing(mastodon: Mastodon, media: str) -> bool:
    """A refusal for that reason comes in the account's language, so that its text tells nothing."""
    return (await mastodon.call("GET", f"/api/v1/media/{media}", ok={200, 206, 404})).status_code == 206


async def _status_with(mastodon: Mastodon, account: str, media: str) -> Mapping[str, Any] | None:
    """Of the account's last posts the one that shows this video."""
    before: str | None = None
    for _ in range(_MOST_PAGES):
        asked = {"limit": str(_PAGE), "exclude_reblogs": "true", **({"max_id": before} if before else {})}
        page = await mastodon.json("GET", f"/api/v1/accounts/{account}/statuses", params=asked)
        for status in page:
            if any(str(one.get("id")) == media for one in status.get("media_attachments", ())):
                found: Mapping[str, Any] = status
                return found
        if len(page) < _PAGE:
            return None
        before = str(page[-1]["id"])
    return None


def _published(status: Mapping[str, Any], wanted: str) -> Published:
    seen = str(status.get("visibility") or wanted)[:50]
    warning = None if seen == wanted else f"Mastodon made it {seen}, and {wanted} was asked for"
    url = status.get("url") or status.get("uri")
    return Published(str(status["id"]), str(url)[:1000] if url else None, warning)


def _faults(platform: str, post: Post, facts: Mapping[str, Any]) -> Iterator[Finding]:
    chosen = MastodonPostOptions.model_validate(post.extra)
    length = characters(text_of(post), facts["characters_of_url"]) + characters(chosen.spoiler_text, 0)
    most = facts["characters"]
    if length > most:
        text = f"title, description, tags and warning have {length} characters; this instance allows {most}"
        yield fault(platform, "text_too_long", text, measured=length, limit=most)
    pixels, most = post.width * post.height, facts["video_pixels"]
    if pixels > most:
        text = f"the picture has {pixels} pixels; this instance allows {most}"
        yield fault(platform, "picture_too_large", text, measured=pixels, limit=most)
    rate, most = _frames_per_second(post.frame_rate), facts["video_frames_per_second"]
    if rate > most:
        text = f"the video has {rate:.1f} frames a second; this instance allows {most}"
        yield fault(platform, "too_many_frames", text, measured=rate, limit=most)
    if post.video_type not in facts["video_types"]:
        yield fault(platform, "wrong_type", f"the video is {post.video_type}, which this instance does not take")


def _frames_per_second(rate: str | None) -> float:
    """Of "30000/1001" or "30"; 0 when it is not known."""
    above, _, below = (rate or "0").partition("/")
    try:
        return float(above) / float(below or 1)
    except (ValueError, ZeroDivisionError):
        return 0.0
