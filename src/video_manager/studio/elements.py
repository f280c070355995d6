"""Small building blocks of all pages. Texts go in as text, never as HTML."""

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element

from video_manager.studio.formats import safe_url


def box(classes: str = "", tag: str = "div") -> Element:
    return ui.element(tag).classes(classes)


def text(content: str, classes: str = "", tag: str = "div") -> ui.label:
    """A text as an element of its own; `tag` for headings, paragraphs and table cells."""
    label = ui.label(content).classes(classes)
    label.tag = tag
    return label


def heading(content: str, level: int = 2) -> ui.label:
    return text(content, tag=f"h{level}")


def link(content: str, target: str | None, classes: str = "", *, new_tab: bool = False) -> Element:
    """A link to one of our own paths or to http(s); for any other address only its text."""
    address = safe_url(target)
    if address is None:
        return text(content, classes)
    element = ui.link(content, address, new_tab=new_tab).classes(classes)
    if new_tab:
        element.props('rel="noopener noreferrer"')
    return element


def anchor(target: str, classes: str = "", label: str = "") -> Element:
    """A link around other elements. `target` is one of our own paths."""
    element = ui.element("a").classes(classes)
    element.props["href"] = safe_url(target) or "#"
    if label:
        element.props["aria-label"] = label
    return element


def button(
    label: str, on_click: Callable[..., Any] | None, kind: str = "second", icon: str | None = None, *,
    small: bool = False,
) -> ui.button:  # fmt: skip
    """`kind`: primary, second, quiet, danger or approve."""
    made = ui.button(label, on_click=on_click, icon=icon, color=None).props("unelevated no-caps")
    return made.classes(f"vm-{kind} vm-small" if small else f"vm-{kind}")


def icon_button(
    icon: str, label: str, on_click: Callable[..., Any] | None = None, *, small: bool = False, tooltip: bool = True
) -> ui.button:
    """Only an icon; `label` is its tooltip and what screen readers say. No tooltip where it would cover a menu."""
    made = ui.button(icon=icon, on_click=on_click, color=None).props("flat no-caps").classes("vm-icon")
    made.props["aria-label"] = label
    if small:
        made.classes("vm-small")
    if tooltip:
        with made:
            ui.tooltip(label)
    return made


def link_button(label: str, target: str, kind: str = "second", icon: str | None = None, *, small: bool = False) -> None:
    with anchor(target, f"vm-button vm-{kind}" + (" vm-small" if small else "")):
        if icon:
            ui.icon(icon)
        text(label, tag="span")


def chip(content: str, tone: str = "", icon: str | None = None) -> Element:
    """`tone`: good, warn, bad, info, accent, or plain."""
    made = box(f"vm-chip vm-is-{tone}" if tone else "vm-chip", "span")
    with made:
        if icon:
            ui.icon(icon)
        text(content, tag="span")
    return made


def note(content: str, tone: str = "", icon: str = "info") -> Element:
    """A remark in a box of its own."""
    made = box(f"vm-note vm-is-{tone}" if tone else "vm-note")
    with made:
        ui.icon(icon)
        text(content, "vm-grow vm-prose")
    return made


def empty(icon: str, title: str, advice: str) -> Element:
    """What a page says when it has nothing to show: what it is for and what to do next."""
    made = box("vm-empty")
    with made:
        ui.icon(icon)
        heading(title)
        text(advice, tag="p")
    return made


class ProgressBar:
    """A thin bar that moves smoothly; `fraction` 0..1."""

    def __init__(self, fraction: float = 0.0, *, idle: bool = False) -> None:
        self._bar = box("vm-bar").props('role="progressbar" aria-valuemin=0 aria-valuemax=100')
        with self._bar:
            self._fill = box()
        self.show(fraction, idle=idle)

    def show(self, fraction: float, *, idle: bool = False) -> None:
        percent = round(max(0.0, min(1.0, fraction)) * 100, 1)
        self._bar.classes(add="vm-idle" if idle else None, remove=None if idle else "vm-idle")
        self._bar.props(f"aria-valuenow={percent:.0f}")
        self._fill.style(f"width: {percent}%")


def facts(pairs: list[tuple[str, str]]) -> None:
    """Names and values side by side."""
    with box("vm-facts", "dl"):
        for name, value in pairs:
            text(name, tag="dt")
            text(value, tag="dd")
