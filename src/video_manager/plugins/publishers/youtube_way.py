"""From a file to a processed private video with everything that belongs to it, remembered step by step in the handle,
so that a later attempt goes on where the earlier one ended."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from video_manager.errors import ActionRequiredError, PermanentError, RetryableError
from video_manager.plugins.api import Handle, Post, PublisherContext
from video_manager.plugins.publishers.youtube_api import UNITS_QUOTA, WRITE_UNITS, YouTube
from video_manager.plugins.publishers.youtube_upload import VideoUpload, file_name_of

FIRST_POLL_SECONDS = 5.0
MOST_POLL_SECONDS = 60.0
PROCESSING_SECONDS = 1800.0
"""After so long this attempt ends, and a later one asks again."""
MOST_MISSING = 5
"""So often in a row YouTube may not know the video that it has just made."""
_NEEDS_PEOPLE = ("uploaderAccountSuspended", "uploaderAccountClosed")
_REASONS = {
    "conversion": "YouTube could not convert it",
    "invalidFile": "YouTube cannot read the file",
    "emptyFile": "the file was empty",
    "tooSmall": "the file is too small",
    "codec": "YouTube does not know its codec",
    "copyright": "copyright",
    "inappropriate": "it breaks YouTube's guidelines",
    "duplicate": "the channel has this video already",
    "termsOfUse": "it breaks YouTube's terms of use",
    "length": "it is too long for this channel: verify the channel at youtube.com/verify",
    "claim": "somebody claims it",
    "trademark": "trademark",
    "legal": "a legal complaint",
}


class VideosWay:
    """Made for one attempt; `context.earlier` tells what was reached before."""

    def __init__(self, post: Post, context: PublisherContext, playlist: str) -> None:
        self._post = post
        self._context = context
        self._playlist = playlist
        self._youtube = YouTube(context)
        earlier = dict(context.earlier or {})
        name = file_name_of(post)
        self._handle: dict[str, Any] = earlier if earlier.get("file_name") == name else {"file_name": name}

    async def send(self, resource: Mapping[str, Any], *, notify: bool) -> None:
        """The bytes, unless they are there."""
        if self._handle.get("video_id"):
            return
        await self._check_playlist()
        upload = VideoUpload(self._post, self._context, self._youtube, self._keep)
        self._context.progress(0.0, "uploading")
        await self._keep(video_id=await upload.run(self._handle.get("session"), resource, notify=notify))

    async def _check_playlist(self) -> None:
        """Before anything is sent: a wrong one would be noticed after the upload only."""
        if not self._playlist:
            return
        found = await self._youtube.read("playlists", "snippet", id=self._playlist)
        owners = {item.get("snippet", {}).get("channelId") for item in found}
        if self._context.account.get("id") not in owners:
            raise PermanentError(f"the channel has no playlist {self._playlist}: choose another one, or none")

    async def wait_until_processed(self) -> None:
        """Raises RetryableError when that takes long, PermanentError when YouTube refuses the video."""
        delay, waited, missing = FIRST_POLL_SECONDS, 0.0, 0
        while True:
            video = await self._youtube.video(self._id, "status,processingDetails")
            missing = missing + 1 if video is None else 0
            if missing >= MOST_MISSING:
                await self._forget()
                raise RetryableError("YouTube does not know the uploaded video any more: it is uploaded again")
            if video is not None and await self._is_processed(video):
                return
            if waited >= PROCESSING_SECONDS:
                raise RetryableError("YouTube is still processing the video: it is asked again later", 300.0)
            self._context.progress(0.9, "YouTube processes the video")
            await self._context.sleep(delay)
            waited, delay = waited + delay, min(delay * 1.5, MOST_POLL_SECONDS)

    async def _is_processed(self, video: Mapping[str, Any]) -> bool:
        status = video.get("status", {})
        state = status.get("uploadStatus")
        if state == "processed":
            return True
        if state not in ("failed", "rejected", "deleted"):
            return False
        # Another try is another upload: this video is of no more use.
        await self._forget()
        reason = status.get("rejectionReason") or status.get("failureReason") or ""
        reason = reason or video.get("processingDetails", {}).get("processingFailureReason") or "no reason given"
        text = f"YouTube has {state} the video: {_REASONS.get(reason, str(reason)[:100])}"
        if reason == "uploadAborted":
            raise RetryableError(f"{text}; it is uploaded again")
        if reason in _NEEDS_PEOPLE:
            raise ActionRequiredError(f"{text}; see the account at youtube.com")
        raise PermanentError(text)

    async def dress(self, *, language: str, with_captions: bool) -> Handle:
        """Thumbnail, captions, playlist, each once. What YouTube refuses of them is told with the published post: the
        video itself is not held up."""
        post, youtube, id = self._post, self._youtube, self._id
        self._context.progress(0.95, "thumbnail and captions")
        if post.thumbnail is not None:
            image = post.thumbnail
            size = image.stat().st_size
            await self._once("thumbnail", lambda: youtube.set_thumbnail(id, image, size))
        if post.captions is not None and with_captions:
            track = post.captions
            length = track.stat().st_size
            await self._once("captions", lambda: youtube.add_captions(id, track, length, language or "und"))
        if self._playlist:
            await self._once("playlist", lambda: youtube.add_to_playlist(id, self._playlist))
        if not self._handle.get("paid"):
            # The publishing call itself must not find the day's units used up.
            await self._context.spend(UNITS_QUOTA, WRITE_UNITS)
            await self._keep(paid=True)
        return self._handle

    async def _once(self, what: str, act: Callable[[], Awaitable[None]]) -> None:
        if self._handle.get(what):
            return
        try:
            await act()
        except PermanentError as error:
            warning = f"the {what} is not as approved: {error.detail}"
            await self._keep(warnings=[*self._handle.get("warnings", ()), warning])
        await self._keep(**{what: True})

    @property
    def _id(self) -> str:
        return str(self._handle["video_id"])

    async def _keep(self, **learnt: Any) -> None:
        """Stored before anything else is done; None forgets."""
        self._handle |= learnt
        self._handle = {name: value for name, value in self._handle.items() if value is not None}
        await self._context.save_handle(dict(self._handle))

    async def _forget(self) -> None:
        """The video is of no use: whatever comes next is another upload."""
        self._handle = {"file_name": self._handle["file_name"]}
        await self._context.save_handle(dict(self._handle))
