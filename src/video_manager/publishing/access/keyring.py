"""Encrypting secrets with keys that are outside the database (MultiFernet: the first key encrypts, all decrypt)."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from video_manager.errors import ActionRequiredError, SettingsError
from video_manager.kept_secret import kept_secret

KEY_FILE = "credential-keys"
SETTING = "VIDEO_MANAGER_CREDENTIAL_KEYS"


class Keyring:
    """`keys` are Fernet keys, the newest first; a keyring without any refuses all use, for services that never need
    one. Raises SettingsError for a wrong key, without showing it."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
        except ValueError as error:
            raise SettingsError(
                f"{SETTING} (or {KEY_FILE} in the data folder): each key must be 32 bytes in URL-safe base64, as "
                "`video-manager credentials new-key` makes them"
            ) from error
        self._fernets = MultiFernet(fernets) if fernets else None
        self._first = fernets[0] if fernets else None
        self.newest = hashlib.sha256(keys[0].encode()).hexdigest()[:12] if keys else ""
        """A name of the key that encrypts now, from which nobody finds the key."""

    @property
    def _all(self) -> MultiFernet:
        if self._fernets is None:
            raise SettingsError(f"{SETTING} is missing: `video-manager credentials new-key` makes a key")
        return self._fernets

    def seal(self, owner: str, content: dict[str, Any]) -> str:
        """Text that only this keyring opens, and only for the same owner."""
        return self._all.encrypt(json.dumps({"owner": owner, "content": content}).encode()).decode()

    def open(self, owner: str, sealed: str) -> dict[str, Any]:
        """Raises ActionRequiredError when the key is gone, or when the text was another owner's."""
        try:
            opened = json.loads(self._all.decrypt(sealed.encode()))
        except InvalidToken as error:
            raise ActionRequiredError(
                f"the secrets of {owner} cannot be decrypted: put the former key back into "
                "VIDEO_MANAGER_CREDENTIAL_KEYS, or connect the channel again"
            ) from error
        if opened["owner"] != owner:
            raise ActionRequiredError(f"the secrets of {owner} are somebody else's: connect the channel again")
        content: dict[str, Any] = opened["content"]
        return content

    def is_newest(self, sealed: str) -> bool:
        """Whether the newest key encrypted it."""
        try:
            return self._first is not None and bool(self._first.decrypt(sealed.encode()))
        except InvalidToken:
            return False

    def rotate(self, sealed: str) -> str:
        """The same, encrypted with the newest key. Raises ActionRequiredError when no key opens it."""
        try:
            return self._all.rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise ActionRequiredError("a secret cannot be decrypted with any of the keys: put its key back") from error


def new_key() -> str:
    return Fernet.generate_key().decode()


def keys_of(given: Sequence[str], folder: Path | None) -> Sequence[str]:
    """The keys that were given, and behind them those in a file of `folder`: what they encrypted stays readable. Where
    none was given the file is made once. None: no file is kept. Raises SettingsError."""
    if folder is None or (given and not (folder / KEY_FILE).exists()):
        return given
    return list(dict.fromkeys([*given, *kept_secret(folder / KEY_FILE, new_key).split()]))


def add_key(folder: Path, key: str) -> None:
    """Put a key before those in the file, which is replaced in one step. Raises SettingsError."""
    path = folder / KEY_FILE
    kept = keys_of((), folder)
    new = path.with_name(f".{KEY_FILE}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join([key, *kept]) + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
