"""Missing sound."""

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.plugins.api import Check, CheckInput, Context, Options
from video_manager.plugins.checks.inspection import inspect
from video_manager.plugins.checks.timecode import shown


class SilenceOptions(Options):
    min_seconds: float = Field(default=3.0, ge=0.2, le=600, description="Shorter pauses are not mentioned.")


class Silence(Check[SilenceOptions]):
    name = "silence"
    title = "Silence"
    description = "Finds stretches without sound (below -50 dB), and videos without a sound track."
    Options = SilenceOptions

    async def examine(self, input: CheckInput, options: SilenceOptions, context: Context) -> tuple[Finding, ...]:
        heard = await inspect(input.video, context)
        if not heard.facts.has_audio:
            message = "The video has no sound track."
            return (Finding(check=self.name, code="no_sound", severity=Severity.WARNING, message=message),)
        whole = heard.facts.duration_seconds
        return tuple(
            Finding(
                check=self.name,
                code="silence",
                severity=Severity.WARNING,
                message="The whole video is silent."
                if stretch.seconds >= 0.95 * whole
                else f"Silent {shown(stretch)}.",
                start_seconds=stretch.start_seconds,
                end_seconds=stretch.end_seconds,
                measured=round(stretch.seconds, 2),
                limit=options.min_seconds,
                unit="s",
            )
            for stretch in heard.silent
            if stretch.seconds >= min(options.min_seconds, 0.95 * whole)
        )
