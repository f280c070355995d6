"""`asyncapi`: the description of all messages."""

import typer

from video_manager.cli.output import print_json


def register(app: typer.Typer) -> None:
    app.command("asyncapi")(asyncapi)


def asyncapi() -> None:
    """Print the AsyncAPI description of all messages, for workers in any language. Needs no running system."""
    from video_manager import __version__
    from video_manager.contracts.asyncapi import describe_messages

    print_json(describe_messages(__version__))
