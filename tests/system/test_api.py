"""The public interface of videos, as documented: requests, versions, files, control, errors, roles."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.system.bad_media import MediaFolder
from tests.system.conftest import RunningSystem, wait_for
from tests.system.driving import BARE, SMALL, Driver, Json, assert_problem

LOAD_SLACK_SECONDS = 2.0
"""For a machine that is busy with other things; idle, ffmpeg ends within milliseconds."""


@pytest.fixture(scope="module")
def driver(start_module_system: Callable[..., RunningSystem]) -> Iterator[Driver]:
    driver = Driver(start_module_system(render_slots="2", renew_seconds="0.5"))
    yield driver
    driver.close()


def master_of(video: Json, number: int = 1) -> Json:
    files = video["versions"][number - 1]["files"]
    found: Json = next(file for file in files if file["role"] == "master")
    return found


# ---- requesting -----------------------------------------------------------------------------------------------


def test_a_request_is_acknowledged_with_its_video(driver: Driver) -> None:
    answer = driver.http.post("/videos", json={"generator": "test-card", "title": "First", "options": SMALL})
    body = driver.ok(answer, 202)
    assert set(body) == {"items", "next"}
    (video,) = body["items"]
    assert {"id", "title", "state", "versions", "publications", "revision", "created_at"} <= set(video)
    assert (video["title"], video["state"]) == ("First", "requested")
    (version,) = video["versions"]
    assert (version["number"], version["state"], version["verdict"]) == (1, "requested", "none")
    assert version["spec"]["options"] == SMALL
    assert version["given"] == SMALL
    assert isinstance(version["spec"]["seed"], int)
    settled = driver.settled(video["id"])
    roles = [file["role"] for file in settled["versions"][0]["files"]]
    assert roles.count("master") == 1
    assert roles.count("thumbnail") == 3
    assert "source" not in roles, "the raw source outlived processing"
    assert settled["versions"][0]["checks"]["checks"] != []


def test_several_at_once_and_several_generators(driver: Driver) -> None:
    one = {"generator": "test-card", "options": SMALL, "recipe": BARE}
    story = {
        "generator": "story",
        "title": "Bees",
        "options": {"text": "Bees dance. They say where flowers are.", "aspect": "1:1"},
    }
    body = {"requests": [{**one, "count": 2, "seed": 7, "title": "Pair"}, {**story, "recipe": BARE}]}
    videos = driver.ok(driver.http.post("/videos", json=body), 202)["items"]
    assert [video["title"] for video in videos] == ["Pair", "Pair", "Bees"]
    assert [video["versions"][0]["spec"]["seed"] for video in videos[:2]] == [7, 8]
    drawn = videos[2]["versions"][0]["spec"]["options"]
    assert all(drawn[name] for name in ("background", "palette", "music_mood", "caption_style"))
    settled = [driver.settled(video["id"]) for video in videos]
    assert [video["state"] for video in settled] == ["in_review"] * 3
    story_facts = settled[2]["versions"][0]
    assert 2 < story_facts["facts"]["duration_seconds"] < 20
    assert any(file["role"] == "captions" for file in story_facts["files"])
    assert b"WEBVTT" in driver.bytes_of(settled[2], "captions")


def test_the_same_spec_gives_the_same_bytes(driver: Driver) -> None:
    videos = [driver.request(seed=4711) for _ in range(2)] + [driver.request(seed=4712)]
    one, two, other = (master_of(driver.settled(video["id"])) for video in videos)
    assert one["sha256"] == two["sha256"] != other["sha256"]


def test_the_same_idempotency_key_makes_one_video(driver: Driver) -> None:
    body = {"generator": "test-card", "options": SMALL, "count": 2, "recipe": BARE}
    headers = {"Idempotency-Key": "twice"}
    first = driver.http.post("/videos", json=body, headers=headers)
    again = driver.http.post("/videos", json=body, headers=headers)
    assert again.status_code == first.status_code == 202
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = driver.http.post("/videos", json={**body, "count": 1}, headers=headers)
    assert_problem(other, 422, "idempotency_key_reused")


# ---- lists ----------------------------------------------------------------------------------------------------


def test_pages_search_and_states(driver: Driver) -> None:
    titles = [f"Paging {index}" for index in range(3)]
    made = [driver.request(title=title, recipe=BARE)["id"] for title in titles]
    found: list[str] = []
    after: Json = {}
    for _ in range(10):
        page = driver.ok(driver.http.get("/videos", params={"q": "pAgInG", "limit": 2, **after}))
        assert len(page["items"]) <= 2
        found += [video["id"] for video in page["items"]]
        if page["next"] is None:
            break
        after = {"cursor": page["next"]}
    assert found == made[::-1], "each once, the newest first"
    for id in made:
        driver.settled(id)
    waiting = driver.ok(driver.http.get("/videos", params={"state": "in_review", "q": "Paging"}))["items"]
    assert {video["id"] for video in waiting} == set(made)
    assert driver.ok(driver.http.get("/videos", params={"q": "100%_"}))["items"] == []
    assert_problem(driver.http.get("/videos", params={"state": "lost"}), 422)
    assert_problem(driver.http.get("/videos", params={"cursor": "nonsense"}), 422)
    assert_problem(driver.http.get("/videos", params={"limit": 0}), 422)


def test_a_stale_etag_changes_nothing(driver: Driver) -> None:
    video = driver.made(title="Before", recipe=BARE)
    path = f"/videos/{video['id']}"
    etag = driver.quiet_etag(path)
    changed = driver.http.patch(path, json={"title": "After"}, headers={"If-Match": etag})
    assert driver.ok(changed)["title"] == "After"
    assert changed.headers["etag"] != etag
    assert_problem(driver.http.patch(path, json={"title": "Late"}, headers={"If-Match": etag}), 412, "stale_revision")
    review = {"version": 1, "decision": "reject", "reason": "late"}
    stale = driver.http.post(f"{path}/review", json=review, headers={"If-Match": etag})
    assert_problem(stale, 412, "stale_revision")
    assert_problem(driver.http.delete(path, headers={"If-Match": etag}), 412, "stale_revision")
    assert_problem(driver.http.patch(path, json={"title": "x"}, headers={"If-Match": '"one"'}), 422)
    now = driver.video(video["id"])
    assert (now["title"], now["state"]) == ("After", "in_review")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/videos/nothing", 404), ("DELETE", "/videos/nothing", 404), ("POST", "/videos/nothing/cancel", 404),
        ("GET", "/nowhere", 404), ("PUT", "/videos", 405), ("GET", "/videos/nothing/versions/1/files/master", 404),
        ("GET", "/videos/nothing/versions/x/files/master", 422), ("GET", "/publications/nothing", 404),
        ("POST", "/publications/nothing/retry", 404), ("GET", "/channels/nothing", 404), ("GET", "/jobs/nothing", 404),
    ],
)  # fmt: skip
def test_every_error_is_a_problem_document(driver: Driver, method: str, path: str, status: int) -> None:
    assert_problem(driver.http.request(method, path), status)


# ---- bytes ----------------------------------------------------------------------------------------------------


def test_bytes_whole_in_parts_and_by_head(driver: Driver) -> None:
    video = driver.made(recipe=BARE)
    master = master_of(video)
    address = f"{driver.system.url}{master['url']}"
    whole = driver.http.get(address)
    assert hashlib.sha256(whole.content).hexdigest() == master["sha256"]
    assert len(whole.content) == master["size_bytes"]
    assert whole.headers["accept-ranges"] == "bytes"
    head = driver.http.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(master["size_bytes"])
    part = driver.http.get(address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{master['size_bytes']}"
    end = driver.http.get(address, headers={"Range": "bytes=-50"})
    assert (end.status_code, end.content) == (206, whole.content[-50:])
    beyond = driver.http.get(address, headers={"Range": f"bytes={master['size_bytes']}-"})
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{master['size_bytes']}"
    unchanged = driver.http.get(address, headers={"If-None-Match": whole.headers["etag"]})
    assert unchanged.status_code == 304
    assert httpx.get(address).status_code == 401, "without a key"


# ---- reviews --------------------------------------------------------------------------------------------------


def test_regenerating_adds_a_version_beside_the_first(driver: Driver) -> None:
    video = driver.made(seed=1, recipe=BARE)
    asked = driver.http.post(f"/videos/{video['id']}/versions", json={"options": {"frame_rate": 10}})
    assert [version["number"] for version in driver.ok(asked, 202)["versions"]] == [1, 2]
    both = driver.settled(video["id"])
    first, second = both["versions"]
    assert (first["state"], second["state"]) == ("ready", "ready")
    assert (first["spec"]["options"]["frame_rate"], second["spec"]["options"]["frame_rate"]) == (15, 10)
    assert driver.bytes_of(both, "master", 1) != driver.bytes_of(both, "master", 2)
    third = driver.review(both, "regenerate", options={"frame_rate": 12}, reason="smoother")
    assert [version["number"] for version in third["versions"]] == [1, 2, 3]
    assert driver.settled(video["id"])["versions"][2]["spec"]["options"]["frame_rate"] == 12


@pytest.mark.parametrize("keep", [True, False])
def test_rejecting_with_and_without_the_files(driver: Driver, keep: bool) -> None:
    video = driver.made()
    assert_problem(driver.http.post(f"/videos/{video['id']}/review", json={"version": 1, "decision": "reject"}), 422)
    before = driver.ok(driver.http.get("/storage"))["used_bytes"]
    rejected = driver.review(video, "reject", reason="Too loud", keep_files=keep)
    assert (rejected["state"], rejected["versions"][0]["verdict"]) == ("rejected", "rejected")
    assert rejected["reviews"][-1]["reason"] == "Too loud"
    answer = driver.http.get(f"/videos/{video['id']}/versions/1/files/master")
    assert answer.status_code == (200 if keep else 404)
    freed = before - driver.ok(driver.http.get("/storage"))["used_bytes"]
    sizes = sum(file["size_bytes"] for file in video["versions"][0]["files"])
    assert freed == (0 if keep else sizes)


# ---- control --------------------------------------------------------------------------------------------------


def ffmpeg_of(driver: Driver) -> list[int]:
    """Process ids of every running ffmpeg that works in this system's data folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if b"ffmpeg" in line and os.fsencode(driver.system.data_dir) in line and state != "Z":
                found.append(int(entry.name))
    return found


