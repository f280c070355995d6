"""Secrets that this machine keeps for itself in a folder, readable by its owner only."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

from video_manager.errors import SettingsError

_FEWEST_CHARACTERS = 32


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The file's text; made when missing. Complete before it is visible, and the first of two makers wins."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
            with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(make())
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
    if len(secret) < _FEWEST_CHARACTERS:
        raise SettingsError(f"{path} does not hold a secret; delete it and start again")
    return secret
