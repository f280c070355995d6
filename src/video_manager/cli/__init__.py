"""The command line: a client of the REST API, and the way to start the system.

Modules and functions here import what they need when they run, so that `--help` answers at once.
"""


def main() -> None:
    """Entry point of `video-manager`."""
    from video_manager.collector import no_collections

    with no_collections():
        from video_manager.cli.app import run

    run()
