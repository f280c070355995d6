"""A check that crashes."""

from video_manager.domain.video import Finding
from video_manager.plugins.api import Check, CheckInput, Context, Options


class CrashingOptions(Options):
    pass


class Crashing(Check[CrashingOptions]):
    name = "crashing"
    title = "Crashing"
    description = "Always crashes."
    Options = CrashingOptions

    async def examine(self, input: CheckInput, options: CrashingOptions, context: Context) -> tuple[Finding, ...]:
        raise IndexError("no such frame")