def test_cancelling_stops_ffmpeg_within_a_second(driver: Driver) -> None:
    long = {"duration_seconds": 600, "width": 1080, "height": 1920}
    video = driver.request(options=long, recipe=BARE)
    wait_for(lambda: ffmpeg_of(driver), 60, "ffmpeg never started")
    rendering = driver.until(video["id"], lambda now: now["versions"][0]["progress"] > 0)
    assert rendering["versions"][0]["state"] == "rendering"
    cancelled = driver.ok(driver.http.post(f"/videos/{video['id']}/cancel"))
    answered = time.monotonic()
    assert cancelled["state"] == "cancelled"
    while ffmpeg_of(driver):
        assert time.monotonic() - answered < 1 + LOAD_SLACK_SECONDS, "ffmpeg still runs"
        time.sleep(0.02)
    again = driver.http.post(f"/videos/{video['id']}/cancel")
    assert_problem(again, 409, "invalid_transition")
    retried = driver.ok(driver.http.post(f"/videos/{video['id']}/retry"))
    assert retried["state"] == "requested"
    wait_for(lambda: ffmpeg_of(driver), 60, "it was not rendered again")
    assert driver.http.delete(f"/videos/{video['id']}").status_code == 204
    wait_for(lambda: not ffmpeg_of(driver), 10, "deleting left ffmpeg behind")


