"""Where one can go: the same places in the sidebar and in the bar at the bottom of phones."""

from dataclasses import dataclass

from nicegui import ui

from video_manager.domain.access import Right
from video_manager.studio.elements import anchor, box, link, text
from video_manager.studio.session import Visit


@dataclass(frozen=True)
class Place:
    path: str
    title: str
    icon: str
    right: Right = Right.VIEW


WORK = (
    Place("/", "Board", "dashboard"),
    Place("/new", "New video", "add_circle_outline", Right.REQUEST),
    Place("/review", "Review", "rate_review"),
    Place("/library", "Library", "video_library"),
    Place("/calendar", "Calendar", "calendar_month"),
    Place("/analytics", "Analytics", "insights"),
)
SETUP = (
    Place("/channels", "Channels", "hub"),
    Place("/admin", "Administration", "admin_panel_settings", Right.ADMINISTER),
)
_ON_PHONES = ("/", "/review", "/new", "/calendar")
REVIEW_PATH = "/review"


def draw_sidebar(visit: Visit, here: str, waiting: int) -> None:
    """`waiting` videos in the review queue are shown as a number."""
    with box("vm-sidebar", "nav") as side:
        side.props["aria-label"] = "Main"
        with anchor("/", "vm-brand"):
            box("vm-mark", "span")
            text("Video Manager", tag="span")
        for place in WORK:
            _draw_place(visit, place, here, waiting)
        text("Set-up", "vm-nav-title")
        for place in SETUP:
            _draw_place(visit, place, here, waiting)


def _draw_place(visit: Visit, place: Place, here: str, waiting: int) -> None:
    if not visit.may(place.right):
        return
    with anchor(place.path, "vm-nav vm-here" if place.path == here else "vm-nav") as item:
        if place.path == here:
            item.props["aria-current"] = "page"
        ui.icon(place.icon)
        text(place.title, tag="span")
        if place.path == REVIEW_PATH and waiting:
            text(str(waiting), "vm-count vm-hot", tag="span")


def draw_tabbar(visit: Visit, here: str, waiting: int) -> None:
    """The bar at the bottom of phones; what does not fit is behind "More"."""
    places = {place.path: place for place in (*WORK, *SETUP) if visit.may(place.right)}
    with box("vm-tabbar", "nav") as bar:
        bar.props["aria-label"] = "Main"
        for path in _ON_PHONES:
            if path in places:
                place = places.pop(path)
                with anchor(path, "vm-tab vm-here" if path == here else "vm-tab"):
                    ui.icon("add_circle" if path == "/new" else place.icon)
                    text("New" if path == "/new" else place.title, tag="span")
                    if path == REVIEW_PATH and waiting:
                        text(str(waiting), "vm-count vm-hot", tag="span")
        with box("vm-tab vm-here" if here in places else "vm-tab", "button"):
            ui.icon("menu")
            text("More", tag="span")
            with ui.menu().props('anchor="top right" self="bottom right"'):
                for place in places.values():
                    _menu_link(place.title, place.path)
                _menu_link("Profile", "/profile")


def _menu_link(title: str, path: str) -> None:
    with ui.menu_item(on_click=lambda: ui.navigate.to(path)):
        link(title, path).props("tabindex=-1")
