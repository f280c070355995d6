"""YouTube's Data API, as far as a publisher uses it, and, on a host of its own, the Analytics API. What a request may
hold is read in Google's discovery documents; the rest (sessions, states, allowances, locked privacy) is as the
documentation says."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import BytesParser
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bytes_in import Arrived
from video_manager.fakes.desk import Desk, Refused
from video_manager.fakes.google_discovery import Discovery, Method, Wrong
from video_manager.fakes.google_upload import Session, Sessions
from video_manager.fakes.network import Fake, FakePost
from video_manager.fakes.youtube_analytics import HOST as ANALYTICS_HOST
from video_manager.fakes.youtube_analytics import AnalyticsSide
from video_manager.fakes.youtube_videos import Allowance, Playlist, Video, check_snippet, status_of

CHANNEL = "UCdemochannel0000000000a"
UPLOADS = "UUdemochannel0000000000a"
PLAYLIST = "PLdemoplaylist"
FORCE_SSL = "https://www.googleapis.com/auth/youtube.force-ssl"


@dataclass(frozen=True)
class _Asked:
    """A request that is right as far as the document says. `owner` is the channel that its token acts for."""

    request: Request
    method: Method
    owner: str
    query: dict[str, list[str]]

    @property
    def parts(self) -> list[str]:
        return self.query.get("part", [])

    def ids(self, name: str = "id") -> list[str]:
        return self.query.get(name, [])


class YouTubeFake(Fake):
    name: ClassVar[str] = "youtube"
    hosts: ClassVar[tuple[str, ...]] = (
        "www.googleapis.com", "youtube.googleapis.com", "accounts.google.com", "oauth2.googleapis.com",
        ANALYTICS_HOST,
    )  # fmt: skip

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.desk = Desk(now, accounts={CHANNEL: "Demo channel"})
        self.allowance = Allowance(now)
        self.videos: dict[str, Video] = {}
        self.playlists = {PLAYLIST: Playlist(CHANNEL, "Demo playlist")}
        self.has_channel = True
        """False: the Google account that signs in has no YouTube channel."""
        self.is_audited = True
        """False: every video of the project stays private, whatever it is set to."""
        self.is_verified = True
        """False: the channel may set no thumbnails, and its videos last 15 minutes at most."""
        self.uploads_left: int | None = None
        """How many more videos the channel may upload today; None: any number."""
        self.processing_polls = 2
        self.outcome: dict[str, str] = {"uploadStatus": "processed"}
        """What processing ends with, as fields of the status part."""
        self.analytics = AnalyticsSide(now, self.desk, self.videos, lambda: self.has_channel)
        self._discovery = Discovery("youtube.v3")
        self.sessions = Sessions(now, self._video_made)
        self._methods: dict[str, Callable[[_Asked], Awaitable[Response]]] = {
            "youtube.channels.list": self._channels,
            "youtube.playlists.list": self._playlists,
            "youtube.playlistItems.list": self._playlist_items,
            "youtube.playlistItems.insert": self._add_to_playlist,
            "youtube.videos.list": self._videos,
            "youtube.videos.insert": self._insert,
            "youtube.videos.update": self._update,
            "youtube.videos.delete": self._delete,
            "youtube.thumbnails.set": self._set_thumbnail,
            "youtube.captions.insert": self._add_captions,
        }

    def routes(self) -> Sequence[BaseRoute]:
        return [
            *self.desk.routes("/o/oauth2/v2/auth", "/token"),
            Route("/{path:path}", self._call, methods=["GET", "POST", "PUT", "DELETE"]),
        ]

    async def _call(self, request: Request) -> Response:
        try:
            if request.scope["fake_host"] == ANALYTICS_HOST:
                return self.analytics.answer(request)
            return await self._answer(request)
        except Wrong as wrong:
            return wrong.answer()
        except Refused as refused:
            if refused.status == 401:
                return Wrong(401, "authError", "Invalid Credentials", "global").answer()
            text = "Request had insufficient authentication scopes."
            return Wrong(403, "insufficientPermissions", text, "global").answer()

    async def _answer(self, request: Request) -> Response:
        if request.method == "PUT" and "upload_id" in request.query_params:
            method = self._discovery.method("POST", request.url.path)
            self.desk.require(request, *method.scopes)
            made = await self.sessions.put(request)
            return made if isinstance(made, Response) else self._discovery.answer(method, made)
        method = self._discovery.method(request.method, request.url.path)
        owner = self.desk.require(request, *method.scopes).account
        self.allowance.spend(method.id, request.method)
        query = self._discovery.parameters(method, request.query_params)
        play = self._methods.get(method.id)
        if play is None:
            raise Wrong(501, "notImplemented", f"this fake does not play {method.id}", "global")
        if not self.has_channel and request.method != "GET":
            raise Wrong(401, "youtubeSignupRequired", "Unauthorized", "youtube.header")
        return await play(_Asked(request, method, owner, query))

    # ---- reading -----------------------------------------------------------------------------------------------

    async def _channels(self, asked: _Asked) -> Response:
        known = {
            "snippet": {"title": self.desk.accounts[asked.owner], "customUrl": "@demo"},
            "contentDetails": {"relatedPlaylists": {"uploads": UPLOADS}},
            "status": {"longUploadsStatus": "allowed" if self.is_verified else "eligible"},
        }
        item = {"kind": "youtube#channel", "id": asked.owner, **_chosen(known, asked.parts)}
        if not self.has_channel:
            return self._list(asked, "channel", None)
        return self._list(asked, "channel", [item])

    async def _videos(self, asked: _Asked) -> Response:
        found = [self.videos[id] for id in asked.ids() if id in self.videos]
        items = [video.resource(asked.parts, self.now()) for video in found if video.owner == asked.owner]
        if {"status", "processingDetails"} & set(asked.parts):
            for video in found:
                video.polls_left -= 1
        return self._list(asked, "video", items)

    async def _playlists(self, asked: _Asked) -> Response:
        found = [(id, self.playlists[id]) for id in asked.ids() if id in self.playlists]
        items = [
            {
                "kind": "youtube#playlist", "id": id,
                **_chosen({"snippet": {"channelId": one.owner, "title": one.title}}, asked.parts),
            }
            for id, one in found
        ]  # fmt: skip
        return self._list(asked, "playlist", items)

    async def _playlist_items(self, asked: _Asked) -> Response:
        playlist = (asked.ids("playlistId") or [""])[0]
        if playlist == UPLOADS:
            newest = sorted(self.videos.values(), key=lambda video: -video.uploaded_at)
            inside = [video for video in newest if video.owner == asked.owner]
        elif playlist in self.playlists:
            inside = [self.videos[id] for id in self.playlists[playlist].video_ids if id in self.videos]
        else:
            raise Wrong(404, "playlistNotFound", f"The playlist {playlist} cannot be found.", "youtube.playlistItem")
        only = asked.ids("videoId")
        most = int((asked.ids("maxResults") or ["5"])[0])
        items = [_playlist_item(playlist, video) for video in inside if not only or video.id in only]
        return self._list(asked, "playlistItem", items[:most])

    def _list(self, asked: _Asked, kind: str, items: list[dict[str, Any]] | None) -> Response:
        """None instead of items: the answer has none, as channels.list answers an account without a channel."""
        answer: dict[str, Any] = {
            "kind": f"youtube#{kind}ListResponse", "etag": secrets.token_hex(8),
            "pageInfo": {"totalResults": len(items or ()), "resultsPerPage": len(items or ())},
        }  # fmt: skip
        if items is not None:
            answer["items"] = items
        return self._discovery.answer(asked.method, answer)

    # ---- the video ---------------------------------------------------------------------------------------------

    async def _insert(self, asked: _Asked) -> Response:
        if not asked.method.by_media or asked.ids("uploadType") != ["resumable"]:
            raise Wrong(400, "mediaBodyRequired", "This fake takes videos by resumable upload only.", "youtube.video")
        resource = self._discovery.body(asked.method, await asked.request.body(), asked.parts)
        check_snippet(resource.get("snippet", {}))
        status_of(resource.get("status", {}), self.now())
        if self.uploads_left is not None and self.uploads_left < 1:
            text = "The user has exceeded the number of videos they may upload."
            raise Wrong(400, "uploadLimitExceeded", text, "youtube.video")
        session = self.sessions.begin(asked.request, asked.method, asked.owner, resource)
        session.resource["notifies"] = asked.ids("notifySubscribers") != ["false"]
        path = f"https://www.googleapis.com{asked.request.url.path}"
        location = f"{path}?uploadType=resumable&upload_id={session.id}"
        return Response(status_code=200, headers={"Location": location, "X-GUploader-UploadID": session.id})

    def _video_made(self, session: Session) -> dict[str, Any]:
        """Only the last byte makes the video."""
        id, resource = secrets.token_urlsafe(8), session.resource
        if self.uploads_left is not None:
            self.uploads_left -= 1
        self.videos[id] = video = Video(
            id, session.owner, session.file_name, session.arrived.size_bytes, session.arrived.sha256, self.now(),
            dict(resource.get("snippet", {})), status_of(resource.get("status", {}), self.now()),
            self.processing_polls, dict(self.outcome), resource["notifies"],
        )  # fmt: skip
        text = f"{video.snippet.get('title', '')}\n{video.snippet.get('description', '')}"
        self.posts[id] = FakePost(id, session.owner, text, video.sha256, video.size_bytes, self.now())
        self._set_status(video, video.status)
        return video.resource(["snippet", "status"], self.now())

    async def _update(self, asked: _Asked) -> Response:
        given = self._discovery.body(asked.method, await asked.request.body(), asked.parts)
        video = self._own(asked, given["id"])
        if "status" in asked.parts:
            self._set_status(video, status_of(given.get("status", {}), self.now()))
        if "snippet" in asked.parts:
            check_snippet(given.get("snippet", {}))
            video.snippet = dict(given["snippet"])
        return self._discovery.answer(asked.method, video.resource(asked.parts, self.now()))

    def _set_status(self, video: Video, status: dict[str, Any]) -> None:
        video.set_status(status if self.is_audited else {**status, "privacyStatus": "private"}, self.now())
        self.posts[video.id].public = video.status["privacyStatus"] == "public"
        self.posts[video.id].extra["status"] = video.status

    def catch_up(self) -> None:
        for video in self.videos.values():
            at = video.status.get("publishAt")
            if at is not None and datetime.fromisoformat(at).timestamp() <= self.now():
                timed = {name: value for name, value in video.status.items() if name != "publishAt"}
                self._set_status(video, {**timed, "privacyStatus": "public"})

    async def _delete(self, asked: _Asked) -> Response:
        video = self._own(asked, asked.ids()[0])
        del self.videos[video.id]
        del self.posts[video.id]
        return Response(status_code=204)

    def _own(self, asked: _Asked, id: str) -> Video:
        video = self.videos.get(id)
        if video is None:
            raise Wrong(404, "videoNotFound", "The video that you are trying to use cannot be found.", "youtube.video")
        if video.owner != asked.owner:
            raise Wrong(403, "forbidden", "Forbidden", "youtube.common")
        return video

    # ---- what goes with it -------------------------------------------------------------------------------------

    async def _set_thumbnail(self, asked: _Asked) -> Response:
        if not asked.method.by_media or asked.ids("uploadType") != ["media"]:
            raise Wrong(400, "mediaBodyRequired", "The request does not include the image content.")
        kind = asked.request.headers.get("Content-Type", "")
        if not asked.method.takes(kind):
            raise Wrong(400, "badContent", f"Media type '{kind}' is not supported.", "global")
        video = self._own(asked, asked.ids("videoId")[0])
        arrived = Arrived()
        async for piece in asked.request.stream():
            arrived.add(piece)
        if not self.is_verified:
            text = "The authenticated user doesn't have permissions to upload and set custom video thumbnails."
            raise Wrong(403, "forbidden", text, "youtube.thumbnail")
        if not 0 < arrived.size_bytes <= asked.method.most_media_bytes:
            raise Wrong(400, "invalidImage", "The provided image content is invalid.", "youtube.thumbnail")
        video.thumbnail_sha256 = arrived.sha256
        image = {"url": f"https://i.ytimg.com/vi/{video.id}/default.jpg", "width": 120, "height": 90}
        return self._discovery.answer(
            asked.method, {"kind": "youtube#thumbnailSetResponse", "items": [{"default": image}]}
        )

    async def _add_captions(self, asked: _Asked) -> Response:
        if not asked.method.by_media or asked.ids("uploadType") != ["multipart"]:
            raise Wrong(400, "contentRequired", "The request does not contain the caption track contents.")
        described, media = await _two_parts(asked.request)
        given = self._discovery.body(asked.method, described, asked.parts)
        snippet = given.get("snippet", {})
        video = self._own(asked, snippet.get("videoId", ""))
        key = (snippet["language"], snippet["name"])
        if key in video.captions:
            raise Wrong(409, "captionExists", "The specified video already has a track with this language and name.")
        if not media.strip():
            raise Wrong(400, "contentRequired", "The request does not contain the caption track contents.")
        video.captions[key] = hashlib.sha256(media).hexdigest()
        made = {"kind": "youtube#caption", "id": secrets.token_urlsafe(12), "snippet": {**snippet, "status": "serving"}}
        return self._discovery.answer(asked.method, made)

    async def _add_to_playlist(self, asked: _Asked) -> Response:
        given = self._discovery.body(asked.method, await asked.request.body(), asked.parts)
        snippet = given.get("snippet", {})
        playlist, wanted = self.playlists.get(snippet.get("playlistId", "")), snippet.get("resourceId", {})
        if playlist is None or playlist.owner != asked.owner:
            raise Wrong(404, "playlistNotFound", "The playlist cannot be found.", "youtube.playlistItem")
        if wanted.get("kind") != "youtube#video":
            raise Wrong(400, "invalidResourceType", "The resource is of no supported type.", "youtube.playlistItem")
        video = self._own(asked, wanted.get("videoId", ""))
        playlist.video_ids.append(video.id)
        return self._discovery.answer(asked.method, _playlist_item(snippet["playlistId"], video))


def _chosen(known: Mapping[str, Any], parts: list[str]) -> dict[str, Any]:
    return {part: known[part] for part in parts if part in known}


def _playlist_item(playlist: str, video: Video) -> dict[str, Any]:
    resource = {"kind": "youtube#video", "videoId": video.id}
    title = str(video.snippet.get("title", ""))
    return {
        "kind": "youtube#playlistItem", "id": f"{playlist}.{video.id}",
        "snippet": {"playlistId": playlist, "title": title, "resourceId": resource},
    }  # fmt: skip


async def _two_parts(request: Request) -> tuple[bytes, bytes]:
    """The JSON and the media of a multipart/related body. Raises Wrong."""
    kind = request.headers.get("Content-Type", "")
    if not kind.startswith("multipart/related"):
        raise Wrong(400, "badContent", f"Media type '{kind}' is not supported.", "global")
    whole = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + await request.body())
    parts = whole.get_payload() if whole.is_multipart() else []
    inside = [part.get_payload(decode=True) for part in parts if isinstance(part, Message)]
    if len(inside) != 2 or not all(isinstance(one, bytes) for one in inside):
        raise Wrong(400, "badContent", "a multipart upload has two parts: the metadata and the media", "global")
    return bytes(inside[0]), bytes(inside[1])
