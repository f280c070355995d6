"""The fake YouTube is as strict as Google's documents, and Google's own client gets on with it."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError
from googleapiclient.http import MediaFileUpload
from tests.platforms.google_client import Through

from video_manager.fakes import youtube as fakes
from video_manager.fakes.google_discovery import Discovery
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served

UPLOAD_SCOPE = "https://www.googleapis.com/auth/youtube.upload"
READONLY = "https://www.googleapis.com/auth/youtube.readonly"
VIDEO = {"snippet": {"title": "Ein Tag am Meer"}, "status": {"privacyStatus": "private"}}
GRANULE = 256 * 1024


class At:
    """Bare calls to the served fake."""

    def __init__(self, gateway: str, fake: fakes.YouTubeFake) -> None:
        self.gateway = gateway
        self.fake = fake
        self.http = httpx.Client(timeout=20.0, trust_env=False)

    def token(self, scope: str = fakes.FORCE_SSL) -> str:
        return str(self.fake.desk.issue(fakes.CHANNEL, [scope])["access_token"])

    def call(
        self, method: str, path: str, *, scope: str = fakes.FORCE_SSL, headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:  # fmt: skip
        signed = {"Authorization": f"Bearer {self.token(scope)}", **(headers or {})}
        return self.http.request(method, f"{self.gateway}/www.googleapis.com{path}", headers=signed, **more)

    def begin(self, size: int, video: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        headers = {"X-Upload-Content-Length": str(size), "X-Upload-Content-Type": "video/mp4", "Slug": "a.mp4"}
        return self.call(
            "POST", "/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status", json=dict(video or VIDEO),
            headers=headers, **more,
        )  # fmt: skip

    def put(self, session: str, content: bytes, range: str) -> httpx.Response:
        headers = {"Content-Range": f"bytes {range}"}
        return self.call("PUT", session.removeprefix("https://www.googleapis.com"), content=content, headers=headers)

    def upload(self) -> str:
        session = self.begin(5).headers["Location"]
        return str(self.put(session, b"VIDEO", "0-4/5").json()["id"])


@pytest.fixture
def at() -> Iterator[At]:
    network = FakeNetwork([fakes.YouTubeFake])
    fake = network.fakes["youtube"]
    assert isinstance(fake, fakes.YouTubeFake)
    with served(network) as gateway:
        here = At(gateway, fake)
        yield here
        here.http.close()


def reason(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


def status(**fields: Any) -> dict[str, Any]:
    return {"snippet": {"title": "t"}, "status": fields}


# ---- what the document says ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/youtube/v3/vidoes?part=id", (404, "notFound")),
        ("POST", "/youtube/v3/channels?part=id", (404, "notFound")),
        ("GET", "/youtube/v3/videos?id=x", (400, "missingRequiredParameter")),
        ("GET", "/youtube/v3/videos?part=status&ids=x", (400, "unexpectedParameter")),
        ("GET", "/youtube/v3/videos?part=state&id=x", (400, "unknownPart")),
        ("GET", "/youtube/v3/videos?part=id&chart=best", (400, "invalidParameter")),
        ("GET", "/youtube/v3/channels?part=id&mine=yes", (400, "invalidParameter")),
        ("GET", "/youtube/v3/channels?part=id&maxResults=51", (400, "invalidParameter")),
        ("GET", "/youtube/v3/channels?part=id&maxResults=ten", (400, "invalidParameter")),
        ("GET", "/youtube/v3/channels?part=id&mine=true&mine=true", (400, "invalidParameter")),
        ("DELETE", "/youtube/v3/videos?id=none", (404, "videoNotFound")),
        ("GET", "/youtube/v3/comments?part=id", (501, "notImplemented")),
    ],
)
def test_a_wrong_address_or_parameter_is_refused(at: At, method: str, path: str, expected: tuple[int, str]) -> None:
    assert reason(at.call(method, path)) == expected


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        (status(privacyStatus="secret"), "badRequest"),
        (status(embeddable="yes"), "badRequest"),
        (status(public=True), "badRequest"),
        ({"snippet": {"title": "t", "tags": "meer"}}, "badRequest"),
        ({"snippet": {"title": "t"}, "recordingDetails": {}}, "unexpectedPart"),
        (status(privacyStatus="public", publishAt="2030-01-01T00:00:00Z"), "invalidPublishAt"),
        (status(privacyStatus="private", publishAt="2020-01-01T00:00:00Z"), "invalidPublishAt"),
        (status(privacyStatus="private", publishAt="tomorrow"), "badRequest"),
        ({"snippet": {}}, "invalidTitle"),
        ({"snippet": {"title": "x" * 101}}, "invalidTitle"),
        ({"snippet": {"title": "t", "description": "ä" * 2501}}, "invalidDescription"),
        ({"snippet": {"title": "t", "tags": ["a b"] * 84}}, "invalidTags"),
        ({"snippet": {"title": "t", "categoryId": "music"}}, "invalidCategoryId"),
    ],
)
def test_a_wrong_video_is_refused(at: At, video: dict[str, Any], expected: str) -> None:
    assert reason(at.begin(5, video)) == (400, expected)


def test_a_scheduled_private_video_is_taken(at: At) -> None:
    assert at.begin(5, status(privacyStatus="private", publishAt="2090-01-01T00:00:00Z")).status_code == 200


def test_each_method_wants_one_of_its_own_scopes(at: At) -> None:
    assert at.begin(5, scope=UPLOAD_SCOPE).status_code == 200
    assert reason(at.begin(5, scope=READONLY)) == (403, "insufficientPermissions")
    id = at.upload()
    change = {"json": {"id": id, "status": {"privacyStatus": "public"}}}
    path = "/youtube/v3/videos?part=status"
    assert reason(at.call("PUT", path, scope=UPLOAD_SCOPE, **change)) == (403, "insufficientPermissions")
    assert at.call("PUT", path, **change).status_code == 200
    captions = "/upload/youtube/v3/captions?part=snippet&uploadType=multipart"
    assert reason(at.call("POST", captions, scope=UPLOAD_SCOPE)) == (403, "insufficientPermissions")
    assert reason(at.call("GET", "/youtube/v3/channels?part=id", headers={"Authorization": "Bearer x"}))[0] == 401


def test_our_one_scope_is_enough_for_every_method_that_is_used(at: At) -> None:
    document = Discovery("youtube.v3")
    used = [
        ("GET", "/youtube/v3/channels"), ("GET", "/youtube/v3/playlists"), ("GET", "/youtube/v3/playlistItems"),
        ("POST", "/youtube/v3/playlistItems"), ("GET", "/youtube/v3/videos"), ("POST", "/upload/youtube/v3/videos"),
        ("PUT", "/youtube/v3/videos"), ("DELETE", "/youtube/v3/videos"),
        ("POST", "/upload/youtube/v3/thumbnails/set"), ("POST", "/upload/youtube/v3/captions"),
    ]  # fmt: skip
    assert all(fakes.FORCE_SSL in document.method(*one).scopes for one in used)


def test_a_change_replaces_the_whole_status(at: At) -> None:
    id = at.upload()
    at.call("PUT", "/youtube/v3/videos?part=status", json={"id": id, "status": {"embeddable": False}})
    assert at.fake.videos[id].status["privacyStatus"] == "public", "left out, it goes back to its default"
    assert reason(at.call("PUT", "/youtube/v3/videos?part=status", json={"status": {}})) == (400, "badRequest")


# ---- sessions -----------------------------------------------------------------------------------------------


def test_the_video_is_made_with_the_last_byte_only(at: At) -> None:
    size = GRANULE + 5
    session = at.begin(size).headers["Location"]
    asked = at.put(session, b"", f"*/{size}")
    assert (asked.status_code, "Range" in asked.headers) == (308, False)
    part = at.put(session, b"x" * GRANULE, f"0-{GRANULE - 1}/{size}")
    assert (part.status_code, part.headers["Range"]) == (308, f"bytes=0-{GRANULE - 1}")
    assert not at.fake.videos
    done = at.put(session, b"VIDEO", f"{GRANULE}-{size - 1}/{size}")
    assert (done.status_code, done.json()["status"]["uploadStatus"]) == (200, "uploaded")
    again = at.put(session, b"", f"*/{size}")
    assert again.json()["id"] == done.json()["id"]
    assert len(at.fake.videos) == 1


def test_of_a_connection_that_breaks_whole_granules_are_kept(at: At) -> None:
    content = bytes(range(256)) * 2048
    session = at.begin(len(content)).headers["Location"]
    path = "/www.googleapis.com" + session.removeprefix("https://www.googleapis.com")
    with socket.create_connection(("127.0.0.1", httpx.URL(at.gateway).port or 0)) as broken:
        head = (
            f"PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {at.token()}\r\nContent-Length: {len(content)}"
            f"\r\nContent-Range: bytes 0-{len(content) - 1}/{len(content)}\r\n\r\n"
        )
        broken.sendall(head.encode() + content[: GRANULE + 1000])
    while at.fake.sessions.open[session.split("upload_id=")[1]].arrived.size_bytes == 0:
        time.sleep(0.01)
    assert at.put(session, b"", f"*/{len(content)}").headers["Range"] == f"bytes=0-{GRANULE - 1}"
    done = at.put(session, content[GRANULE:], f"{GRANULE}-{len(content) - 1}/{len(content)}")
    assert at.fake.videos[done.json()["id"]].sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("content", "range"),
    [
        (b"x" * 1000, f"0-999/{3 * GRANULE}"),
        (b"x" * GRANULE, f"{GRANULE}-{2 * GRANULE - 1}/{3 * GRANULE}"),
        (b"x" * GRANULE, f"0-{GRANULE}/{3 * GRANULE}"),
        (b"x" * GRANULE, f"0-{GRANULE - 1}/{2 * GRANULE}"),
        (b"x", f"*/{3 * GRANULE}"),
        (b"x" * GRANULE, "all of them"),
    ],
)
def test_a_chunk_of_a_wrong_size_or_offset_is_refused(at: At, content: bytes, range: str) -> None:
    session = at.begin(3 * GRANULE).headers["Location"]
    assert reason(at.put(session, content, range)) == (400, "badRequest")


def test_what_cannot_be_uploaded_is_refused_before(at: At) -> None:
    assert reason(at.begin(0)) == (400, "mediaBodyRequired")
    assert reason(at.begin(256 * 2**30 + 1)) == (413, "uploadTooLarge")
    path = "/upload/youtube/v3/videos?uploadType=resumable&part=snippet"
    headers = {"X-Upload-Content-Length": "5", "X-Upload-Content-Type": "image/png"}
    refused = at.call("POST", path, json={"snippet": {"title": "t"}}, headers=headers)
    assert reason(refused) == (400, "badContent")
    assert at.put("/upload/youtube/v3/videos?upload_id=none", b"", "*/5").status_code == 404


def test_the_day_has_its_allowance(at: At) -> None:
    at.fake.allowance.inserts, at.fake.allowance.units = 1, 51
    assert at.begin(5).status_code == 200
    assert reason(at.begin(5)) == (403, "quotaExceeded")
    assert at.call("GET", "/youtube/v3/channels?part=id&mine=true").status_code == 200
    assert reason(at.call("DELETE", "/youtube/v3/videos?id=none")) == (404, "videoNotFound")
    assert reason(at.call("GET", "/youtube/v3/channels?part=id&mine=true")) == (403, "quotaExceeded")


# ---- Google's own client ------------------------------------------------------------------------------------


def test_googles_own_client_publishes_through_the_fake(at: At, tmp_path: Path) -> None:
    document = json.loads(
        Path(build_from_document.__globals__["__file__"])
        .with_name("discovery_cache").joinpath("documents", "youtube.v3.json").read_text()
    )  # fmt: skip
    document |= {"rootUrl": "https://www.googleapis.com/", "baseUrl": "https://www.googleapis.com/"}
    http = Through(at.gateway, at.token())
    client: Any = build_from_document(document, http=http)
    file = tmp_path / "video.mp4"
    file.write_bytes(b"VIDEO" * 200_000)
    media = MediaFileUpload(str(file), chunksize=2 * GRANULE, resumable=True)
    made = client.videos().insert(part="snippet,status", body=VIDEO, media_body=media).execute()
    (video,) = at.fake.videos.values()
    assert (made["id"], video.size_bytes) == (video.id, 1_000_000)
    image, captions = tmp_path / "t.png", tmp_path / "c.vtt"
    image.write_bytes(b"PNG")
    captions.write_text("WEBVTT\n")
    client.thumbnails().set(videoId=video.id, media_body=str(image)).execute()
    track = {"snippet": {"videoId": video.id, "language": "de", "name": ""}}
    upload = MediaFileUpload(str(captions), mimetype="application/octet-stream")
    client.captions().insert(part="snippet", body=track, media_body=upload).execute()
    assert list(video.captions) == [("de", "")]
    client.videos().update(part="status", body={"id": video.id, "status": {"privacyStatus": "public"}}).execute()
    assert client.videos().list(part="status", id=video.id).execute()["items"][0]["status"]["privacyStatus"] == "public"
    with pytest.raises(HttpError, match="cannot be found"):
        client.videos().update(part="status", body={"id": "none", "status": {"privacyStatus": "public"}}).execute()
    http.close()