def test_a_cancelled_video_comes_through_when_it_is_retried(driver: Driver) -> None:
    video = driver.request(options={**SMALL, "duration_seconds": 60}, recipe=BARE)
    driver.ok(driver.http.post(f"/videos/{video['id']}/cancel"))
    assert_problem(driver.http.post(f"/videos/{video['id']}/review", json={"version": 1, "decision": "approve"}), 409)
    driver.ok(driver.http.post(f"/videos/{video['id']}/retry"))
    assert driver.settled(video["id"])["state"] == "in_review"
    assert_problem(driver.http.post(f"/videos/{video['id']}/retry"), 409, "invalid_transition")


def test_deleting_frees_the_space(driver: Driver) -> None:
    before = driver.ok(driver.http.get("/storage"))
    video = driver.made()
    there = driver.ok(driver.http.get("/storage"))
    sizes = sum(file["size_bytes"] for file in video["versions"][0]["files"])
    assert there["used_bytes"] - before["used_bytes"] == sizes
    assert driver.http.delete(f"/videos/{video['id']}").status_code == 204
    assert driver.ok(driver.http.get("/storage")) | {"free_bytes": 0} == before | {"free_bytes": 0}
    assert driver.video(video["id"])["state"] == "deleted"
    assert video["id"] not in [item["id"] for item in driver.ok(driver.http.get("/videos"))["items"]]
    assert driver.http.delete(f"/videos/{video['id']}").status_code == 204, "again is no harm"


