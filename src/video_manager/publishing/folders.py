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
    are followed first, so that none leads out."""

    def __init__(self, published_folder: Path, roots: tuple[Path, ...]) -> None:
        self._home = published_folder
        self._roots = roots

    async def check(self, schema: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """Raises InvalidInput naming the option whose folder is not allowed."""
        for name, part in schema.get("properties", {}).items():
            value = options.get(name)
            if part.get("format") == FOLDER_FORMAT and isinstance(value, str):
                await asyncio.to_thread(self._check, name, value)

    def _check(self, name: str, value: str) -> None:
        home = self._home.resolve()
        wanted = Path(value).expanduser()
        folder = (home / wanted).resolve()
        if not wanted.is_absolute():
            if not folder.is_relative_to(home):
                raise InvalidInput.field(f"options.{name}", f"{value!r} leads out of {home}")
            return
        allowed = [home, *(root.resolve() for root in self._roots)]
        if not any(folder.is_relative_to(root) for root in allowed):
            raise InvalidInput.field(
                f"options.{name}",
                f"{value!r} is not below a folder that channels may write into ({', '.join(map(str, allowed))}); "
                "use a relative path, or let an administrator add its parent to VIDEO_MANAGER_FOLDER_ROOTS",
            )
