"""Who is in front of an open page. The page's age is never trusted: every handler asks again."""

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.errors import FieldError, InvalidInput, Unauthenticated, VideoManagerError
from video_manager.studio.drafts import Drafts
from video_manager.studio.formats import sentence
from video_manager.studio.live import Live
from video_manager.studio.parts import StudioParts

ResultT = TypeVar("ResultT")
log = logging.getLogger(__name__)

ZONE_COOKIE = "vm_zone"
THEME_COOKIE = "vm_theme"


class FieldPlaces(Protocol):
    """Something that shows wrong fields where they are; returns those it has no place for."""

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]: ...


@dataclass(frozen=True)
class Visit:
    """One open page: its request, who opened it (only to choose what is drawn), and the viewer's zone."""

    parts: StudioParts
    live: Live
    drafts: Drafts
    request: Request
    opener: Actor
    zone: ZoneInfo
    opened_at: float = field(default_factory=time.monotonic)
    """Before anything of the page was read, on the monotonic clock."""

    async def current_actor(self) -> Actor:
        """Who is signed in now with this page's session. Raises Unauthenticated after a sign-out."""
        actor = await self.parts.access.actor_of_session(self.request.scope.get("session", {}))
        if actor is None:
            raise Unauthenticated("you are signed out: sign in again to go on")
        return actor

    def may(self, right: Right) -> bool:
        """Whether to draw a button at all; the use case decides again when it is pressed."""
        return self.opener.may(right)

    async def attempt(
        self, use_case: Callable[[Actor], Awaitable[ResultT]], *, done: str | None = None,
        then: Callable[[ResultT], Any] | None = None, fields: FieldPlaces | None = None,
    ) -> bool:  # fmt: skip
        """Run a use case as whoever is signed in now. Every refusal becomes a sentence on the page, wrong fields go
        to their places. False when it was refused."""
        if fields is not None:
            fields.show_errors(())
        try:
            result = await use_case(await self.current_actor())
        except VideoManagerError as error:
            self.tell_error(error, fields)
            return False
        if done:
            tell(done)
        if then is not None:
            following = then(result)
            if inspect.isawaitable(following):
                await following
        return True

    def act(
        self, use_case: Callable[[Actor], Awaitable[ResultT]], *, done: str | None = None,
        then: Callable[[ResultT], Any] | None = None, fields: FieldPlaces | None = None,
    ) -> Callable[[], Awaitable[None]]:  # fmt: skip
        """An event handler that attempts the use case."""

        async def handle() -> None:
            await self.attempt(use_case, done=done, then=then, fields=fields)

        return handle

    def tell_error(self, error: VideoManagerError, fields: FieldPlaces | None = None) -> None:
        """Show what was refused and why, as plain text."""
        if isinstance(error, Unauthenticated):
            path = quote(str(self.request.url.path), safe="/")
            ui.navigate.to(f"/login?next={path}")
            return
        if error.status >= 500:
            log.error("a page handler failed: %s", error, exc_info=error)
        homeless: Sequence[FieldError] = error.errors if isinstance(error, InvalidInput) else ()
        if homeless and fields is not None:
            homeless = fields.show_errors(homeless)
            if not homeless:
                tell("Some fields need another look.", kind="negative")
                return
        reasons = " ".join(sentence(f"{item.field}: {item.reason}") for item in homeless)
        tell(reasons or sentence(error.detail), kind="negative")


def tell(text: str, kind: str = "positive") -> None:
    """A short message at the edge of the page; never HTML."""
    icons = {"positive": "check_circle", "negative": "error_outline", "warning": "warning_amber", "info": "info"}
    # Quasar's own colour types; html stays off, so that people's texts are only text.
    ui.notify(
        text, type=None, icon=icons[kind], position="bottom", classes=f"vm-toast vm-toast-{kind}", multi_line=True,
        timeout=9000 if kind == "negative" else 4000, close_button="Close" if kind == "negative" else False,
    )  # fmt: skip
