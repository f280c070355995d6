"""What the browser loads once: our style sheets, and the two small preferences it keeps for us (theme and zone)."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nicegui import app, ui

from video_manager.studio.session import THEME_COOKIE, ZONE_COOKIE

STATIC_PATH = "/studio/static"
_FOLDER = Path(__file__).parent / "static"
_SHEETS = ("tokens.css", "frame.css", "parts.css", "pages.css", "player.css")

FAVICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='8' fill='#4f46e5'/>"
    "<path d='M12 9l11 7-11 7z' fill='white'/></svg>"
)

# The zone is known before the page is built; without cookies the page is shown in UTC, not reloaded for ever.
_ZONE_SCRIPT = f"""
<script>(() => {{
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
  const kept = () => (document.cookie.match(/(?:^|; ){ZONE_COOKIE}=([^;]*)/) || [])[1];
  if (decodeURIComponent(kept() || '') === zone) return;
  document.cookie = '{ZONE_COOKIE}=' + encodeURIComponent(zone) + '; path=/; max-age=31536000; samesite=lax';
  if (kept() && zone !== 'UTC') location.reload();
}})();</script>
"""


def install_theme() -> None:
    """Serve the style sheets and put them into every page."""
    app.add_static_files(STATIC_PATH, _FOLDER)
    links = "".join(f'<link rel="stylesheet" href="{STATIC_PATH}/{name}?{_fingerprint(name)}">' for name in _SHEETS)
    ui.add_head_html(links + _ZONE_SCRIPT, shared=True)


def apply_theme(cookies: Mapping[str, str]) -> None:
    """Light, dark, or what the system says; the background is painted before the page's script runs."""
    wanted = {"dark": True, "light": False}.get(cookies.get(THEME_COOKIE, ""))
    ui.dark_mode(wanted)
    dark = "html{background:#0e0e15}"
    early = {True: dark, False: "", None: f"@media (prefers-color-scheme: dark){{{dark}}}"}[wanted]
    ui.add_head_html(f"<style>{early}</style>")


def choose_theme(name: str) -> None:
    """Remember `light`, `dark` or `auto` in this browser and apply it at once."""
    value = {"light": "false", "dark": "true"}.get(name, "'auto'")
    ui.run_javascript(
        f"document.cookie='{THEME_COOKIE}={name}; path=/; max-age=31536000; samesite=lax'; Quasar.Dark.set({value})"
    )


def _fingerprint(name: str) -> str:
    return hashlib.sha256((_FOLDER / name).read_bytes()).hexdigest()[:12]


_PALETTE = ["#6d66f5", "#0ea5a4", "#e0862c", "#d6457f", "#3b94e0", "#74a92f", "#a855f7", "#9a7b4f"]


def chart_theme() -> dict[str, Any]:
    """Colours for ECharts that read well on both backgrounds: a chart does not follow the page's style sheet."""
    soft, line = "#8d8da3", "rgba(140,140,165,.22)"
    axis = {
        "axisLine": {"lineStyle": {"color": line}}, "axisTick": {"show": False}, "axisLabel": {"color": soft},
        "splitLine": {"lineStyle": {"color": line}},
    }  # fmt: skip
    return {
        "color": _PALETTE, "backgroundColor": "transparent", "textStyle": {"color": soft, "fontFamily": "inherit"},
        "legend": {"textStyle": {"color": soft}}, "timeAxis": axis, "categoryAxis": axis, "valueAxis": axis,
    }  # fmt: skip
