import stat
import threading
from pathlib import Path

import pytest
from pydantic import SecretStr

from video_manager.errors import SettingsError
from video_manager.gateway.local_secrets import local_actor_token, session_secret
from video_manager.settings import Settings


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(settings: Settings) -> None:
    token = local_actor_token(settings.data_dir)
    assert len(token) >= 48
    assert local_actor_token(settings.data_dir) == token
    path = settings.data_dir / "cli-token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in settings.data_dir.iterdir()] == ["cli-token"]
    assert session_secret(settings) != token


def test_the_setting_comes_first(settings: Settings) -> None:
    assert session_secret(settings.model_copy(update={"session_secret": SecretStr("mine")})) == "mine"


def test_all_who_start_at_once_get_the_same(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(local_actor_token(tmp_path / "new"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_damaged_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "cli-token").write_text("")
    with pytest.raises(SettingsError, match="delete it"):
        local_actor_token(tmp_path)


def test_a_folder_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot keep a secret"):
        local_actor_token(tmp_path / "file")
