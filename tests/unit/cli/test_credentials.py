"""Keys at the command line: printed, put first into the data folder's file, and everything encrypted anew."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from tests.unit.cli.conftest import Cli

from video_manager.publishing.access.keyring import KEY_FILE, Keyring, keys_of


def test_a_new_key_is_one_that_the_setting_takes_and_every_time_another(cli: Cli, data_dir: Path) -> None:
    first, second = (cli("credentials", "new-key").out.strip() for _ in range(2))
    assert first != second
    assert Keyring([first, second]).newest
    assert not (data_dir / KEY_FILE).exists()


def test_a_key_is_added_before_those_that_are_there(cli: Cli, data_dir: Path) -> None:
    (before,) = keys_of((), data_dir)
    added = cli("credentials", "new-key", "--add")
    assert (added.code, added.out) == (0, "")
    kept = keys_of((), data_dir)
    assert kept[1:] == [before]
    assert kept[0] != before


def test_where_the_setting_has_the_keys_the_file_is_left_alone(
    cli: Cli, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_CREDENTIAL_KEYS", "a" * 43 + "=")
    refused = cli("credentials", "new-key", "--add")
    assert refused.code == 2
    assert "VIDEO_MANAGER_CREDENTIAL_KEYS" in refused.err
    assert not (data_dir / KEY_FILE).exists()


def test_rotating_goes_on_to_the_end_and_counts(cli: Cli, server: HTTPServer) -> None:
    def step(cursor: str | None, answer: dict[str, object]) -> None:
        request = server.expect_oneshot_request("/api/v1/credentials/rotate", "POST", json={"cursor": cursor})
        request.respond_with_json({"credentials": 0, "handles": 0, "looked_at": 0, "unreadable": [], **answer})

    step(None, {"credentials": 3, "looked_at": 3, "next": ""})
    step("", {"handles": 2, "looked_at": 200, "next": "abc"})
    step("abc", {"handles": 1, "looked_at": 4, "next": None})
    done = cli("credentials", "rotate")
    assert done.code == 0
    assert "3 secrets, and the upload handles of 3 publications, were encrypted anew; 207 were looked at" in done.err
    step(None, {"unreadable": ["lost"], "next": None})
    failed = cli("credentials", "rotate")
    assert (failed.code, "No key opens these: lost" in failed.err) == (1, True)


def test_signing_in_needs_a_running_system(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_SAMPLE_VIDEO", "false")
    refused = cli("channels", "connect", "youtube", "News")
    assert (refused.code, "no system is running" in refused.err) == (3, True)


def test_an_app_is_shown_and_entered_without_its_secret_on_the_screen(
    cli: Cli, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = {"platform": "youtube", "title": "YouTube", "client_id": None, "registered": False, "guide": "Register.",
           "redirect_url": "https://v.example/oauth/youtube/callback", "scopes": ["a", "b"]}  # fmt: skip
    server.expect_oneshot_request("/api/v1/platforms/youtube/app", "GET").respond_with_json(app)
    shown = cli("channels", "app", "youtube")
    assert ("not entered yet" in shown.out, app["redirect_url"] in shown.out) == (True, True)
    body = {"client_id": "id-1", "client_secret": "the-secret"}
    request = server.expect_oneshot_request("/api/v1/platforms/youtube/app", "PUT", json=body)
    request.respond_with_json({**app, "client_id": "id-1", "registered": True})
    monkeypatch.setattr("typer.prompt", lambda *_words, **_how: "the-secret")
    entered = cli("channels", "app", "youtube", "--client-id", "id-1")
    assert ("id-1" in entered.out, "the-secret" in entered.out + entered.err) == (True, False)
