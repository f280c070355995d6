"""The texts of a post, made by a channel's templates (Jinja2, sandboxed: a template is a text that people write)."""

import re
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from video_manager.domain.posting import Draft, PostTexts
from video_manager.domain.video import Metadata
from video_manager.errors import FieldError, InvalidInput

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_CHARACTERS = 20_000
VARIABLES = ("title", "description", "tags", "hashtags", "language", "channel", "date", "video_id", "version")
"""What a template may name; `tags` is a list, `hashtags` a text, `date` is YYYY-MM-DD."""


def compose_texts(texts: PostTexts, draft: Draft, channel: str, now: datetime) -> Metadata:
    """The draft's texts as the channel's templates say. Raises InvalidInput naming the template that is wrong."""
    metadata = draft.metadata
    tags = tuple(dict.fromkeys((*metadata.tags, *texts.tags))) if "tags" not in draft.own else metadata.tags
    variables = _variables(draft, metadata.with_(tags=tags), channel, now)
    changes: dict[str, Any] = {"tags": tags}
    for field in ("title", "description"):
        template = getattr(texts, field)
        if template and field not in draft.own:
            changes[field] = _rendered(field, template, variables)
    if "title" in changes:
        changes["title"] = " ".join(changes["title"].split())
    return metadata.with_(**changes)


def check_texts(texts: PostTexts) -> None:
    """Raises InvalidInput for a template that cannot be used, before it is saved."""
    sample = dict.fromkeys(VARIABLES, "x") | {"tags": ["x"], "version": 1}
    for field in ("title", "description"):
        if getattr(texts, field):
            _rendered(field, getattr(texts, field), sample)


def hashtag(tag: str) -> str:
    """`Am Meer!` as `#AmMeer`; nothing for a tag without letters or digits."""
    words = re.findall(r"\w+", tag)
    joined = "".join(word[:1].upper() + word[1:] for word in words) if len(words) > 1 else "".join(words)
    return f"#{joined}" if joined else ""


def _variables(draft: Draft, metadata: Metadata, channel: str, now: datetime) -> dict[str, Any]:
    return {
        "title": metadata.title, "description": metadata.description, "tags": list(metadata.tags),
        "hashtags": " ".join(filter(None, map(hashtag, metadata.tags))), "language": metadata.language,
        "channel": channel, "date": now.date().isoformat(), "video_id": draft.video_id, "version": draft.version,
    }  # fmt: skip


def _rendered(field: str, template: str, variables: dict[str, Any]) -> str:
    from jinja2 import TemplateError  # noqa: PLC0415 - most services never need it

    try:
        # A template can repeat itself without end: pieces are counted as they come.
        pieces, length = [], 0
        for piece in _compiled(template).generate(**variables):
            pieces.append(piece)
            length += len(piece)
            if length > MOST_CHARACTERS:
                raise _wrong(field, f"makes more than {MOST_CHARACTERS} characters")
        return "".join(pieces).strip()
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
        raise _wrong(field, f"{error}; the variables are {', '.join(VARIABLES)}") from error


@lru_cache(maxsize=256)
def _compiled(template: str) -> "Template":
    return _environment().from_string(template)


@cache
def _environment() -> "ImmutableSandboxedEnvironment":
    from jinja2 import StrictUndefined  # noqa: PLC0415 - most services never need it
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(f"texts.{field}: {reason}", [FieldError(f"texts.{field}", reason)])
