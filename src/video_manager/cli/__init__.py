"""The command line: a client of the REST API, and the way to start the system."""


def main() -> None:
    """Entry point of `video-manager`. The commands are imported here so that importing the package costs nothing."""
    from video_manager.cli.app import run  # noqa: PLC0415

    run()
