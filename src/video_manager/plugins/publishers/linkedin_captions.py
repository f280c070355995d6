"""Captions as LinkedIn takes them: SubRip, in a form, together with a few words about them."""

import html
import json
from pathlib import Path
from typing import Any

from video_manager.errors import PermanentError

MOST_BYTES = 2 * 2**20
"""Ours, as they are held in memory: far more than half an hour of speech needs."""


def converted(captions: Path) -> bytes:
    """The captions (WebVTT, SubRip and what else pysubs2 reads) as SubRip; empty where nothing is said. Raises
    PermanentError for a file that is none of these."""
    import pysubs2  # noqa: PLC0415 - the idle server never needs it

    try:
        document = pysubs2.load(str(captions))
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise PermanentError(f"the captions cannot be converted to SubRip: {error}") from error
    for event in document.events:
        if document.format == "vtt":
            event.text = html.unescape(event.text)
    document.events = [event for event in document.events if event.plaintext.strip()]
    return document.to_string("srt").encode()


def form_of(subrip: bytes, language: str) -> dict[str, Any]:
    """The body of the request, as httpx wants it."""
    about = {
        "format": "SRT", "formattedForEasyReader": True, "largeText": True, "source": "USER_PROVIDED",
        "locale": _locale(language), "transcriptType": "CLOSED_CAPTION",
    }  # fmt: skip
    file = ("captions.srt", subrip, "application/octet-stream")
    return {"data": {"metadata": json.dumps(about)}, "files": {"file": file}}


def _locale(language: str) -> dict[str, str]:
    """Of a BCP 47 tag: its language and, where it names one of two letters, its region."""
    first, *rest = language.split("-")
    region = next((part for part in rest if len(part) == 2), None)
    return {"language": (first or "en").upper(), **({"country": region.upper()} if region else {})}
