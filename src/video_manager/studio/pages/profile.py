"""One's own account: who one is, a new password, signing out."""

import json
from typing import Any

from nicegui import ui

from video_manager.domain.access import Right
from video_manager.errors import FieldError
from video_manager.studio.elements import box, button, chip, facts, heading, text
from video_manager.studio.formats import sentence
from video_manager.studio.forms.plain import PlainForm
from video_manager.studio.layout import Frame
from video_manager.studio.session import Visit, tell

_SECONDS = 20.0
# Only an HTTP answer can give the browser its new session; the page's socket cannot.
_CHANGE = """
const answer = await fetch('/api/v1/me/password', {{
  method: 'POST', headers: {{'Content-Type': 'application/json'}}, body: JSON.stringify({body}),
}});
return {{ok: answer.ok, problem: answer.ok ? null : await answer.json().catch(() => ({{}}))}};
"""


async def build(visit: Visit, frame: Frame) -> None:
    actor = await visit.current_actor()
    frame.name("Profile", f"Signed in as {actor.name}")
    with box("vm-two-columns"):
        with box("vm-card vm-col vm-wide"):
            heading("Change the password")
            PasswordForm()
        with box("vm-col vm-wide"):
            with box("vm-card vm-col"):
                heading("You")
                facts([("Name", actor.name), ("Role", str(actor.role or "system")), ("Time zone", str(visit.zone))])
                with box("vm-row vm-wrap vm-tight"):
                    for right in Right:
                        if actor.may(right):
                            chip(f"May {right}", "accent")
            with box("vm-card vm-col"):
                heading("Sign out")
                text("Ends this session in all its tabs.", "vm-soft vm-small")
                with ui.element("form").props('method="post" action="/logout"'):
                    button("Sign out", None, "second", "logout").props("type=submit")


class PasswordForm:
    def __init__(self) -> None:
        self._form = PlainForm()
        with box("vm-col vm-wide vm-narrow"):
            self._current: Any = self._field("current_password", "Current password", "current-password")
            self._new: Any = self._field("new_password", "New password", "new-password")
            self._again: Any = self._field("again", "The new password again", "new-password")
            with box("vm-row"):
                self._button = button("Change it", self._change, "primary")
            text("Your other sessions end.", "vm-hint")

    def _field(self, name: str, title: str, autocomplete: str) -> Any:
        element = self._form.field(name, title, lambda: ui.input(password=True, password_toggle_button=True))
        return element.props(f"autocomplete={autocomplete}")

    async def _change(self) -> None:
        self._form.show_errors(())
        if self._new.value != self._again.value:
            self._form.show_errors([FieldError("again", "this is not the same as above")])
            return
        body = json.dumps({"current_password": self._current.value or "", "new_password": self._new.value or ""})
        self._button.disable()
        answer = await ui.run_javascript(_CHANGE.format(body=body), timeout=_SECONDS)
        self._button.enable()
        if answer.get("ok"):
            tell("Your password is changed.")
            ui.timer(1.2, lambda: ui.navigate.to("/profile"), once=True)
            return
        problem = answer.get("problem") or {}
        errors = [
            FieldError(str(item.get("field", "")), str(item.get("reason", ""))) for item in problem.get("errors", [])
        ]
        if self._form.show_errors(errors) or not errors:
            tell(sentence(str(problem.get("detail", "the password could not be changed"))), kind="negative")
