"""What a person or a program does with a running system, over HTTP alone."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from tests.system.conftest import RunningSystem, wait_for

Json = dict[str, Any]

SMALL: Json = {"duration_seconds": 1, "width": 180, "height": 320, "frame_rate": 15}
"""Options of a test card that is made in a moment."""
BARE: Json = {"steps": [], "checks": []}
"""A recipe that leaves the video as it is."""
PIECE = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}
PATIENCE_SECONDS = 120.0
"""A bound against hanging: the machine may be busy with other things."""
WORKING = ("requested", "rendering", "processing")


class Driver:
    """One client of the system; `http` answers with paths below /api/v1."""

    def __init__(self, system: RunningSystem, http: httpx.Client | None = None) -> None:
        self.system = system
        self.http = http or system.client(60)

    def with_key(self, role: str) -> "Driver":
        """Another client, with a new key of that role."""
        made = self.ok(self.http.post("/keys", json={"name": f"test {role}", "role": role}), 201)
        http = httpx.Client(base_url=self.http.base_url, headers={"Authorization": f"Bearer {made['key']}"}, timeout=60)
        return Driver(self.system, http)

    def close(self) -> None:
        self.http.close()

    def ok(self, answer: httpx.Response, status: int = 200) -> Json:
        """The body of an answer that has to have this status."""
        assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text}"
        body: Json = answer.json() if answer.content else {}
        return body

    # ---- videos ---------------------------------------------------------------------------------------------

    def request(self, generator: str = "test-card", **fields: Any) -> Json:
        """Ask for one video; test cards are small unless told otherwise."""
        if generator == "test-card":
            fields = {"options": SMALL, **fields}
        items = self.ok(self.http.post("/videos", json={"generator": generator, **fields}), 202)["items"]
        assert len(items) == 1
        video: Json = items[0]
        return video

    def video(self, id: str) -> Json:
        return self.ok(self.http.get(f"/videos/{id}"))

    def settled(self, id: str) -> Json:
        """The video once nothing works on its newest version any more."""
        return self.until(id, lambda video: video["state"] not in WORKING)

    def until(self, id: str, holds: Callable[[Json], bool], seconds: float = PATIENCE_SECONDS) -> Json:
        def look() -> Json | None:
            video = self.video(id)
            return video if holds(video) else None

        found: Json = wait_for(look, seconds, f"it did not come to that: {self.video(id)}")
        return found

    def made(self, generator: str = "test-card", **fields: Any) -> Json:
        """A finished video that waits for its review."""
        video = self.settled(self.request(generator, **fields)["id"])
        assert video["state"] == "in_review", video["versions"][-1]["error"]
        return video

    def quiet_etag(self, path: str) -> str:
        """The ETag once the manager has put away what the processing left: that is one more change of the video."""
        seen: list[str] = []

        def look() -> str | None:
            seen.append(self.http.get(path).headers["etag"])
            return seen[-1] if len(seen) > 5 and len(set(seen[-5:])) == 1 else None

        etag: str = wait_for(look, PATIENCE_SECONDS, f"{path} does not come to rest: {seen[-5:]}")
        return etag

    def review(self, video: Json, decision: str, **fields: Any) -> Json:
        number = fields.pop("version", video["versions"][-1]["number"])
        body = {"version": number, "decision": decision, **fields}
        return self.ok(self.http.post(f"/videos/{video['id']}/review", json=body))

    def bytes_of(self, video: Json, role: str, number: int = 1) -> bytes:
        answer = self.http.get(f"/videos/{video['id']}/versions/{number}/files/{role}")
        assert answer.status_code == 200, answer.text
        return answer.content

    # ---- sending files --------------------------------------------------------------------------------------

    def announce(self, length: int, name: str, content_type: str | None = None) -> httpx.Response:
        about = f"filename {base64.b64encode(name.encode()).decode()}"
        if content_type is not None:
            about += f",filetype {base64.b64encode(content_type.encode()).decode()}"
        headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length), "Upload-Metadata": about}
        return self.http.post("/uploads", headers=headers)

    def append(self, location: str, offset: int, content: bytes) -> httpx.Response:
        address = f"{self.system.url}{location}"
        return self.http.patch(address, content=content, headers={**PIECE, "Upload-Offset": str(offset)})

    def send(self, path: Path) -> str:
        """Send a file in one piece; the id that options name it by."""
        content = path.read_bytes()
        announced = self.announce(len(content), path.name)
        assert announced.status_code == 201, announced.text
        location = announced.headers["location"]
        answer = self.append(location, 0, content)
        assert answer.status_code == 204, answer.text
        return location.rsplit("/", 1)[-1]

    # ---- publishing -----------------------------------------------------------------------------------------

    def folder_channel(self, path: Path, name: str = "Folder") -> str:
        body = {"platform": "folder", "name": name, "options": {"path": str(path)}}
        id: str = self.ok(self.http.post("/channels", json=body), 201)["id"]
        return id

    def site_channel(self) -> str:
        channels = self.ok(self.http.get("/channels"))["items"]
        id: str = next(channel["id"] for channel in channels if channel["platform"] == "site")
        return id

    def publications(self, video: Json) -> list[Json]:
        items: list[Json] = self.ok(self.http.get("/publications", params={"video_id": video["id"]}))["items"]
        return items

    def publication_in(self, video: Json, channel_id: str, *states: str) -> Json:
        """The video's publication on that channel once it is in one of the states."""

        def look() -> Json | None:
            found = [item for item in self.publications(video) if item["channel_id"] == channel_id]
            return next((item for item in found if item["state"] in states), None)

        found: Json = wait_for(look, PATIENCE_SECONDS, f"no {states}: {self.publications(video)}")
        return found


def assert_problem(answer: httpx.Response, status: int, code: str | None = None) -> Json:
    """Every error is a problem document (RFC 9457) that carries the words for people and the id for the log."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["type"] == f"urn:video-manager:problem:{problem['code']}"
    assert problem["instance"] == answer.request.url.path
    assert problem["correlation_id"] == answer.headers["x-request-id"]
    if code is not None:
        assert problem["code"] == code
    return problem


def assert_wrong_field(answer: httpx.Response, field: str, reason: str) -> None:
    """422, naming exactly this field, with these words in its reason."""
    problem = assert_problem(answer, 422, "invalid_input")
    fields = {item["field"]: item["reason"] for item in problem["errors"]}
    assert field in fields, f"{field} is not among {fields}"
    assert reason.lower() in fields[field].lower(), fields[field]
    assert reason.lower() in problem["detail"].lower()
