"""Settings: a wrong one stops the start with its name, and nothing falls back silently."""

import re
from pathlib import Path

import pytest

from video_manager.errors import SettingsError
from video_manager.settings import PREFIX, Settings, read_settings


def test_defaults_are_those_of_a_laptop() -> None:
    settings = read_settings()
    assert (settings.profile, settings.port, settings.host) == ("laptop", 8800, "127.0.0.1")
    assert settings.data_dir == Path.cwd() / "data"
    assert settings.base_url == "http://127.0.0.1:8800"
    assert settings.published_folder == settings.data_dir / "published"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("PROFILE", "desktop"),
        ("RENDER_SLOTS", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("PUBLIC_URL", "studio.example.org"),
        ("PUBLIC_URL", "https://studio.example.org/?a=b"),
        ("NOTIFY_URLS", "mailto://me"),
        ("SAMPLE_VIDEO", "perhaps"),
        ("RETENTION_DAYS", "-1"),
        ("RETENTION_DAYS", "inf"),
        ("SESSION_HOURS", "1e300"),
        ("UPLOAD_EXPIRY_HOURS", "nan"),
        ("ALLOWED_ORIGINS", "studio.example.org"),
        ("ALLOWED_ORIGINS", "https://studio.example.org/page"),
        ("TRUSTED_PROXIES", "10.0.0.1, proxy"),
        ("FOLDER_ROOTS", "videos"),
        ("SESSION_SECRET", ""),
    ],
)
def test_a_wrong_value_names_its_setting(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=re.escape(PREFIX + name)):
        read_settings()


def test_every_wrong_value_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_PORT", "x")
    monkeypatch.setenv("VIDEO_MANAGER_RENDER_SLOTS", "y")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "VIDEO_MANAGER_PORT" in caught.value.detail
    assert "VIDEO_MANAGER_RENDER_SLOTS" in caught.value.detail


def test_a_name_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_PROT", "80")
    with pytest.raises(SettingsError, match="VIDEO_MANAGER_PROT"):
        read_settings()


def test_leases_outlive_renewals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_LEASE_SECONDS", "5")
    with pytest.raises(SettingsError, match="lease_seconds"):
        read_settings()


@pytest.mark.parametrize("text", ["10.0.0.1 10.0.0.2", "10.0.0.1,10.0.0.2", " 10.0.0.1 , 10.0.0.2 "])
def test_lists_are_words(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_TRUSTED_PROXIES", text)
    assert read_settings().trusted_proxies == ("10.0.0.1", "10.0.0.2")


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_ADMIN_PASSWORD", "hunter2hunter2")
    monkeypatch.setenv("VIDEO_MANAGER_NOTIFY_URLS", '["mailto://me:hunter2@example.org"]')
    monkeypatch.setenv("VIDEO_MANAGER_WAREHOUSE_URL", "postgresql://u:hunter2@db/x")
    settings = read_settings()
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NOTIFY_URLS", '{"mailto://me:hunter2@example.org": 1}'),
        ("NOTIFY_URLS", '[["mailto://me:hunter2@example.org"]]'),
        ("SESSION_SECRET", "hunter2"),
    ],
)
def test_wrong_secrets_are_not_shown(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(SettingsError, match=PREFIX + name) as caught:
        read_settings()
    assert "hunter2" not in caught.value.detail


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"host": "0.0.0.0"}, "http://127.0.0.1:8800"),  # noqa: S104 - what is tested
        ({"host": "::1"}, "http://[::1]:8800"),
        ({"port": 9000}, "http://127.0.0.1:9000"),
        ({"public_url": "https://studio.example.org/"}, "https://studio.example.org"),
    ],
)
def test_links_lead_where_people_can_go(given: dict[str, str], expected: str) -> None:
    assert Settings(**given).base_url == expected


def test_the_cluster_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_PROFILE", "cluster")
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert refused.value.detail.startswith("wrong settings:\n  VIDEO_MANAGER_MONGODB_URL is missing")
    monkeypatch.setenv("VIDEO_MANAGER_MONGODB_URL", "mongodb://h/d")
    with pytest.raises(SettingsError, match="VIDEO_MANAGER_RABBITMQ_URL is missing"):
        read_settings()
    monkeypatch.setenv("VIDEO_MANAGER_RABBITMQ_URL", "amqp://h/")
    assert not read_settings().keeps_data


def test_an_adapter_of_its_own_keeps_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """One setting overrides one adapter of the profile; what still lies in the data folder keeps it locked."""
    monkeypatch.setenv("VIDEO_MANAGER_BUS", "rabbitmq")
    monkeypatch.setenv("VIDEO_MANAGER_RABBITMQ_URL", "amqp://h/")
    settings = read_settings()
    assert (settings.uses_rabbitmq, settings.uses_mongodb, settings.uses_gridfs) == (True, False, False)
    assert settings.keeps_data