def test_an_interrupted_upload_goes_on_and_its_source_goes_in_the_end(driver: Driver, tmp_path: Path) -> None:
    whole = MediaFolder(tmp_path)["good.mp4"].read_bytes()
    location = driver.announce(len(whole), "Holiday été.mp4", "video/mp4").headers["location"]

    def broken() -> Iterator[bytes]:
        yield whole[:30_000]
        time.sleep(0.5)  # the server reads what came; what it has not read when the connection breaks is gone
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        driver.http.patch(
            f"{driver.system.url}{location}", content=broken(),
            headers={"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"},
        )  # fmt: skip

    def offset() -> int:
        head = driver.http.head(f"{driver.system.url}{location}", headers={"Tus-Resumable": "1.0.0"})
        return int(head.headers["upload-offset"])

    wait_for(lambda: offset() > 0, 20, "nothing of it stayed")
    here = offset()
    assert here <= 30_000
    # The server may take a moment to see that the connection is gone; until then nobody else may send.
    wait_for(lambda: driver.append(location, here + 1, b"x").status_code != 423, 20, "it stays locked")
    assert_problem(driver.append(location, here + 1, b"x"), 409)
    answer = driver.append(location, here, whole[here:])
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(whole)))
    source = location.rsplit("/", 1)[-1]
    video = driver.made("upload", options={"source": source}, title="Holiday")
    driver.review(video, "approve", channels=[])
    wait_for(lambda: driver.http.get(f"/uploads/{source}").status_code in (404, 410), 30, "the sent-in file stayed")
    assert driver.bytes_of(video, "master")


# ---- who may what, and how it is ------------------------------------------------------------------------------


def test_roles(driver: Driver) -> None:
    video = driver.made(recipe=BARE)
    asked = {"generator": "test-card", "options": SMALL, "recipe": BARE}
    approve = {"version": 1, "decision": "approve", "channels": []}
    allowed = {
        "viewer": (200, 403, 403, 403), "producer": (200, 202, 403, 403), "reviewer": (200, 202, 200, 403),
        "worker": (403, 403, 403, 403),
    }  # fmt: skip
    for role, expected in allowed.items():
        one = driver.with_key(role)
        answers = (
            one.http.get("/videos"), one.http.post("/videos", json=asked),
            one.http.post(f"/videos/{video['id']}/review", json=approve), one.http.get("/users"),
        )  # fmt: skip
        assert tuple(answer.status_code for answer in answers) == expected, role
        for answer in answers:
            if answer.status_code >= 400:
                assert_problem(answer, 403, "forbidden")
        one.close()
    nobody = httpx.get(f"{driver.system.url}/api/v1/videos")
    assert_problem(nobody, 401, "unauthenticated")
    assert_problem(httpx.get(f"{driver.system.url}/api/v1/videos", headers={"Authorization": "Bearer wrong"}), 401)


def test_health_metrics_and_the_description(driver: Driver) -> None:
    url = driver.system.url
    assert httpx.get(f"{url}/health/live").status_code == 200
    assert httpx.get(f"{url}/health/ready").status_code == 200
    metrics = driver.http.get(f"{url}/metrics")
    assert metrics.status_code == 200
    assert re.search(r"^# TYPE \w+ histogram", metrics.text, re.MULTILINE)
    described = driver.http.get(f"{url}/api/openapi.json").json()
    promised = (
        "/videos", "/videos/{id}", "/videos/{id}/versions", "/videos/{id}/review", "/videos/{id}/cancel",
        "/videos/{id}/retry", "/videos/{id}/versions/{number}/files/{role}", "/uploads", "/channels", "/publications",
        "/publications/{id}/cancel", "/publications/{id}/retry", "/publications/{id}/resolve", "/jobs/{id}/claim",
        "/jobs/{id}/renew", "/jobs/{id}/finish", "/jobs/{id}/fail", "/analytics/summary", "/analytics/timeseries",
        "/analytics/publications", "/analytics/attribution", "/analytics/suggestions", "/events", "/webhooks",
        "/users", "/keys", "/audit", "/dead-letters", "/generators", "/steps", "/checks", "/platforms",
    )  # fmt: skip
    assert [path for path in promised if f"/api/v1{path}" not in described["paths"]] == []
    for path in ("/generators", "/steps", "/checks", "/platforms"):
        plugins = driver.ok(driver.http.get(path))["items"]
        assert plugins
        assert all(plugin["json_schema"]["type"] == "object" for plugin in plugins)
