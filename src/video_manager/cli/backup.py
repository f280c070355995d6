"""`backup` and `restore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from video_manager.cli.exits import CommandError
from video_manager.cli.output import note, size_text

if TYPE_CHECKING:
    from video_manager.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(file: Annotated[Path, typer.Argument(help="The file to write (.tar); it must not exist.")]) -> None:
    """Write everything in the data folder into one file. The system may keep running.

    The file holds the secrets of this installation and the people's password hashes: keep it safe.
    """
    from video_manager.cli.archive import write_archive
    from video_manager.settings import read_settings

    data_dir = _own_folder(read_settings())
    if not data_dir.is_dir():
        raise CommandError(f"there is no data folder {data_dir}")
    if file.exists():
        raise CommandError(f"{file} exists already; name another file")
    if file.absolute().is_relative_to(data_dir):
        raise CommandError("write the backup outside the data folder")
    written = write_archive(data_dir, file)
    note(f"{written.files} files, {size_text(written.size_bytes)}, are in {file}.")


def restore(
    file: Annotated[Path, typer.Argument(help="A file written by `backup`.", exists=True, dir_okay=False)],
) -> None:
    """Put a backup back into an empty data folder. Every file is checked before anything appears there."""
    from video_manager.cli.archive import read_archive
    from video_manager.settings import read_settings

    data_dir = _own_folder(read_settings())
    restored = read_archive(file, data_dir)
    note(f"{restored.files} files, {size_text(restored.size_bytes)}, are back in {data_dir}. Start: video-manager up")


def _own_folder(settings: "Settings") -> Path:
    if not settings.keeps_data:
        raise CommandError(
            "in the cluster profile everything that lasts is in MongoDB and PostgreSQL: back those up by their own "
            "tools (mongodump, pg_dump); docs/deployment.md says how"
        )
    return settings.data_dir
