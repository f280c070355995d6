"""The space that is used, the queues, what is installed, and the settings as they are."""

from pydantic import SecretStr

from video_manager import __version__
from video_manager.plugins.registry import PluginKind
from video_manager.settings import PREFIX, Settings
from video_manager.studio.admin.table import draw_table
from video_manager.studio.elements import ProgressBar, box, chip, facts, heading, text
from video_manager.studio.formats import age_text, plural, size_text, words
from video_manager.studio.session import Visit


class SystemTab:
    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._place = box("vm-two-even")
        self._settings = box("vm-card vm-flush vm-above-wide")

    async def refresh(self) -> None:
        actor, parts = await self._visit.current_actor(), self._visit.parts
        storage = await parts.operations.storage(actor)
        health = await parts.analytics.health(actor)
        waiting = await parts.bus.depth()
        self._place.clear()
        with self._place:
            with box("vm-card vm-col"):
                heading("Storage")
                limit = parts.settings.storage_quota_bytes or storage.used_bytes + (storage.free_bytes or 0)
                ProgressBar(storage.used_bytes / limit if limit else 0.0)
                facts([
                    ("Used", f"{size_text(storage.used_bytes)} in {plural(storage.files, 'file')}"),
                    ("Free", size_text(storage.free_bytes) if storage.free_bytes is not None else "unknown"),
                    ("Kept", f"masters {parts.settings.retention_days:g} days after they are done"),
                ])  # fmt: skip
            with box("vm-card vm-col"):
                heading("At work")
                now = parts.clock.now()
                depths = ", ".join(f"{name} {number}" for name, number in waiting.items() if number)
                facts([
                    ("Version", __version__),
                    ("Messages waiting", depths or "none"),
                    ("Numbers as of", age_text(health.as_of, now) if health.as_of else "none yet"),
                    ("Numbers to load", str(health.waiting_payloads)),
                ])  # fmt: skip
                with box("vm-row vm-tight vm-wrap"):
                    for kind in PluginKind:
                        chip(plural(len(parts.registry.names(kind)), words(kind).lower()))
        self._draw_settings(parts.settings)

    def _draw_settings(self, settings: Settings) -> None:
        self._settings.clear()
        with self._settings:
            with box("vm-table-head vm-col vm-tight"):
                heading("Settings")
                text(
                    "Read once at the start, from the environment. Change them there and start again.",
                    "vm-soft vm-small",
                )
            draw_table(
                ("Setting", "Value", "What it does"), list(Settings.model_fields), lambda name: _draw(settings, name)
            )


def _draw(settings: Settings, name: str) -> None:
    value = getattr(settings, name)
    text(PREFIX + name.upper(), "vm-mono vm-nowrap vm-small", tag="td")
    text(_shown(value), "vm-mono vm-small vm-prose", tag="td")
    text(Settings.model_fields[name].description or "", "vm-soft vm-small", tag="td")


def _shown(value: object) -> str:
    """Secrets only as being set."""
    if isinstance(value, SecretStr):
        return "set (hidden)"
    if isinstance(value, list | tuple):
        hidden = any(isinstance(item, SecretStr) for item in value)
        return f"{plural(len(value), 'value')} (hidden)" if hidden else ", ".join(str(item) for item in value) or "none"
    return "not set" if value is None else str(value)
