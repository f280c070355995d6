"""Where messages go besides the studio: mail and chat (Apprise), and webhooks for programs."""

import uuid
from collections.abc import Callable
from typing import Any

from nicegui import ui

from video_manager.domain.access import Actor
from video_manager.notifications.events import PUBLIC_EVENTS
from video_manager.notifications.model import Health, Kind, Origin, SentTest
from video_manager.notifications.targets import DEFAULT_KINDS, TargetView
from video_manager.notifications.webhooks import WebhookView
from video_manager.repository import Loaded
from video_manager.studio.admin.table import Card, draw_table
from video_manager.studio.dialogs import Dialog, confirm
from video_manager.studio.elements import box, button, chip, empty, icon_button, note, text
from video_manager.studio.formats import sentence, words
from video_manager.studio.forms.plain import PlainForm
from video_manager.studio.session import Visit, tell

_MOST = 200


class _Receivers:
    """What both tabs do alike."""

    def __init__(self, visit: Visit, title: str, about: str, add: str) -> None:
        self._visit = visit
        self._card = Card(title, about)
        with self._card.actions:
            button(add, self._add, "primary", "add")

    async def refresh(self) -> None:
        raise AssertionError("each tab reads its own")

    def _add(self) -> None:
        raise AssertionError("each tab adds its own")

    async def _again(self, _result: object) -> None:
        await self.refresh()

    def _closing(self, dialog: Dialog) -> Callable[[object], Any]:
        async def close(_result: object) -> None:
            dialog.close()
            await self.refresh()

        return close

    def _draw_buttons(self, service: Any, id: str, name: str, *, enabled: bool) -> None:
        """Try, switch on or off, remove."""

        async def tried(result: SentTest) -> None:
            tell(sentence(result.detail), kind="positive" if result.delivered else "negative")
            await self.refresh()

        async def remove() -> None:
            await self._visit.attempt(lambda actor: service.remove(actor, id), done="Removed.", then=self._again)

        icon_button(
            "send", "Send a test", self._visit.act(lambda actor: service.send_test(actor, id), then=tried), small=True
        )
        turn = self._visit.act(lambda actor: service.change(actor, id, enabled=not enabled), then=self._again)
        icon_button(
            "toggle_on" if enabled else "toggle_off", "Switch off" if enabled else "Switch on", turn, small=True
        )

        def ask() -> None:
            confirm(f"Remove “{name}”?", "What still waits for it is never sent.", "Remove", remove)

        icon_button("delete_outline", "Remove", ask, small=True)


class TargetsTab(_Receivers):
    def __init__(self, visit: Visit) -> None:
        about = "Everything is told by the bell. Here you choose who is told by mail or chat as well."
        super().__init__(visit, "Notifications", about, "Add an address")

    async def refresh(self) -> None:
        actor = await self._visit.current_actor()
        page = await self._visit.parts.notifications.targets.list(actor, limit=_MOST)
        self._card.content.clear()
        with self._card.content:
            if not page.items:
                empty(
                    "forward_to_inbox",
                    "Nobody is told by mail or chat",
                    "Add an address: mail, Slack, Telegram, ntfy ...",
                )
            else:
                draw_table(("Name", "Address", "Told about", "Health", ""), page.items, self._draw_row)

    def _draw_row(self, loaded: Loaded[TargetView]) -> None:
        target = loaded.value
        text(target.name, "vm-strong", tag="td")
        text(target.url, "vm-mono", tag="td")
        text(", ".join(words(kind).lower() for kind in target.kinds), "vm-small", tag="td")
        with box("", "td"):
            _draw_health(target.health, enabled=target.enabled)
        with box("", "td"), box("vm-row vm-tight vm-end"):
            if target.origin is Origin.SETTINGS:
                text("from settings", "vm-faint vm-small vm-nowrap")
            else:
                service = self._visit.parts.notifications.targets
                self._draw_buttons(service, target.id, target.name, enabled=target.enabled)

    def _add(self) -> None:
        service, new_id = self._visit.parts.notifications.targets, uuid.uuid4().hex
        dialog, form = Dialog("Add an address"), PlainForm()
        kinds = {str(kind): words(kind) for kind in Kind}
        with dialog.body():
            name: Any = form.field("name", "Name", ui.input, "As you will know it here.")
            url: Any = form.field(
                "url", "Address", lambda: ui.input(password=True, password_toggle_button=True),
                "An Apprise address, such as mailtos://user:password@example.org or tgram://token/chat.",
            )  # fmt: skip
            chosen: Any = form.field(
                "kinds", "Tell about",
                lambda: ui.select(kinds, value=[str(kind) for kind in DEFAULT_KINDS], multiple=True).props("use-chips"),
            )  # fmt: skip

        async def add(actor: Actor) -> Loaded[TargetView]:
            return await service.create(
                actor, new_id, name.value or "", url.value or "", [Kind(kind) for kind in chosen.value]
            )

        with dialog.foot():
            adding = self._visit.act(add, done="Added. Send a test to try it.", then=self._closing(dialog), fields=form)
            button("Add", adding, "primary")
        dialog.open()


