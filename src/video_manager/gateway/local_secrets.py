"""Secrets that this machine keeps for itself in the data folder, readable by its owner only."""

import secrets
from pathlib import Path

from video_manager.kept_secret import kept_secret
from video_manager.settings import Settings


def session_secret(settings: Settings) -> str:
    """What signs the sessions: the setting, or one that is made once and kept."""
    if settings.session_secret is not None:
        return settings.session_secret.get_secret_value()
    return kept_secret(settings.data_dir / "session-secret", _random)


def local_actor_token(data_dir: Path) -> str:
    """Who can read this file may administer the system: it authenticates the CLI on this machine (Bearer)."""
    return kept_secret(data_dir / "cli-token", _random)


def _random() -> str:
    return secrets.token_urlsafe(48)
