"""Edits of a version's metadata."""

from video_manager.domain.video import Metadata, Version, Video
from video_manager.errors import InvalidInput
from video_manager.manager.requests import MetadataEdit


def merge_metadata(video: Video, version: Version, metadata: Metadata, edit: MetadataEdit | None) -> Metadata:
    """The metadata with what the edit names. Raises InvalidInput for a thumbnail that is no candidate."""
    if edit is None:
        return metadata
    given = {name: getattr(edit, name) for name in edit.model_fields_set if getattr(edit, name) is not None}
    if "tags" in given:
        given["tags"] = tuple(dict.fromkeys(given["tags"]))
    candidates = {file.id for file in version.thumbnails()}
    if "thumbnail" in given and given["thumbnail"] not in candidates:
        raise InvalidInput.field(
            "metadata.thumbnail",
            f"{given['thumbnail']!r} is no thumbnail of version {version.number} of video {video.id}",
        )
    return metadata.with_(**given)
