"""The frame around every page: navigation, the page's title and actions, the bell, and who is signed in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element

from video_manager.studio.bell import Bell
from video_manager.studio.elements import box, heading, icon_button, link, text
from video_manager.studio.navigation import draw_sidebar, draw_tabbar
from video_manager.studio.session import Visit
from video_manager.studio.theme import choose_theme


@dataclass(frozen=True)
class Frame:
    """What a page may change of its frame: its head, and the place for its own buttons there."""

    actions: Element
    _title: ui.label
    _subtitle: ui.label

    def name(self, title: str, subtitle: str = "") -> None:
        """What the page is about: the thing itself rather than its kind."""
        ui.page_title(f"{title} · Video Manager")
        self._title.text = title
        self._subtitle.text = subtitle
        self._subtitle.set_visibility(bool(subtitle))


@contextmanager
def page_frame(visit: Visit, title: str, here: str, waiting: int, unread: int, subtitle: str = "") -> Iterator[Frame]:
    """Draw the frame; the body of the `with` is the page's main part."""
    ui.page_title(f"{title} · Video Manager")
    skip = link("Skip to content", "/", "vm-skip")
    skip.props["href"] = "#main"
    draw_sidebar(visit, here, waiting)
    with box("vm-main", "main").props("id=main tabindex=-1"):
        with box("vm-topbar", "header"):
            with box("vm-titles"):
                shown_title = heading(title, level=1)
                shown_subtitle = text(subtitle, "vm-soft vm-small", tag="p")
                shown_subtitle.set_visibility(bool(subtitle))
            actions = box("vm-actions vm-row")
            with box("vm-tools"):
                _draw_theme_menu()
                Bell(visit, unread)
                _draw_person_menu(visit)
        yield Frame(actions, shown_title, shown_subtitle)
    draw_tabbar(visit, here, waiting)


def _draw_theme_menu() -> None:
    with icon_button("contrast", "Light or dark", tooltip=False), ui.menu().props("auto-close"):
        for name, label in (("light", "Light"), ("dark", "Dark"), ("auto", "As the system")):
            ui.menu_item(label, on_click=lambda _event, name=name: choose_theme(name))


def _draw_person_menu(visit: Visit) -> None:
    name = visit.opener.name
    with ui.button(color=None).props("flat round").classes("vm-icon") as opener:
        opener.props["aria-label"] = f"Signed in as {name}"
        text(name[:1].upper(), "vm-me", tag="span")
        with ui.menu().classes("vm-person-menu"):
            with box("vm-menu-head"):
                text(name, "vm-strong vm-clip")
                text(str(visit.opener.role or "system"), "vm-soft vm-small")
            ui.menu_item("Profile and password", on_click=lambda: ui.navigate.to("/profile"))
            # A plain form: only an HTTP answer can take the cookie away.
            with (
                ui.element("form").props('method="post" action="/logout"'),
                ui.element("button").props('type="submit"').classes("vm-menu-button"),
            ):
                text("Sign out", tag="span")