class WebhooksTab(_Receivers):
    def __init__(self, visit: Visit) -> None:
        about = "Events for your own programs, signed as Standard Webhooks."
        super().__init__(visit, "Webhooks", about, "Add a webhook")

    async def refresh(self) -> None:
        actor = await self._visit.current_actor()
        page = await self._visit.parts.notifications.webhooks.list(actor, limit=_MOST)
        self._card.content.clear()
        with self._card.content:
            if not page.items:
                empty("webhook", "No webhooks yet", "Add the address of a program that wants to hear of events.")
            else:
                draw_table(("Name", "Address", "Events", "Health", ""), page.items, self._draw_row)

    def _draw_row(self, loaded: Loaded[WebhookView]) -> None:
        webhook = loaded.value
        text(webhook.name, "vm-strong", tag="td")
        text(webhook.url, "vm-mono vm-prose", tag="td")
        text(", ".join(webhook.events), "vm-small", tag="td")
        with box("", "td"):
            _draw_health(webhook.health, enabled=webhook.enabled)
        with box("", "td"), box("vm-row vm-tight vm-end"):
            service = self._visit.parts.notifications.webhooks
            self._draw_buttons(service, webhook.id, webhook.name, enabled=webhook.enabled)

    def _add(self) -> None:
        service, new_id = self._visit.parts.notifications.webhooks, uuid.uuid4().hex
        dialog, form = Dialog("Add a webhook"), PlainForm()
        events = sorted(
            {kind.type for kind in PUBLIC_EVENTS} | {f"{kind.type.split('.')[0]}.*" for kind in PUBLIC_EVENTS}
        )
        with dialog.body():
            name: Any = form.field("name", "Name", ui.input, optional=True)
            url: Any = form.field("url", "Address", lambda: ui.input(placeholder="https://"))
            chosen: Any = form.field(
                "events", "Events",
                lambda: ui.select(events, value=["publication.*"], multiple=True).props("use-chips"),
            )  # fmt: skip

        async def add(actor: Actor) -> Loaded[WebhookView]:
            return await service.create(actor, new_id, url.value or "", list(chosen.value), name.value or "")

        async def added(made: Loaded[WebhookView]) -> None:
            dialog.close()
            _show_secret(made.value.secret or "")
            await self.refresh()

        with dialog.foot():
            button("Add", self._visit.act(add, then=added, fields=form), "primary")
        dialog.open()


def _show_secret(secret: str) -> None:
    dialog = Dialog("The webhook's secret")
    with dialog.body():
        note("Your program checks the signatures with it. It is shown only now.", "warn", "visibility")
        text(secret, "vm-code", tag="pre")
    with dialog.foot("Done"):
        button("Copy", lambda: ui.clipboard.write(secret), "primary", "content_copy")
    dialog.open()


def _draw_health(health: Health, *, enabled: bool) -> None:
    if not enabled:
        chip("Off")
    elif health.failures:
        with chip(f"Failing ({health.failures})", "bad", "error_outline"):
            ui.tooltip(health.last_error or "")
    elif health.last_success_at is not None:
        chip("Works", "good")
    else:
        chip("Not used yet")
