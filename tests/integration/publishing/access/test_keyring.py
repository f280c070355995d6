from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from tests.integration.publishing.access.access_world import vault_of
from tests.integration.publishing.conftest import World

from video_manager.errors import ActionRequiredError, SettingsError
from video_manager.plugins.api import OAuthApp, Token
from video_manager.publishing.access.keyring import KEY_FILE, Keyring, add_key, keys_of, new_key
from video_manager.publishing.access.vault import Secrets

OLD, NEW = new_key(), new_key()


def test_only_the_owner_opens_what_was_sealed() -> None:
    keyring = Keyring([OLD])
    sealed = keyring.seal("a", {"token": "t-1234"})
    assert "t-1234" not in sealed
    assert keyring.open("a", sealed) == {"token": "t-1234"}
    with pytest.raises(ActionRequiredError, match="the secrets of b are somebody else's"):
        keyring.open("b", sealed)


def test_a_new_key_in_front_reads_everything_and_rotates_it() -> None:
    sealed = Keyring([OLD]).seal("a", {"x": 1})
    both = Keyring([NEW, OLD])
    assert both.open("a", sealed) == {"x": 1}
    assert not both.is_newest(sealed)
    rotated = both.rotate(sealed)
    assert both.is_newest(rotated)
    assert Keyring([NEW]).open("a", rotated) == {"x": 1}
    assert Fernet(NEW).extract_timestamp(rotated.encode()) == Fernet(OLD).extract_timestamp(sealed.encode())


def test_without_its_key_a_secret_asks_for_the_key() -> None:
    sealed = Keyring([OLD]).seal("a", {"x": 1})
    for attempt in (lambda: Keyring([NEW]).open("a", sealed), lambda: Keyring([NEW]).rotate(sealed)):
        with pytest.raises(ActionRequiredError, match="key"):
            attempt()


@pytest.mark.parametrize("key", ["short", "ä" * 44, OLD[:-2], "a" * 200], ids=["short", "umlauts", "cut off", "long"])
def test_a_wrong_key_is_named_by_its_setting_and_never_shown(key: str) -> None:
    with pytest.raises(SettingsError, match="VIDEO_MANAGER_CREDENTIAL_KEYS") as caught:
        Keyring([NEW, key])
    assert key not in str(caught.value)


def test_a_keyring_without_keys_refuses_all_use() -> None:
    with pytest.raises(SettingsError, match="VIDEO_MANAGER_CREDENTIAL_KEYS is missing"):
        Keyring([]).seal("a", {})


def test_the_laptop_makes_one_key_and_keeps_it(tmp_path: Path) -> None:
    made = keys_of((), tmp_path)
    assert len(made) == 1
    assert keys_of((), tmp_path) == made
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert keys_of((), None) == ()
    # A key that is named later encrypts from then on; what the file's key encrypted stays readable.
    assert keys_of((NEW,), tmp_path) == [NEW, *made]
    add_key(tmp_path, OLD)
    assert keys_of((), tmp_path) == [OLD, *made]
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_keys_that_are_given_leave_no_file(tmp_path: Path) -> None:
    assert keys_of((NEW,), tmp_path) == (NEW,)
    assert not list(tmp_path.iterdir())


async def test_rows_that_were_swapped_in_the_database_are_noticed(world: World) -> None:
    vault, now = vault_of(world), datetime.now(UTC)
    await vault.put("mine", Secrets(options={"token": "mine"}), now)
    await vault.put("theirs", Secrets(options={"token": "theirs"}), now)
    theirs = await vault.load("theirs")
    assert theirs is not None
    await vault.change("mine", lambda row: row.with_(sealed=theirs.value.sealed))
    with pytest.raises(ActionRequiredError, match="somebody else's"):
        await vault.get("mine")
    assert (await vault.get("theirs")).options == {"token": "theirs"}


async def test_what_is_kept_comes_back_as_it_was_and_cannot_be_read_in_the_store(world: World) -> None:
    vault, now = vault_of(world), datetime.now(UTC)
    token = Token("access-1", expires_at=now, refresh="refresh-1", scopes=("a", "b"))
    secrets = Secrets({"password": "pw-1"}, token, now, {"page": Token("access-2")}, "verifier-1",
                      OAuthApp("id-1", "app-secret-1"))  # fmt: skip
    await vault.put("mine", secrets, now)
    assert await vault.get("mine") == secrets
    assert await vault.get("nobody") == Secrets()
    row = await vault.load("mine")
    assert row is not None
    text = row.value.model_dump_json()
    assert not [word for word in ("access-1", "refresh-1", "pw-1", "access-2", "verifier-1") if word in text]
