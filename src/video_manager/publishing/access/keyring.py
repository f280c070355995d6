"""Encrypting secrets with keys that are outside the database (MultiFernet: the first key encrypts, all decrypt)."""

import hashlib
import json
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
            self._fernets = MultiFernet([Fernet(key) for key in keys]) if keys else None
        except ValueError as error:
            raise SettingsError(
                f"{SETTING}: each key must be 32 bytes in URL-safe base64, as "
                "`video-manager credentials new-key` makes them"
            ) from error
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

    def rotate(self, sealed: str) -> str:
        """The same, encrypted with the newest key. Raises ActionRequiredError when no key opens it."""
        try:
            return self._all.rotate(sealed.encode()).decode()
        except InvalidToken as error:
            raise ActionRequiredError("a secret cannot be decrypted with any of the keys: put its key back") from error


def keys_of(given: Sequence[str], folder: Path | None) -> Sequence[str]:
    """The keys that were given, else those in a file of `folder`, where one is made once; None: no file is kept."""
    if given or folder is None:
        return given
    return kept_secret(folder / KEY_FILE, lambda: Fernet.generate_key().decode()).split()
