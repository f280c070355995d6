"""Which folders channels may write into."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from video_manager.errors import InvalidInput

FOLDER_FORMAT = "folder-path"
"""JSON Schema `format` of a publisher's option that names a folder to write into."""


class FolderPolicy:
    """Relative paths stay below `published_folder`; absolute ones lie below it or one of the `roots`. Symbolic links
    are followed first, so that none leads out. Nothing is written into `private`, the system's own folder."""

    def __init__(self, published_folder: Path, roots: tuple[Path, ...], private: Path | None = None) -> None:
        self._home = published_folder
        self._roots = roots
        self._private = private

    async def check(self, schema: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Raises InvalidInput naming the option whose folder is not allowed."""
        for name, part in schema.get("properties", {}).items():
            value = options.get(name)
            if part.get("format") == FOLDER_FORMAT and isinstance(value, str):
                await asyncio.to_thread(self._check, name, value)

    def _check(self, name: str, value: str) -> None:
        home = self._home.resolve()
        try:
            wanted = Path(value).expanduser()
        except RuntimeError as error:
            raise InvalidInput.field(
                f"options.{name}", f"{value!r} names the home of nobody on this machine"
            ) from error
        folder = (home / wanted).resolve()
        if not wanted.is_absolute():
            if not folder.is_relative_to(home):
                raise InvalidInput.field(f"options.{name}", f"{value!r} leads out of {home}")
            return
        inside = self._private is not None and folder.is_relative_to(self._private.resolve())
        if inside and not folder.is_relative_to(home):
            raise InvalidInput.field(
                f"options.{name}", f"{value!r} lies in the system's own data folder; choose another one"
            )
        allowed = [home, *(root.resolve() for root in self._roots)]
        if not any(folder.is_relative_to(root) for root in allowed):
            raise InvalidInput.field(
                f"options.{name}",
                f"{value!r} is not below a folder that channels may write into ({', '.join(map(str, allowed))}); "
                "use a relative path, or let an administrator add its parent to VIDEO_MANAGER_FOLDER_ROOTS",
            )
