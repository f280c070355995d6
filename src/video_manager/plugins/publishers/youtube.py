"""YouTube channels, through the Data API v3.

A video is uploaded as private, and publishing is one call that sets its privacy: making it again changes nothing, and
whether it was made can be read.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from pydantic import Field

from video_manager.domain.video import Finding
from video_manager.errors import ActionRequiredError, LimitReached, NotPublished, PermanentError, WorkError
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
)
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.youtube_api import (
    RESET_ZONE,
    UNITS_QUOTA,
    UPLOADS_QUOTA,
    WRITE_UNITS,
    YouTube,
    unread,
)
from video_manager.plugins.publishers.youtube_way import VideosWay

MOST_THUMBNAIL_BYTES = 50 * 2**20
MOST_CAPTIONS_BYTES = 100 * 2**20
DESCRIPTION_BYTES = 5000
TAGS_CHARACTERS = 500
PRIVACIES = ("public", "unlisted", "private")
UNVERIFIED_SECONDS = 15 * 60.0
_SCOPE = "https://www.googleapis.com/auth"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


class YouTubeOptions(Options):
    """A channel is known by its sign-in; there is nothing else to enter."""


class YouTubePostOptions(Options):
    privacy: Literal["public", "unlisted", "private"] = Field("public", description="Who may see the video.")
    made_for_kids: bool = Field(
        False, description="The video is made for children. The law asks this of everybody who publishes."
    )
    contains_synthetic_media: bool = Field(
        False, description="It shows realistic people, places or events that were altered or generated (AI disclosure)."
    )
    category: str = Field("22", description="YouTube's category number; 22 is People & Blogs.", pattern=r"^\d{1,3}$")
    playlist: str = Field(
        "", max_length=100, pattern=r"^[A-Za-z0-9_-]*$",
        description="The id of one of the channel's playlists that it is added to (from the playlist's address).",
    )  # fmt: skip
    license: Literal["youtube", "creativeCommon"] = Field("youtube", description="Standard, or Creative Commons CC BY.")
    embeddable: bool = Field(True, description="Other sites may show it in their pages.")
    public_stats: bool = Field(True, description="Everybody may see the number of views and likes.")
    notify_subscribers: bool = Field(True, description="Tell the subscribers of the channel.")
    upload_captions: bool = Field(
        True, description="Send the captions file, too: 400 of the 10 000 units that a Google project has each day."
    )


class YouTubePublisher(SchedulingPublisher[YouTubeOptions]):
    name = "youtube"
    title = "YouTube"
    description = "Publishes to a YouTube channel, with thumbnail, captions and playlist."
    Options = YouTubeOptions
    PostOptions = YouTubePostOptions
    limits = PlatformLimits(
        max_size_bytes=256 * 2**30, max_duration_seconds=12 * 3600.0, max_title_characters=100,
    )  # fmt: skip
    oauth = OAuth(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",  # noqa: S106 - an address
        # The first covers uploads, captions, changes and reading; the other is for the numbers afterwards.
        scopes=(f"{_SCOPE}/youtube.force-ssl", f"{_SCOPE}/yt-analytics.readonly"),
        needed=(f"{_SCOPE}/youtube.force-ssl",),
        authorize_parameters={"access_type": "offline", "prompt": "consent"},
        issuer="https://accounts.google.com",  # as google.oauth2.id_token has it
    )  # fmt: skip
    keeps_hours = 72.0
    """As a private video."""
    quotas = (
        Quota(UPLOADS_QUOTA, 100, resets_in=RESET_ZONE, per_channel=False),
        Quota(UNITS_QUOTA, 10_000, resets_in=RESET_ZONE, per_channel=False),
    )
    guide: ClassVar[str] = (
        "Make a project in the Google Cloud console, switch on the YouTube Data API v3 and make an OAuth client (web). "
        "Have the consent screen verified, or every connection ends after 7 days; and pass YouTube's API audit, or "
        "every video of the project stays private."
    )

    async def connect(self, options: YouTubeOptions, context: PublisherContext) -> Account:
        channels = await YouTube(context).read("channels", "snippet,contentDetails,status", mine="true")
        if not channels:
            raise ActionRequiredError("this Google account has no YouTube channel: make one, then connect again")
        try:
            return _account(channels[0])
        except (KeyError, TypeError, AttributeError) as error:
            raise unread("the channel lacks its id, title or list of uploads") from error

    async def check(self, post: Post, options: YouTubeOptions, context: PublisherContext) -> tuple[Finding, ...]:
        return (*beyond(self.name, post, self.limits), *_text_faults(post), *_file_faults(post, context.account))

    async def upload(self, post: Post, options: YouTubeOptions, context: PublisherContext) -> Handle:
        chosen = YouTubePostOptions.model_validate(post.extra)
        private = {**status_of(chosen), "privacyStatus": "private"}
        resource = {"snippet": snippet_of(post, chosen), "status": private}
        way = VideosWay(post, context, chosen.playlist)
        await way.send(resource, notify=chosen.notify_subscribers)
        await way.wait_until_processed()
        return await way.dress(language=_language(post), with_captions=chosen.upload_captions)

    async def publish(
        self, post: Post, handle: Handle, options: YouTubeOptions, context: PublisherContext
    ) -> Published:
        chosen = YouTubePostOptions.model_validate(post.extra)
        youtube, id = YouTube(context), str(handle["video_id"])
        status = await youtube.set_status(id, status_of(chosen))
        try:
            video = await youtube.video(id, "status")
        except WorkError as error:  # the video is public: only the second look is missing
            context.log.info("the privacy could not be read back: %s", error.detail)
        else:
            status = video.get("status", status) if video else status
        return _published(id, status, chosen, handle)

    async def ask(self, post: Post, handle: Handle, options: YouTubeOptions, context: PublisherContext) -> Asked:
        chosen = YouTubePostOptions.model_validate(post.extra)
        id = str(handle.get("video_id", ""))
        try:
            video = await YouTube(context).video(id, "status") if id else None
        except LimitReached as limit:  # of no use to count as a question
            return Asked(Answer.PENDING, detail=limit.detail)
        if video is None:
            return Asked(Answer.UNKNOWN, detail="YouTube shows no such video any more: perhaps somebody deleted it")
        status = video.get("status", {})
        if status.get("privacyStatus") not in PRIVACIES:
            raise unread("the video lacks its privacy")
        if status["privacyStatus"] == "private" and status.get("publishAt"):
            return Asked(Answer.PENDING, detail=f"YouTube publishes it at {str(status['publishAt'])[:40]}")
        if status["privacyStatus"] == "private" and chosen.privacy != "private":
            return Asked(Answer.ABSENT, detail="the video is there and still private")
        return Asked(Answer.PUBLISHED, _published(id, status, chosen, handle))

    async def hand_over(
        self, post: Post, handle: Handle, at: datetime, options: YouTubeOptions, context: PublisherContext
    ) -> None:
        chosen = YouTubePostOptions.model_validate(post.extra)
        if chosen.privacy != "public":
            raise NotPublished(
                PermanentError(f"YouTube keeps times of public videos only; this one is {chosen.privacy}")
            )
        private = {**status_of(chosen), "privacyStatus": "private"}
        timed = {**private, "publishAt": at.astimezone(UTC).isoformat(timespec="milliseconds")}
        await YouTube(context).set_status(str(handle["video_id"]), timed)

    async def recall(self, post: Post, handle: Handle, options: YouTubeOptions, context: PublisherContext) -> Asked:
        """Setting a public video to private would take it down: hence the look before."""
        found = await self.ask(post, handle, options, context)
        if found.answer is not Answer.PENDING:
            return found
        await context.spend(UNITS_QUOTA, WRITE_UNITS)
        private = {**status_of(YouTubePostOptions.model_validate(post.extra)), "privacyStatus": "private"}
        status = await YouTube(context).set_status(str(handle["video_id"]), private, publishes=False)
        if status.get("privacyStatus") == "private" and not status.get("publishAt"):
            return Asked(Answer.ABSENT, detail="the video is there, private, and without a time")
        return Asked(Answer.UNKNOWN, detail="YouTube kept the time")

    async def delete(self, external_id: str, options: YouTubeOptions, context: PublisherContext) -> None:
        await YouTube(context).delete_video(external_id)


def _account(channel: Mapping[str, Any]) -> Account:
    id, handle = str(channel["id"]), str(channel["snippet"].get("customUrl", ""))
    return Account(
        name=str(channel["snippet"]["title"])[:200], id=id,
        url=f"https://www.youtube.com/{handle if handle.startswith('@') else f'channel/{id}'}",
        facts={
            "uploads": str(channel["contentDetails"]["relatedPlaylists"]["uploads"]),
            "long_uploads": str(channel.get("status", {}).get("longUploadsStatus", "")),
        },
    )  # fmt: skip


def snippet_of(post: Post, chosen: YouTubePostOptions) -> dict[str, Any]:
    snippet: dict[str, Any] = {
        "title": post.title, "description": post.description, "tags": list(post.tags), "categoryId": chosen.category,
    }  # fmt: skip
    language = _language(post)
    if language:
        snippet |= {"defaultLanguage": language, "defaultAudioLanguage": language}
    return snippet


def status_of(chosen: YouTubePostOptions) -> dict[str, Any]:
    """The whole status part: what a change leaves out would go back to its default."""
    return {
        "privacyStatus": chosen.privacy, "selfDeclaredMadeForKids": chosen.made_for_kids,
        "containsSyntheticMedia": chosen.contains_synthetic_media, "license": chosen.license,
        "embeddable": chosen.embeddable, "publicStatsViewable": chosen.public_stats,
    }  # fmt: skip


def tags_characters(tags: tuple[str, ...]) -> int:
    """As YouTube counts them: with the commas between, and quotation marks around those with a space."""
    return sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(0, len(tags) - 1)


def _language(post: Post) -> str:
    """Empty when it is none that YouTube could know."""
    return post.language if _LANGUAGE.fullmatch(post.language) else ""


def _published(id: str, status: Mapping[str, Any], chosen: YouTubePostOptions, handle: Handle) -> Published:
    warnings = [str(one) for one in handle.get("warnings", ())]
    privacy, state = status.get("privacyStatus"), status.get("uploadStatus")
    if privacy == "private" and chosen.privacy != "private":
        warnings.insert(
            0,
            f"YouTube keeps the video private although {chosen.privacy} was asked for: so it does with all videos of a "
            "Google project that has not passed YouTube's API audit; such a video must be uploaded again afterwards",
        )
    elif privacy in PRIVACIES and privacy != chosen.privacy:
        warnings.insert(0, f"the video is {privacy} although {chosen.privacy} was asked for")
    if state in ("rejected", "failed", "deleted"):
        reason = status.get("rejectionReason") or status.get("failureReason") or "no reason given"
        warnings.insert(0, f"YouTube has {state} the video: {reason}")
    if status.get("madeForKids") and not chosen.made_for_kids:
        warnings.append("YouTube counts the video as made for kids")
    return Published(id, f"https://www.youtube.com/watch?v={id}", "; ".join(warnings) or None)


def _found(code: str, message: str, measured: float | None = None, limit: float | None = None) -> Finding:
    return fault(YouTubePublisher.name, code, message, measured=measured, limit=limit)


def _text_faults(post: Post) -> Iterator[Finding]:
    if not post.title.strip():
        yield _found("no_title", "YouTube needs a title")
    for name, text in (("title", post.title), ("description", post.description), ("tags", " ".join(post.tags))):
        if "<" in text or ">" in text:
            yield _found(f"{name}_brackets", f"YouTube takes no < and > in the {name}")
    size = len(post.description.encode())
    if size > DESCRIPTION_BYTES:
        text = f"the description has {size} bytes; {DESCRIPTION_BYTES} are allowed (ä, é and the like have 2)"
        yield _found("description_too_long", text, size, DESCRIPTION_BYTES)
    characters = tags_characters(post.tags)
    if characters > TAGS_CHARACTERS:
        text = f"the tags have {characters} characters as YouTube counts; {TAGS_CHARACTERS} are allowed"
        yield _found("tags_too_long", text, characters, TAGS_CHARACTERS)


def _file_faults(post: Post, account: Mapping[str, Any]) -> Iterator[Finding]:
    for name, size, most in (
        ("thumbnail", post.thumbnail_bytes, MOST_THUMBNAIL_BYTES),
        ("captions", post.captions_bytes, MOST_CAPTIONS_BYTES),
    ):
        if size > most:
            yield _found(f"{name}_too_large", f"the {name} file has {size} bytes; {most} are allowed", size, most)
    if post.thumbnail is not None and post.thumbnail.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        yield _found("thumbnail_format", f"YouTube takes JPEG and PNG thumbnails, not {post.thumbnail.suffix}")
    if account.get("long_uploads") in ("eligible", "disallowed") and post.duration_seconds > UNVERIFIED_SECONDS:
        text = (
            f"the video lasts {post.duration_seconds:.0f} s; a channel that is not verified may upload 900 s at most: "
            "verify it at youtube.com/verify, then connect it again"
        )
        yield _found("channel_not_verified", text, post.duration_seconds, UNVERIFIED_SECONDS)
