"""`up` and `run`: start the system, or one service of it."""

from typing import Annotated

import typer

from video_manager.cli.exits import CommandError, Exit

SERVICES = ("gateway", "studio", "manager", "generation", "processing", "publishing", "notifications", "analytics")


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("run")(run)


def up() -> None:
    """Start the whole system in this process: studio, API and all workers. Ctrl-C stops it in order."""
    from video_manager.bootstrap import serve
    from video_manager.settings import read_settings

    serve(read_settings())


def run(
    service: Annotated[str, typer.Argument(help=f"One of: {', '.join(SERVICES)}.")],
) -> None:
    """Run one service by itself (cluster profile)."""
    from video_manager.settings import Profile, read_settings

    if service not in SERVICES:
        raise CommandError(f"there is no service {service!r}; there are: {', '.join(SERVICES)}")
    if read_settings().profile is Profile.LAPTOP:
        raise CommandError(
            f"`run {service}` needs the cluster profile (VIDEO_MANAGER_PROFILE=cluster): in the laptop profile all "
            "services share one process. Start that by `video-manager up`.",
            Exit.NOT_REACHABLE,
        )
    raise CommandError("this release has the laptop profile only; start it by `video-manager up`", Exit.NOT_REACHABLE)
