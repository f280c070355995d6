"""What would be posted of a version to one channel: texts, the platform's own options, what speaks against it."""

import hashlib
import json
from typing import Any

from pydantic import Field

from video_manager.domain.model import Frozen
from video_manager.domain.video import Finding, MediaFile, Metadata


class PostTexts(Frozen):
    """Templates that make a channel's texts out of a video's, such as `{{ title }} | My channel`; an empty one leaves
    the text as it is. `tags` are added to the video's."""

    title: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()


class Draft(Frozen):
    """What a person approves for a channel. `own` are the texts that they wrote for this channel alone: no template
    changes those. `options` are what they chose for it; the channel's defaults fill in the rest."""

    video_id: str
    version: int
    metadata: Metadata
    master: MediaFile
    thumbnail: MediaFile | None = None
    captions: MediaFile | None = None
    own: frozenset[str] = frozenset()
    options: dict[str, Any] = Field(default_factory=dict)


class Composed(Frozen):
    """The draft as the channel would post it. `options` are complete; an `error` among the findings is what the
    platform would refuse."""

    channel_id: str
    channel_name: str
    platform: str
    metadata: Metadata
    options: dict[str, Any] = Field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def text_sha256(metadata: Metadata, options: dict[str, Any]) -> str:
    """What binds an approval to its texts and choices, as the sha256 of a file binds it to the bytes."""
    said = {"metadata": metadata.model_dump(mode="json"), "options": options}
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
