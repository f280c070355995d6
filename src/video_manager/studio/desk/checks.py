"""What the checks measured and found, beside what is allowed."""

from collections.abc import Callable

from nicegui import ui

from video_manager.domain.video import Finding, Severity
from video_manager.manager.views import VersionView
from video_manager.studio.elements import box, heading, note, text
from video_manager.studio.formats import plural, size_text, timecode_text, words

_ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
_ICONS = {Severity.ERROR: "error_outline", Severity.WARNING: "warning_amber", Severity.INFO: "info"}
_UNITS = {
    "lufs": "LUFS", "dbtp": "dBTP", "db": "dB", "seconds": "s", "lu": "LU", "bytes": "bytes", "fps": "fps",
    "percent": "%", "px": "px",
}  # fmt: skip


def draw_checks(version: VersionView, seek: Callable[[float], None]) -> None:
    report = version.checks
    with box("vm-col vm-wide"):
        if report is None:
            text("The checks run when the video is made.", "vm-soft")
            return
        findings = sorted(report.findings, key=lambda item: (_ORDER[item.severity], item.start_seconds or 0.0))
        if not findings:
            done = (
                f"{plural(len(report.checks), 'check')} ran and found nothing." if report.checks else "No checks ran."
            )
            note(done, "good" if report.checks else "", "verified" if report.checks else "info")
        for finding in findings:
            _draw_finding(finding, seek)
        if report.measured:
            with box("vm-col"):
                heading("Measured", 3)
                with box("vm-measures"):
                    for name, value in report.measured.items():
                        title, unit = _name(name)
                        with box("vm-measure"):
                            text(title, "vm-soft vm-small")
                            text(_amount(value, unit), "vm-strong vm-num")
        if report.checks:
            text("Ran: " + ", ".join(words(name).lower() for name in report.checks) + ".", "vm-hint")


def _draw_finding(finding: Finding, seek: Callable[[float], None]) -> None:
    tone = {Severity.ERROR: "bad", Severity.WARNING: "warn"}.get(finding.severity, "info")
    with box(f"vm-note vm-is-{tone}"):
        ui.icon(_ICONS[finding.severity])
        with box("vm-col vm-tight vm-grow"):
            text(finding.message, "vm-strong vm-prose")
            text(_about(finding), "vm-small")
        if finding.start_seconds is not None:
            start = finding.start_seconds
            jump = ui.button(timecode_text(start), on_click=lambda: seek(start), color=None)
            jump.props("unelevated no-caps").classes("vm-second vm-small vm-num")


def _about(finding: Finding) -> str:
    parts = [words(finding.check)]
    unit = _UNITS.get((finding.unit or "").lower(), finding.unit or "")
    if finding.measured is not None:
        parts.append(f"measured {_amount(finding.measured, unit)}")
    if finding.limit is not None:
        parts.append(f"allowed {_amount(finding.limit, unit)}")
    if finding.start_seconds is not None and finding.end_seconds is not None:
        parts.append(f"until {timecode_text(finding.end_seconds)}")
    return " · ".join(parts)


def _amount(value: float, unit: str) -> str:
    if unit == "bytes":
        return size_text(value)
    return f"{round(value, 2):g} {unit}".strip()


def _name(measure: str) -> tuple[str, str]:
    """`integrated_lufs` -> (`Integrated`, `LUFS`)."""
    head, _, tail = measure.rpartition("_")
    if head and tail.lower() in _UNITS:
        return words(head), _UNITS[tail.lower()]
    return words(measure), ""
