"""Answers that only uploads give."""

from typing import ClassVar

from video_manager.errors import VideoManagerError


class UploadBusy(VideoManagerError):
    code: ClassVar[str] = "upload_busy"
    status: ClassVar[int] = 423
    retry_after_seconds = 1.0


class UploadGone(VideoManagerError):
    code: ClassVar[str] = "upload_expired"
    status: ClassVar[int] = 410


class ChecksumMismatch(VideoManagerError):
    code: ClassVar[str] = "checksum_mismatch"
    status: ClassVar[int] = 460
    """As the tus protocol has it; no registered HTTP status."""


class UnknownChecksum(VideoManagerError):
    code: ClassVar[str] = "unknown_checksum"
    status: ClassVar[int] = 400


class WrongProtocolVersion(VideoManagerError):
    code: ClassVar[str] = "wrong_protocol_version"
    status: ClassVar[int] = 412


class WrongContentType(VideoManagerError):
    code: ClassVar[str] = "wrong_content_type"
    status: ClassVar[int] = 415


class SenderTooSlow(VideoManagerError):
    code: ClassVar[str] = "sender_too_slow"
    status: ClassVar[int] = 408
