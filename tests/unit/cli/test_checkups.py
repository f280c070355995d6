"""`doctor`: what is missing is told, with what to do."""

import socket
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from tests.unit.cli.conftest import Cli

from video_manager.cli import checkups
from video_manager.settings import Settings


def test_a_good_machine_passes(cli: Cli, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_PORT", str(free_port))
    done = cli("doctor", "--quick", "--json")
    levels = {item["subject"]: item["level"] for item in done.json["items"]}
    assert levels["ffmpeg"] == levels["fonts"] == levels["data folder"] == levels["port"] == "ok"
    assert done.code == 0
    assert "voice" not in levels


def test_wrong_settings_fail(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_PORT", "many")
    done = cli("doctor")
    assert done.code == 1
    assert "fail settings" in done.out
    assert "VIDEO_MANAGER_PORT" in done.out


def test_an_ffmpeg_that_is_none(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from video_manager.media.ffmpeg_binary import ffmpeg_path

    monkeypatch.setenv("VIDEO_MANAGER_FFMPEG", str(tmp_path / "none"))
    ffmpeg_path.cache_clear()
    try:
        assert checkups.check_ffmpeg().level == "fail"
    finally:
        ffmpeg_path.cache_clear()


def test_a_port_in_use(settings: Settings) -> None:
    assert checkups.check_port(settings).level == "ok"
    with socket.create_server((settings.host, settings.port)):
        found = checkups.check_port(settings)
        assert (found.level, found.advice) == ("fail", "end what uses it, or set VIDEO_MANAGER_PORT")
        (settings.data_dir / "server.json").write_text("{}")
        assert checkups.check_port(settings).level == "ok"


def test_a_port_that_a_service_of_the_cluster_uses(settings: Settings, httpserver: HTTPServer) -> None:
    beside = settings.model_copy(update={"host": "0.0.0.0", "port": httpserver.port})  # noqa: S104 - as in a container
    httpserver.expect_request("/health/ready").respond_with_data("hello")
    assert checkups.check_port(beside).level == "fail"
    httpserver.clear()
    httpserver.expect_request("/health/ready").respond_with_json({"status": "ok", "dependencies": {"bus": "ok"}})
    assert checkups.check_port(beside).level == "ok"


def test_a_folder_that_cannot_be_written() -> None:
    found = checkups.check_data_folder(Settings(data_dir=Path("/proc/none")))
    assert found.level == "fail"
    assert "VIDEO_MANAGER_DATA_DIR" in found.advice


def test_a_full_disk(settings: Settings) -> None:
    assert checkups.check_space(settings.model_copy(update={"min_free_bytes": 2**60})).level == "fail"


def test_passwords_without_encryption(settings: Settings) -> None:
    opened = settings.model_copy(update={"host": "0.0.0.0"})  # noqa: S104 - what is tested
    assert checkups.check_settings(opened).level == "warn"
    behind = opened.model_copy(update={"public_url": "https://studio.example.org"})
    assert checkups.check_settings(behind).level == "ok"


def test_every_failure_says_what_to_do() -> None:
    findings = list(checkups.examine(quick=True))
    assert all(finding.advice for finding in findings if finding.level != "ok")


def test_the_voice_speaks() -> None:
    assert checkups.check_voice().level == "ok"
