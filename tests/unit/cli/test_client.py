"""How the command line meets the API: pages, problems, lost answers, and finding the server."""

import fcntl
import json
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from tests.unit.cli.conftest import TOKEN, Cli, a_video
from werkzeug import Request, Response


def test_lists_go_on_page_by_page(cli: Cli, server: HTTPServer) -> None:
    first, second = a_video(title="First"), a_video(title="Second")
    server.expect_request("/api/v1/videos", query_string={"limit": "50", "state": "in_review"}).respond_with_json(
        {"items": [first], "next": "c1"}
    )
    server.expect_request("/api/v1/videos", query_string={"limit": "49", "cursor": "c1", "state": "in_review"}) \
        .respond_with_json({"items": [second], "next": None})  # fmt: skip
    done = cli("videos", "list", "--state", "in_review", "--json")
    assert [video["title"] for video in done.json["items"]] == ["First", "Second"]


def test_requests_are_signed_in(cli: Cli, server: HTTPServer) -> None:
    server.expect_request("/api/v1/users", headers={"Authorization": f"Bearer {TOKEN}"}).respond_with_json(
        {"items": [], "next": None}
    )
    assert cli("users", "list").code == 0


@pytest.mark.parametrize(("status", "code"), [(422, 2), (404, 2), (409, 2), (401, 3), (429, 1), (507, 1), (500, 1)])
def test_problems_are_told_in_their_own_words(cli: Cli, server: HTTPServer, status: int, code: int) -> None:
    problem = {"title": "Wrong", "status": status, "detail": "it cannot be", "errors": []}
    server.expect_request("/api/v1/publications/p1/retry").respond_with_json(problem, status=status)
    done = cli("publications", "retry", "p1")
    assert done.code == code
    assert done.err.startswith("Error: it cannot be")
    assert "Traceback" not in done.err


def test_each_wrong_field_has_its_line(cli: Cli, server: HTTPServer) -> None:
    errors = [{"field": "options.path", "reason": "is needed"}, {"field": "name", "reason": "is too long"}]
    server.expect_request("/api/v1/channels").respond_with_json(
        {"title": "Unprocessable Content", "status": 422, "detail": "x", "errors": errors}, status=422
    )
    done = cli("channels", "add", "folder", "Archive")
    assert "  options.path: is needed\n  name: is too long" in done.err


def test_an_answer_that_is_no_problem_document(cli: Cli, server: HTTPServer) -> None:
    server.expect_request("/api/v1/channels").respond_with_data("<html>Bad gateway</html>", status=502)
    done = cli("channels", "list")
    assert done.code == 1
    assert "502" in done.err


def test_a_lost_answer_is_asked_for_again_with_the_same_key(cli: Cli, server: HTTPServer) -> None:
    keys: list[str] = []

    def answer(request: Request) -> Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:  # the connection breaks after the server did its work
            request.environ["werkzeug.socket"].shutdown(2)
        return Response(json.dumps({"id": "k", "key": "vm_1_secret"}), content_type="application/json")

    server.expect_request("/api/v1/keys", method="POST").respond_with_handler(answer)
    done = cli("keys", "create", "--role", "admin", "--name", "ci")
    assert done.out == "vm_1_secret\n"
    assert len(keys) == 2
    assert keys[0] == keys[1]


def test_a_key_is_printed_alone(cli: Cli, server: HTTPServer) -> None:
    server.expect_request("/api/v1/keys", json={"role": "admin", "name": "ci"}).respond_with_json(
        {"id": "k", "key": "vm_1_secret"}
    )
    done = cli("keys", "create", "--role", "admin", "--name", "ci")
    assert (done.out, done.err) == ("vm_1_secret\n", "")


def test_a_server_that_does_not_answer(
    cli: Cli, data_dir: Path, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from video_manager.cli import connection

    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.5)
    (data_dir / "cli-token").write_text(TOKEN)
    (data_dir / "server.json").write_text(json.dumps({"url": f"http://127.0.0.1:{free_port}", "pid": 1}))
    with (data_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cli("videos", "list")
    assert done.code == 3
    assert "does not answer" in done.err


def test_a_folder_that_another_command_uses(cli: Cli, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from video_manager.cli import connection

    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.3)
    with (data_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cli("videos", "list")
    assert done.code == 3
    assert "another video-manager command" in done.err


def test_a_token_of_somebody_else(cli: Cli, server: HTTPServer, data_dir: Path) -> None:
    (data_dir / "cli-token").unlink()
    done = cli("videos", "list")
    assert done.code == 3
    assert "same user" in done.err


def test_users_get_a_password_that_is_shown_once(cli: Cli, server: HTTPServer) -> None:
    given: list[str] = []

    def answer(request: Request) -> Response:
        given.append(request.get_json()["password"])
        return Response(json.dumps({"id": "u", "name": "ann"}), content_type="application/json")

    server.expect_request("/api/v1/users", method="POST").respond_with_handler(answer)
    done = cli("users", "add", "ann", "--role", "reviewer")
    assert done.out == given[0] + "\n"
    assert len(given[0]) >= 16


def test_a_video_is_found_by_the_beginning_of_its_id(cli: Cli, server: HTTPServer) -> None:
    video = a_video()
    server.expect_request("/api/v1/videos").respond_with_json({"items": [video], "next": None})
    server.expect_request(f"/api/v1/videos/{video['id']}").respond_with_json(video)
    server.expect_request(f"/api/v1/videos/{video['id']}/cancel", method="POST").respond_with_json(video)
    assert "1080x1920, 30.0 s" in cli("videos", "show", "v1").out
    assert cli("videos", "cancel", "v1").code == 0


def test_a_wall_clock_time_goes_with_its_zone(cli: Cli, server: HTTPServer) -> None:
    video = a_video("approved")
    sent: list[dict[str, object]] = []

    def answer(request: Request) -> Response:
        sent.append(request.get_json())
        return Response(json.dumps(video), content_type="application/json")

    server.expect_request("/api/v1/channels").respond_with_json({"items": [{"id": "c1", "name": "Archive"}]})
    server.expect_request(f"/api/v1/videos/{video['id']}", method="GET").respond_with_json(video)
    server.expect_request(f"/api/v1/videos/{video['id']}/review").respond_with_handler(answer)
    done = cli("review", video["id"], "approve", "--channel", "archive", "--at", "2026-11-24T18:00", "--zone",
               "Europe/Berlin")  # fmt: skip
    assert done.code == 0, done.err
    assert sent == [{"version": 1, "decision": "approve", "reason": "", "channels": ["c1"],
                     "publish_at": {"local": "2026-11-24T18:00", "zone": "Europe/Berlin"}}]  # fmt: skip
