"""A picture that stands still."""

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.plugins.api import Check, CheckInput, Context, Options
from video_manager.plugins.checks.inspection import Stretch, inspect
from video_manager.plugins.checks.timecode import shown


class FrozenOptions(Options):
    min_seconds: float = Field(default=3.0, ge=0.5, le=600, description="Shorter standstills are not mentioned.")


class Frozen(Check[FrozenOptions]):
    """Black stretches stand still too; they are left to the check `black`."""

    name = "frozen"
    title = "Frozen picture"
    description = "Finds stretches where the picture does not move."
    Options = FrozenOptions

    async def examine(self, input: CheckInput, options: FrozenOptions, context: Context) -> tuple[Finding, ...]:
        seen = await inspect(input.video, context)
        return tuple(
            Finding(
                check=self.name,
                code="frozen_picture",
                severity=Severity.WARNING,
                message=f"The picture stands still {shown(stretch)}.",
                start_seconds=stretch.start_seconds,
                end_seconds=stretch.end_seconds,
                measured=round(stretch.seconds, 2),
                limit=options.min_seconds,
                unit="s",
            )
            for stretch in seen.frozen
            if stretch.seconds >= options.min_seconds and not _is_mostly_within(stretch, seen.black)
        )


def _is_mostly_within(stretch: Stretch, others: tuple[Stretch, ...]) -> bool:
    shared = sum(
        max(0.0, min(stretch.end_seconds, other.end_seconds) - max(stretch.start_seconds, other.start_seconds))
        for other in others
    )
    return shared >= 0.8 * stretch.seconds
