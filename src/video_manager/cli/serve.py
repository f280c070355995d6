"""`up` and `run`: start the system, or one service of it."""

from typing import Annotated

import typer

from video_manager.cli.exits import CommandError
from video_manager.collector import no_collections

SERVICES = ("gateway", "studio", "manager", "generation", "processing", "publishing", "notifications", "analytics")


def register(app: typer.Typer) -> None:
    app.command("up")(up)
    app.command("run")(run)


def up() -> None:
    """Start the whole system in this process: studio, API and all workers. Ctrl-C stops it in order."""
    with no_collections():
        from video_manager.bootstrap import serve
        from video_manager.settings import read_settings

    serve(read_settings())


def run(
    service: Annotated[str, typer.Argument(help=f"One of: {', '.join(SERVICES)}.")],
    generator: Annotated[
        list[str] | None,
        typer.Option("--generator", help="With `generation`: a generator to run here; again for more. Default: all."),
    ] = None,
) -> None:
    """Run one service by itself (cluster profile). SIGTERM lets it end or give back what it works on."""
    if service not in SERVICES:
        raise CommandError(f"there is no service {service!r}; there are: {', '.join(SERVICES)}")
    if generator and service != "generation":
        raise CommandError(f"--generator belongs to `run generation`, not to `run {service}`")
    with no_collections():
        from video_manager.bootstrap import Service, serve_service
        from video_manager.settings import read_settings

    serve_service(read_settings(), Service(service), generator or ())
