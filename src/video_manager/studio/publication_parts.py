"""How a publication shows itself, and what can be done with it: move, cancel, try again, settle what is unknown."""

from collections.abc import Awaitable, Callable

from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.domain.publication import Publication, PublicationState
from video_manager.publishing.service import NewTime, Resolution
from video_manager.repository import Loaded
from video_manager.studio.dialogs import Dialog, confirm
from video_manager.studio.elements import box, button, chip, icon_button, link, note, text
from video_manager.studio.formats import sentence, time_text, words
from video_manager.studio.forms.inputs import FieldFrame
from video_manager.studio.forms.moments import MomentChoice
from video_manager.studio.forms.requests import read_body
from video_manager.studio.session import Visit
from video_manager.studio.video_parts import PUBLICATION_TONES

Refresh = Callable[[], Awaitable[None]]
NEEDS_PERSON = (PublicationState.ACTION_REQUIRED, PublicationState.UNKNOWN, PublicationState.FAILED)
_WAITING = (PublicationState.SCHEDULED, PublicationState.ACTION_REQUIRED)
_RETRIABLE = (PublicationState.FAILED, PublicationState.ACTION_REQUIRED, PublicationState.UNKNOWN)


def draw_state(publication: Publication) -> None:
    if publication.entrusted:
        chip("handed over", PUBLICATION_TONES[PublicationState.SCHEDULED])
    else:
        chip(words(publication.state), PUBLICATION_TONES[publication.state])


def when_text(visit: Visit, publication: Publication) -> str:
    """`Published 22 Nov 2026, 15:04`, or what it waits for."""
    if publication.published_at is not None:
        return f"Published {time_text(publication.published_at, visit.zone)}"
    at = publication.due_at if publication.waits_for else publication.publish_at or publication.due_at
    if publication.state is PublicationState.SCHEDULED and at is not None:
        ready = ", uploaded already" if publication.staged else ""
        return f"Goes out {time_text(at, visit.zone)}{ready}"
    if publication.entrusted and at is not None:
        return f"Goes out {time_text(at, visit.zone)}, also while this system is off"
    return f"Since {time_text(publication.updated_at, visit.zone)}"


def draw_publication(visit: Visit, publication: Publication, channel_name: str, refresh: Refresh) -> None:
    """One row: where, its state, when, the link, why it failed, and the buttons."""
    with box("vm-list-row", "article"):
        with box("vm-col vm-tight vm-grow"):
            with box("vm-row vm-tight vm-wrap"):
                text(channel_name, "vm-strong")
                draw_state(publication)
            text(f"Version {publication.content.version} · {when_text(visit, publication)}", "vm-soft vm-small")
            if publication.url:
                link(publication.url, publication.url, "vm-small vm-clip", new_tab=True)
            if publication.warning:
                text(sentence(publication.warning), "vm-warn vm-small vm-prose")
            if publication.entrusted and publication.waits_for:
                text(f"{publication.waits_for}.", "vm-soft vm-small vm-prose")
            elif publication.waits_for:
                text(f"Waits: {publication.waits_for}.", "vm-warn vm-small vm-prose")
            if publication.error and publication.state is not PublicationState.PUBLISHED:
                text(sentence(publication.error), "vm-bad vm-small vm-prose")
        with box("vm-row vm-tight"):
            draw_buttons(visit, publication, refresh)


def draw_buttons(visit: Visit, publication: Publication, refresh: Refresh) -> None:
    if not visit.may(Right.PUBLISH):
        return
    service, id = visit.parts.publishing, publication.id

    async def again(_loaded: object) -> None:
        await refresh()

    if publication.state is PublicationState.UNKNOWN:
        button("Settle", lambda: ask_resolve(visit, publication, refresh), "second", "help_outline", small=True)
    if publication.state in _RETRIABLE:
        retry = visit.act(lambda actor: service.retry(actor, id), done="It is tried again.", then=again)
        icon_button("replay", "Try again", retry, small=True)
    if publication.state is PublicationState.PUBLISHED:
        draw_take_down(visit, publication, again)
    if publication.state in _WAITING or publication.entrusted:
        icon_button("schedule", "Move", lambda: ask_move(visit, publication, refresh), small=True)

        async def cancel() -> None:
            await visit.attempt(lambda actor: service.cancel(actor, id), done="Cancelled.", then=again)

        icon_button(
            "event_busy", "Cancel", lambda: confirm(
                "Cancel this publication?", "The video stays approved and can be published again.",
                "Cancel it", cancel,
            ), small=True,
        )  # fmt: skip


def draw_take_down(visit: Visit, publication: Publication, then: Callable[[object], Awaitable[None]]) -> None:
    platform = publication.content.platform
    if not visit.parts.registry.publisher(platform).deletes:
        return

    async def take_down() -> None:
        await visit.attempt(
            lambda actor: visit.parts.publishing.take_down(actor, publication.id), done="It is taken down.", then=then
        )

    icon_button(
        "delete_outline", "Take down", lambda: confirm(
            "Take this post down?", "It is deleted on the platform, with what people said and liked there. The video "
            "stays here and can be published again.", "Take it down", take_down,
        ), small=True,
    )  # fmt: skip


def ask_move(visit: Visit, publication: Publication, refresh: Refresh) -> None:
    """Another time, or at once."""
    dialog = Dialog("When should it go out?")
    with dialog.body():
        start = publication.publish_at or publication.due_at
        moment = MomentChoice(visit.zone, visit.parts.clock.now(), start, now_label="As soon as possible")

    async def move(actor: Actor) -> Loaded[Publication]:
        new = read_body(NewTime, {"publish_at": moment.value()})
        return await visit.parts.publishing.reschedule(actor, publication.id, new)

    async def moved(_loaded: object) -> None:
        dialog.close()
        await refresh()

    with dialog.foot():
        button("Move", visit.act(move, done="Moved.", then=moved), "primary", "schedule")
    dialog.open()


def ask_resolve(visit: Visit, publication: Publication, refresh: Refresh) -> None:
    """The platform could not say whether the post was made: a person looks and says."""
    dialog = Dialog("Is it public?")
    with dialog.body():
        note(
            "The answer of the platform was lost, and it cannot be asked. Look there: is the video public? It is "
            "not sent a second time before you say so.", "warn", "help_outline",
        )  # fmt: skip
        text(publication.content.metadata.title, "vm-strong")
        frame = FieldFrame("Its address there", "Only if it is public.", wide=True)
        with frame.place:
            url = ui.input(placeholder="https://").props('outlined dense aria-label="Address"')

    async def settled(_loaded: object) -> None:
        dialog.close()
        await refresh()

    def settle(*, published: bool) -> Callable[[Actor], Awaitable[Loaded[Publication]]]:
        async def use_case(actor: Actor) -> Loaded[Publication]:
            found = read_body(Resolution, {"published": published, "url": (url.value or None) if published else None})
            return await visit.parts.publishing.resolve(actor, publication.id, found)

        return use_case

    with dialog.foot():
        button("It is not there", visit.act(settle(published=False), done="Settled.", then=settled), "second")
        button("It is public", visit.act(settle(published=True), done="Settled.", then=settled), "primary")
    dialog.open()
