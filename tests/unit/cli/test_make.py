"""`make` against a server that answers as the API does."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from tests.unit.cli.conftest import Cli, a_video, generators
from werkzeug import Request, Response


@pytest.fixture
def requests(server: HTTPServer) -> list[dict[str, Any]]:
    """What was asked of POST /videos; the answer is a video that is being made."""
    sent: list[dict[str, Any]] = []

    def answer(request: Request) -> Response:
        sent.extend(request.get_json()["requests"])
        return Response(json.dumps({"items": [a_video("rendering")]}), 202, content_type="application/json")

    server.expect_request("/api/v1/generators").respond_with_json(generators())
    server.expect_request("/api/v1/videos", method="POST").respond_with_handler(answer)
    return sent


def _becomes(server: HTTPServer, *videos: dict[str, Any]) -> None:
    """The polls see these, one after the other, then the last one for ever."""
    waiting = list(videos)

    def answer(request: Request) -> Response:
        video = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return Response(json.dumps(video), content_type="application/json")

    server.expect_request(f"/api/v1/videos/{videos[0]['id']}", method="GET").respond_with_handler(answer)


def test_a_text_becomes_a_video(cli: Cli, server: HTTPServer, requests: list[Any], tmp_path: Path) -> None:
    _becomes(server, a_video("rendering"), a_video("processing"), a_video())
    article = tmp_path / "article.txt"
    article.write_text("Bees dance.", encoding="utf-8-sig")
    done = cli("make", "story", "--text-file", str(article), "--title", "Bees", "-o", "speed=1.2", "-o", "music=false",
               "-o", "style=calm", "--seed", "7")  # fmt: skip
    assert done.code == 0, done.err
    options = {"text": "Bees dance.", "speed": 1.2, "music": False, "style": "calm"}
    assert requests == [
        {"generator": "story", "title": "Bees", "count": 1, "channels": [], "seed": 7, "options": options}
    ]
    assert f"{server.url_for('/review/')}{a_video()['id']}" in done.out
    assert server.url_for("/api/v1/videos/v1/versions/1/files/master") in done.out


def test_json_is_all_that_is_on_standard_output(cli: Cli, server: HTTPServer, requests: list[Any]) -> None:
    _becomes(server, a_video("rendering"), a_video())
    done = cli("make", "story", "--text", "Hi", "--json")
    assert done.json["items"][0]["state"] == "in_review"
    assert done.json["items"][0]["review_url"].endswith(f"/review/{a_video()['id']}")


def test_a_failed_video_says_why_and_exits_1(cli: Cli, server: HTTPServer, requests: list[Any]) -> None:
    _becomes(server, a_video("failed", version={"error": "ffmpeg: Invalid data found"}))
    done = cli("make", "story", "--text", "Hi")
    assert done.code == 1
    assert "ffmpeg: Invalid data found" in done.err


def test_no_wait_prints_the_ids(cli: Cli, server: HTTPServer, requests: list[Any]) -> None:
    done = cli("make", "story", "--text", "Hi", "--no-wait")
    assert (done.code, done.out) == (0, a_video()["id"] + "\n")


def test_several_generators_get_the_options_they_know(cli: Cli, server: HTTPServer, requests: list[Any]) -> None:
    done = cli("make", "story", "--also", "slideshow", "--text", "Hi", "-o", "music=true", "--no-wait")
    assert done.code == 0, done.err
    assert [(one["generator"], one["options"]) for one in requests] == [
        ("story", {"text": "Hi", "music": True}), ("slideshow", {"music": True}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["poem", "--text", "Hi"], "installed are: slideshow, story"),
        (["story", "-o", "colour=red"], "there are: music, speed, style, text"),
        (["slideshow", "--text", "Hi"], "slideshow has no such option"),
        (["slideshow", "-o", "cover=@/nowhere.png"], "no file /nowhere.png"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_requested(
    cli: Cli, server: HTTPServer, requests: list[Any], arguments: list[str], words: str
) -> None:
    done = cli("make", *arguments)
    assert done.code == 2
    assert words in done.err
    assert requests == []


class Tus:
    """A tus server that loses the connection once, after half of the bytes."""

    def __init__(self, breaks: int = 0) -> None:
        self.files: dict[str, bytearray] = {}
        self.names: list[str] = []
        self.breaks = breaks

    def install(self, server: HTTPServer) -> None:
        server.expect_request("/api/v1/uploads", method="POST").respond_with_handler(self.create)
        for number in range(3):
            path = f"/api/v1/uploads/u{number}"
            server.expect_request(path, method="PATCH").respond_with_handler(self.append)
            server.expect_request(path, method="HEAD").respond_with_handler(self.head)

    def create(self, request: Request) -> Response:
        id = f"u{len(self.files)}"
        self.files[id] = bytearray()
        name = request.headers["Upload-Metadata"].split(",")[0].removeprefix("filename ")
        self.names.append(base64.b64decode(name).decode())
        return Response(status=201, headers={"Location": f"/api/v1/uploads/{id}"})

    def append(self, request: Request) -> Response:
        stored = self.files[request.path.rsplit("/", 1)[-1]]
        assert int(request.headers["Upload-Offset"]) == len(stored)
        body = request.get_data()
        if self.breaks:
            self.breaks -= 1
            stored += body[: len(body) // 2]
            request.environ["werkzeug.socket"].shutdown(2)
            return Response(status=204)
        stored += body
        return Response(status=204, headers={"Upload-Offset": str(len(stored))})

    def head(self, request: Request) -> Response:
        return Response(headers={"Upload-Offset": str(len(self.files[request.path.rsplit("/", 1)[-1]]))})


@pytest.mark.parametrize("breaks", [0, 1, 2])
def test_pictures_are_sent_and_named_in_the_options(
    cli: Cli, server: HTTPServer, requests: list[Any], tmp_path: Path, breaks: int
) -> None:
    tus = Tus(breaks)
    tus.install(server)
    first, second = tmp_path / "ä.png", tmp_path / "b.png"
    first.write_bytes(bytes(range(256)) * 1000)
    second.write_bytes(b"two")
    done = cli("make", "slideshow", "--picture", str(first), "--picture", str(second), "-o", f"cover=@{first}",
               "--no-wait")  # fmt: skip
    assert done.code == 0, done.err
    assert requests[0]["options"] == {"pictures": ["u0", "u1"], "cover": "u0"}
    assert bytes(tus.files["u0"]) == first.read_bytes()
    assert bytes(tus.files["u1"]) == b"two"
    assert tus.names == ["ä.png", "b.png"]


def test_an_empty_picture_is_not_sent(cli: Cli, server: HTTPServer, requests: list[Any], tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    empty.touch()
    done = cli("make", "slideshow", "--picture", str(empty))
    assert done.code == 2
    assert "is empty" in done.err


def test_the_finished_file_is_saved(cli: Cli, server: HTTPServer, requests: list[Any], tmp_path: Path) -> None:
    _becomes(server, a_video())
    server.expect_request("/api/v1/videos/v1/versions/1/files/master").respond_with_data(b"hello")
    target = tmp_path / "out.mp4"
    done = cli("make", "story", "--text", "Hi", "--output", str(target))
    assert done.code == 0, done.err
    assert hashlib.sha256(target.read_bytes()).hexdigest().startswith("2cf24dba")
    assert str(target) in done.out


def test_a_damaged_file_is_not_saved(cli: Cli, server: HTTPServer, requests: list[Any], tmp_path: Path) -> None:
    _becomes(server, a_video())
    server.expect_request("/api/v1/videos/v1/versions/1/files/master").respond_with_data(b"hullo")
    done = cli("make", "story", "--text", "Hi", "--output", str(tmp_path / "out.mp4"))
    assert done.code == 1
    assert "damaged" in done.err
    assert list(tmp_path.glob("*out*")) == []
