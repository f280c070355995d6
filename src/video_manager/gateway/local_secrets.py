"""Secrets that this machine keeps for itself in the data folder, readable by its owner only."""

import os
import secrets
import uuid
from pathlib import Path

from video_manager.errors import SettingsError
from video_manager.settings import Settings


def session_secret(settings: Settings) -> str:
    """What signs the sessions: the setting, or one that is made once and kept."""
    if settings.session_secret is not None:
        return settings.session_secret.get_secret_value()
    return _kept_secret(settings.data_dir / "session-secret")


def local_actor_token(data_dir: Path) -> str:
    """Who can read this file may administer the system: it authenticates the CLI on this machine (Bearer)."""
    return _kept_secret(data_dir / "cli-token")


def _kept_secret(path: Path) -> str:
    """The file's text; made when missing. Complete before it is visible, and the first of two makers wins."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(made, path)
            except FileExistsError:
                pass
            finally:
                made.unlink()
        secret = path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"cannot keep a secret in {path}: {error.strerror}; check the data folder") from error
    if len(secret) < 32:
        raise SettingsError(f"{path} does not hold a secret; delete it and start again")
    return secret
