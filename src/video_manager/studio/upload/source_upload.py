"""A place to drop files. The bytes go from the browser to the gateway's tus address, not through the page's socket."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

UPLOADS_URL = "/api/v1/uploads"


@dataclass(frozen=True)
class SentFile:
    """A file that has arrived whole; options name it by its id."""

    id: str
    name: str
    size_bytes: int


class SourceUpload(Element, component="source_upload.js", esm={"vm-studio": "../browser"}):
    """`accept` is a MIME pattern such as `image/*`. `on_change` gets the files that are there, in their order."""

    def __init__(
        self, on_change: Callable[[list[SentFile]], Any], *, accept: str = "", multiple: bool = False,
        files: Sequence[SentFile] = (), max_bytes: int = 0, hint: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        self.files = list(files)
        self._props.update(
            endpoint=UPLOADS_URL, accept=accept, multiple=multiple, maxBytes=max_bytes, hint=hint,
            files=[vars(file) for file in files],
        )  # fmt: skip
        self._on_change = on_change
        self.on("files", self._receive)

    async def _receive(self, event: GenericEventArguments) -> None:
        sent: Any = event.args
        self.files = [
            SentFile(str(one["id"])[:120], str(one["name"])[:300], int(one["size_bytes"]))
            for one in (sent if isinstance(sent, list) else [])
        ]
        result = self._on_change(self.files)
        if inspect.isawaitable(result):
            await result
