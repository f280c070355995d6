"""All commands, and how their errors are told."""

import sys
from typing import Annotated

import typer

from video_manager import __version__
from video_manager.cli import (
    access,
    analytics,
    asyncapi,
    backup,
    channels,
    credentials,
    dead_letters,
    demo,
    doctor,
    make,
    plugins,
    publications,
    reviews,
    serve,
    videos,
)
from video_manager.cli.exits import CommandError, Exit

app = typer.Typer(
    name="video-manager", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    rich_markup_mode=None,  # plain help: the other modes take 0.3 s more to load
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Request, make, review, publish and measure videos.\n\nEvery command works on the data folder "
    "(VIDEO_MANAGER_DATA_DIR): through the running system where there is one, else by itself.",
)  # fmt: skip

for module in (serve, make, videos, reviews, publications, channels, credentials, analytics, plugins, asyncapi, access,
               dead_letters, doctor, backup, demo):  # fmt: skip
    module.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"video-manager {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of every command."""


def run() -> None:
    """Run the command line and exit. Expected errors are a text and an exit code, never a stack trace."""
    sys.exit(_run())


def _run() -> int:
    try:
        result = app(standalone_mode=False, prog_name="video-manager")
    except typer.TyperException as error:
        _show_usage(error)
        return Exit.WRONG_INPUT
    except (typer.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away
        return Exit.OK
    except CommandError as error:
        return _tell(error)
    except Exception as error:
        expected = _expected(error)
        if expected is None:
            raise
        return _tell(expected)
    return result if isinstance(result, int) else Exit.OK


def _show_usage(error: typer.TyperException) -> None:
    """Typer's own words about a wrong option, with the usage where there is one."""
    show = getattr(error, "show", None)
    if show is not None:
        show()
    else:
        typer.echo(f"Error: {error.format_message()}", err=True)


def _expected(error: Exception) -> CommandError | None:
    """Our own errors, which the embedded system may raise; None for a surprise, which keeps its stack trace."""
    from video_manager.errors import SettingsError, Unavailable, VideoManagerError

    if isinstance(error, Unavailable):
        return CommandError(error.detail, Exit.NOT_REACHABLE)
    if isinstance(error, SettingsError):
        return CommandError(error.detail, Exit.WRONG_SETTINGS)
    return CommandError(error.detail, Exit.FAILED) if isinstance(error, VideoManagerError) else None


def _tell(error: CommandError) -> int:
    from video_manager.cli.output import err

    err.print("[bold red]Error:[/]", end=" ")
    err.print(error.text, markup=False, soft_wrap=True)
    return error.code
