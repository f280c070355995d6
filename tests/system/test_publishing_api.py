"""Approving, publishing and what comes back, on the running system: folder, site, schedule, numbers, messages, CLI."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks.webhooks import Webhook
from tests.system.conftest import RunningSystem, wait_for
from tests.system.driving import BARE, PATIENCE_SECONDS, SMALL, Driver, Json, assert_problem
from werkzeug import Request, Response


@pytest.fixture(scope="module")
def driver(start_module_system: Callable[..., RunningSystem]) -> Iterator[Driver]:
    driver = Driver(
        start_module_system(
            render_slots="2", schedule_tick_seconds="0.2", collect_seconds="0.5", webhook_allow_private="true"
        )
    )
    yield driver
    driver.close()


BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
"""Programs are no audience and are not counted."""


def soon(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


# ---- publishing -----------------------------------------------------------------------------------------------


def test_a_folder_gets_exactly_the_approved_bytes(driver: Driver, tmp_path: Path) -> None:
    story = {"text": "Bees dance to say where the flowers are.", "aspect": "1:1"}
    recipe = {"steps": [{"step": "thumbnail"}], "checks": []}
    video = driver.made("story", title="Why bees dance", options=story, recipe=recipe)
    channel = driver.folder_channel(tmp_path / "out")
    metadata = {"description": "About bees", "tags": ["bees", "dance"]}
    approved = driver.review(video, "approve", channels=[channel], metadata=metadata)
    assert approved["state"] == "approved"
    publication = driver.publication_in(video, channel, "published")
    files = {file["role"]: file for file in approved["versions"][0]["files"]}
    sidecars = list((tmp_path / "out").glob("*.json"))
    assert len(sidecars) == 1
    sidecar = json.loads(sidecars[0].read_text())
    assert (sidecar["title"], sidecar["description"]) == ("Why bees dance", "About bees")
    assert sidecar["tags"] == ["bees", "dance"]
    assert set(sidecar["files"]) == {"video", "thumbnail", "captions"}
    for role, inside in (("video", "master"), ("thumbnail", "thumbnail"), ("captions", "captions")):
        content = (tmp_path / "out" / sidecar["files"][role]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sidecar["sha256"][role]
        if inside != "thumbnail":
            assert sidecar["sha256"][role] == files[inside]["sha256"]
    chosen = approved["versions"][0]["metadata"]["thumbnail"]
    picture = next(file for file in approved["versions"][0]["files"] if file["id"] == chosen)
    assert sidecar["sha256"]["thumbnail"] == picture["sha256"]
    assert publication["external_url"].startswith("file://")
    assert publication["published_at"]
    assert [attempt["outcome"] for attempt in publication["attempts"]] == ["published"]
    shown = driver.until(video["id"], lambda now: now["publications"]["published"] == 1)
    assert shown["publications"]["total"] == 1


def test_one_more_channel_afterwards(driver: Driver, tmp_path: Path) -> None:
    first, second = (driver.folder_channel(tmp_path / name, name) for name in ("one", "two"))
    video = driver.made(title="Twice", recipe=BARE)
    body = {"video_id": video["id"], "version": 1, "channel_id": second}
    assert_problem(driver.http.post("/publications", json=body), 409, "invalid_transition")
    driver.review(video, "approve", channels=[first])
    made = driver.ok(driver.http.post("/publications", json=body), 202)
    assert driver.publication_in(video, second, "published")["id"] == made["id"]
    assert driver.publication_in(video, first, "published")
    again = driver.http.post("/publications", json=body)
    assert_problem(again, 409, "conflict")
    assert len(list((tmp_path / "two").glob("*.mp4"))) == 1


def test_a_schedule_is_kept(driver: Driver, tmp_path: Path) -> None:
    channel = driver.folder_channel(tmp_path / "later")
    video = driver.made(title="Later", recipe=BARE)
    at = soon(3)
    driver.review(video, "approve", targets=[{"channel_id": channel, "publish_at": at}])
    publication = driver.publication_in(video, channel, "scheduled")
    assert datetime.fromisoformat(publication["publish_at"]) == datetime.fromisoformat(at)
    assert not list((tmp_path / "later").glob("*.mp4"))
    published = driver.publication_in(video, channel, "published")
    assert datetime.fromisoformat(published["published_at"]) >= datetime.fromisoformat(at), "before its time"


def test_wall_clock_times(driver: Driver, tmp_path: Path) -> None:
    channel = driver.folder_channel(tmp_path / "wall")
    expected = {
        ("2031-07-01T18:00", "Europe/Berlin"): "2031-07-01T16:00:00+00:00",
        ("2031-03-30T02:30", "Europe/Berlin"): "2031-03-30T01:00:00+00:00",  # skipped: the next valid instant
        ("2031-10-26T02:30", "Europe/Berlin"): "2031-10-26T00:30:00+00:00",  # twice: the first
    }
    videos = [driver.request(title=local, recipe=BARE) for local, _ in expected]
    for ((local, zone), instant), requested in zip(expected.items(), videos, strict=True):
        video = driver.settled(requested["id"])
        driver.review(video, "approve", channels=[channel], publish_at={"local": local, "zone": zone})
        publication = driver.publication_in(video, channel, "scheduled")
        assert datetime.fromisoformat(publication["publish_at"]) == datetime.fromisoformat(instant)
        assert publication["requested_local"] == f"{local} {zone}"
        cancelled = driver.ok(driver.http.post(f"/publications/{publication['id']}/cancel"))
        assert cancelled["state"] == "cancelled"
    wrong = {"version": 1, "decision": "approve", "publish_at": {"local": "soon", "zone": "Europe/Berlin"}}
    # A channel of its own: the video learns a little later that the publication on the other one was cancelled.
    wrong["channels"] = [driver.folder_channel(tmp_path / "wrong")]
    assert_problem(driver.http.post(f"/videos/{videos[-1]['id']}/review", json=wrong), 422)


def test_changed_metadata_voids_a_scheduled_approval(driver: Driver, tmp_path: Path) -> None:
    channel = driver.folder_channel(tmp_path / "void")
    video = driver.made(title="As approved", recipe=BARE)
    driver.review(video, "approve", channels=[channel], publish_at=soon(4))
    driver.publication_in(video, channel, "scheduled")
    changed = driver.ok(driver.http.patch(f"/videos/{video['id']}", json={"metadata": {"title": "Something else"}}))
    assert changed["approvals"][0]["voided_at"] is not None
    assert changed["state"] == "in_review"
    driver.publication_in(video, channel, "withdrawn")
    time.sleep(4.5)
    assert [item["state"] for item in driver.publications(video)] == ["withdrawn"]
    assert list((tmp_path / "void").glob("*.mp4")) == []


def test_deleting_withdraws_what_is_scheduled_and_leaves_what_is_public(driver: Driver, tmp_path: Path) -> None:
    channel = driver.folder_channel(tmp_path / "kept")
    public, planned = (driver.made(title=title, recipe=BARE) for title in ("Public", "Planned"))
    driver.review(public, "approve", channels=[channel])
    driver.publication_in(public, channel, "published")
    driver.review(planned, "approve", channels=[channel], publish_at=soon(3600))
    scheduled = driver.publication_in(planned, channel, "scheduled")
    assert_problem(driver.http.delete(f"/channels/{channel}"), 409)
    for video in (public, planned):
        assert driver.http.delete(f"/videos/{video['id']}").status_code == 204
    driver.publication_in(planned, channel, "withdrawn")
    assert len(list((tmp_path / "kept").glob("*.mp4"))) == 1
    assert_problem(driver.http.post(f"/publications/{scheduled['id']}/cancel"), 409)


# ---- the site and its numbers -----------------------------------------------------------------------------------


def test_the_site_counts_and_the_dashboard_shows_it(driver: Driver) -> None:
    url, site = driver.system.url, driver.site_channel()
    video = driver.made(title="On the site", options={**SMALL, "duration_seconds": 2}, recipe=BARE)
    driver.review(video, "approve", channels=[site])
    publication = driver.publication_in(video, site, "published")
    page = publication["external_url"]
    assert page.startswith(f"{url}/watch/")
    with httpx.Client(headers={"User-Agent": BROWSER}) as visitor:
        shown = visitor.get(page)
        assert shown.status_code == 200
        assert "On the site" in shown.text
        feed = visitor.get(f"{url}/watch/feed.xml")
        assert "<enclosure" in feed.text
        assert page in feed.text
        master = next(file for file in video["versions"][0]["files"] if file["role"] == "master")
        assert hashlib.sha256(visitor.get(f"{page}/video.mp4").content).hexdigest() == master["sha256"]
        visitor.post(f"{page}/events", json={"kind": "watch", "seconds": 0})
        time.sleep(2.2)
        assert visitor.post(f"{page}/events", json={"kind": "watch", "seconds": 2}).status_code == 204
        assert visitor.post(f"{page}/events", json={"kind": "like", "liked": True}).json()["likes"] == 1

    def row() -> Json | None:
        rows = driver.ok(driver.http.get("/analytics/publications"))["items"]
        return next((r for r in rows if r["publication_id"] == publication["id"] and r["values"].get("views")), None)

    found = wait_for(row, PATIENCE_SECONDS, "the view never arrived")
    assert found["values"]["views"] == 1
    assert found["values"]["likes"] == 1
    assert found["generator"] == "test-card"
    assert float(found["options"]["duration_seconds"]) == 2
    assert (found["video_id"], found["version"], found["platform"]) == (video["id"], 1, "site")
    summary = driver.ok(driver.http.get("/analytics/summary"))
    assert summary["totals"]["metrics"]["views"] == 1
    assert summary["totals"]["published"] >= 1
    assert summary["totals"]["approvals"] >= 1
    series = driver.ok(driver.http.get("/analytics/timeseries", params={"bucket": "hour", "metric": "views"}))
    assert sum(point["increment"] for point in series["series"][0]["points"]) == 1
    assert driver.http.delete(f"/videos/{video['id']}").status_code == 204
    assert httpx.get(f"{page}/video.mp4").status_code == 200, "the site keeps its own copy"


# ---- what people and programs are told --------------------------------------------------------------------------


def test_notifications_tell_the_whole_story(driver: Driver, tmp_path: Path) -> None:
    channel = driver.folder_channel(tmp_path / "told")
    video = driver.made(title="Told about", recipe=BARE)
    driver.review(video, "approve", channels=[channel])
    driver.publication_in(video, channel, "published")
    (tmp_path / "none.mp4").write_text("nothing")
    source = driver.send(tmp_path / "none.mp4")
    failed = driver.settled(driver.request("upload", title="Hopeless", options={"source": source})["id"])
    assert failed["state"] == "failed"

    def kinds() -> set[tuple[str, bool]]:
        items = driver.ok(driver.http.get("/notifications", params={"limit": 200}))["items"]
        named = [item for item in items if "Told about" in item["title"] or "Hopeless" in item["title"]]
        return {(item["kind"], "Hopeless" in item["title"]) for item in named}

    expected = {("created", False), ("ready", False), ("published", False), ("created", True), ("failed", True)}
    wait_for(lambda: expected <= kinds(), 30, f"only {kinds()}")


def test_webhooks_are_signed(driver: Driver) -> None:
    received: list[tuple[dict[str, str], bytes]] = []

    def note(request: Request) -> Response:
        received.append((dict(request.headers), request.get_data()))
        return Response(status=204)

    with HTTPServer("127.0.0.1") as receiver:
        receiver.expect_request("/hook").respond_with_handler(note)
        body = {"url": receiver.url_for("/hook"), "events": ["version.created", "version.ready"]}
        made = driver.ok(driver.http.post("/webhooks", json=body), 201)
        assert made["secret"].startswith("whsec_")
        assert driver.ok(driver.http.get(f"/webhooks/{made['id']}"))["secret"] is None
        video = driver.made(title="Hooked", recipe=BARE)
        wait_for(lambda: len(received) >= 2, 30, f"deliveries: {len(received)}")
        events = [Webhook(made["secret"]).verify(content, headers) for headers, content in received]
        assert [event["type"] for event in events] == ["version.created", "version.ready"]
        assert {event["data"]["video_id"] for event in events} == {video["id"]}
        with pytest.raises(Exception, match="signature"):
            Webhook(made["secret"]).verify(received[0][1] + b" ", received[0][0])
        assert driver.http.delete(f"/webhooks/{made['id']}").status_code == 204
    refused = driver.http.post("/webhooks", json={**body, "events": ["version.lost"]})
    assert_problem(refused, 422)


def test_live_events_show_a_render(driver: Driver) -> None:
    seen: list[Json] = []
    listening = threading.Event()
    done = threading.Event()

    def listen() -> None:
        with driver.system.client(PATIENCE_SECONDS) as http, http.stream("GET", "/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            for line in stream.iter_lines():
                listening.set()
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: ")))
                if done.is_set():
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert listening.wait(20)
    video = driver.made(options={"duration_seconds": 30, "width": 360, "height": 640}, title="Live", recipe=BARE)
    mine = [event for event in seen if event["data"].get("video_id") == video["id"]]
    kinds = {event["type"] for event in mine}
    assert {"version.created", "job.progress", "version.ready"} <= kinds
    progress = [event["data"]["progress"] for event in mine if event["type"] == "job.progress"]
    assert any(0 < value < 1 for value in progress)
    done.set()
    driver.request(recipe=BARE)
    thread.join(20)
    assert not thread.is_alive()


# ---- the command line ---------------------------------------------------------------------------------------------


def run_cli(driver: Driver, *arguments: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VIDEO_MANAGER_")}
    environment = {**kept, "VIDEO_MANAGER_DATA_DIR": str(driver.system.data_dir)}
    return subprocess.run(
        [sys.executable, "-m", "video_manager", *arguments], env=environment, capture_output=True, text=True,
        timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


def test_the_command_line_drives_the_running_system(driver: Driver, tmp_path: Path) -> None:
    options = [part for name, value in SMALL.items() for part in ("-o", f"{name}={value}")]
    target = tmp_path / "made.mp4"
    made = run_cli(driver, "make", "test-card", "--title", "By hand", *options, "--json", "--output", str(target))
    assert made.returncode == 0, made.stderr
    (video,) = json.loads(made.stdout)["items"]
    assert video["state"] == "in_review"
    assert driver.video(video["id"])["title"] == "By hand"
    master = next(file for file in video["versions"][0]["files"] if file["role"] == "master")
    assert hashlib.sha256(target.read_bytes()).hexdigest() == master["sha256"]
    wrong = run_cli(driver, "make", "test-card", "-o", "width=1", "--json")
    assert wrong.returncode != 0
    assert "options.width" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_key_made_by_the_command_line_is_all_it_prints(driver: Driver) -> None:
    made = run_cli(driver, "keys", "create", "--role", "admin", "--name", "ci")
    assert made.returncode == 0, made.stderr
    lines = made.stdout.splitlines()
    assert len(lines) == 1
    assert lines[0] == lines[0].strip()
    headers = {"Authorization": f"Bearer {lines[0]}"}
    assert httpx.get(f"{driver.system.url}/api/v1/keys", headers=headers).status_code == 200
