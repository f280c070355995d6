"""What all plugin kinds share: options, the context of a call, and the limits of platforms."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict


class Options(BaseModel):
    """Base of every plugin's options: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


OptionsT = TypeVar("OptionsT", bound=Options)

SOURCE_FILE_FORMAT = "source-file"
"""JSON Schema `format` of a string option that holds the id of an uploaded source file."""


def source_file(description: str, accept: str, **field_options: Any) -> Any:
    """A field that holds the id of an uploaded file; `accept` is a MIME pattern such as `image/*`."""
    extra: JsonDict = {"format": SOURCE_FILE_FORMAT, "x-accept": accept}
    return Field(description=description, json_schema_extra=extra, **field_options)


def drawn(choices: Sequence[Any], description: str, **field_options: Any) -> Any:
    """An optional field that is drawn from `choices` by the seed when the person leaves it open.

    The drawn value is stored in the RenderSpec, so that the same spec renders the same video again and the
    analytics can compare the choices. Declare the field as `T | None`.
    """
    return Field(default=None, description=description, json_schema_extra={"x-draw": list(choices)}, **field_options)


class MediaTool(Protocol):
    """Runs ffmpeg for a plugin: with progress, cancellation, a nice level, and its words in the error."""

    async def ffmpeg(
        self, arguments: Sequence[str], *, total_seconds: float | None = None, stage: str | None = None
    ) -> str:
        """Run ffmpeg with these arguments (without the program's name) and return its log (stderr).

        `total_seconds` is the length of the output; given together with `stage`, progress is reported.
        Raises PermanentError with ffmpeg's last lines when it fails, StorageFull when the disk is full.
        """
        ...


class Context(Protocol):
    """What the system hands to every plugin call."""

    @property
    def work_folder(self) -> Path:
        """An empty folder of this call alone; removed afterwards."""
        ...

    @property
    def log(self) -> logging.Logger: ...

    @property
    def media(self) -> MediaTool: ...

    @property
    def secrets(self) -> Mapping[str, str]:
        """Secrets of the plugin's own settings or of the channel, by name. Never log them."""
        ...

    def progress(self, fraction: float, stage: str) -> None:
        """Report progress: `fraction` 0..1 of this call, `stage` a few words for people. Cheap; call often."""
        ...


class Plugin:
    """What all kinds share. `name` is lower case, stable, and unique within its kind."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    Options: ClassVar[type[Options]]


class PlatformLimits(BaseModel):
    """What a platform accepts; None means no limit known. Aspect ratios are width / height."""

    model_config = ConfigDict(frozen=True)

    max_duration_seconds: float | None = None
    min_duration_seconds: float | None = None
    max_size_bytes: int | None = None
    min_aspect: float | None = None
    max_aspect: float | None = None
    max_title_characters: int | None = None
    max_description_characters: int | None = None
    max_tags_characters: int | None = None
