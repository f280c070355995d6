"""Black picture."""

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.plugins.api import Check, CheckInput, Context, Options
from video_manager.plugins.checks.inspection import inspect
from video_manager.plugins.checks.timecode import shown


class BlackOptions(Options):
    min_seconds: float = Field(default=0.5, ge=0.1, le=60, description="Shorter black stretches are not mentioned.")


class Black(Check[BlackOptions]):
    name = "black"
    title = "Black picture"
    description = "Finds stretches where the picture is black."
    Options = BlackOptions

    async def examine(self, input: CheckInput, options: BlackOptions, context: Context) -> tuple[Finding, ...]:
        seen = await inspect(input.video, context)
        whole = seen.facts.duration_seconds
        return tuple(
            Finding(
                check=self.name,
                code="black_picture",
                severity=Severity.ERROR if stretch.seconds >= 0.9 * whole else Severity.WARNING,
                message=f"The picture is black {shown(stretch)}.",
                start_seconds=stretch.start_seconds,
                end_seconds=stretch.end_seconds,
                measured=round(stretch.seconds, 2),
                limit=options.min_seconds,
                unit="s",
            )
            for stretch in seen.black
            if stretch.seconds >= options.min_seconds
        )
