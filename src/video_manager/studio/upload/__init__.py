"""Sending files from the browser: resumable (tus), with progress."""

from video_manager.studio.upload.source_upload import SentFile, SourceUpload

__all__ = ["SentFile", "SourceUpload"]
