"""`credentials`: the keys that encrypt the platforms' secrets."""

from typing import TYPE_CHECKING, Annotated

import typer

from video_manager.cli.exits import CommandError, Exit
from video_manager.cli.output import note, out, warn
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

group = typer.Typer(no_args_is_help=True, help="The keys that encrypt the platforms' secrets.")


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="credentials")


@group.command("new-key")
def new_key(
    add: Annotated[
        bool, typer.Option("--add", help="Also put it first into the data folder's credential-keys (laptop).")
    ] = False,
) -> None:
    """Print a new key. The first of VIDEO_MANAGER_CREDENTIAL_KEYS encrypts, all of them decrypt."""
    from video_manager.publishing.access.keyring import SETTING, add_key
    from video_manager.publishing.access.keyring import new_key as make
    from video_manager.settings import read_settings

    key = make()
    if add:
        settings = read_settings()
        if not settings.keeps_data or settings.keys_of_credentials:
            raise CommandError(f"the keys are in {SETTING} here: put the new one first there")
        add_key(settings.data_dir, key)
        note("It is in use after the next start. Then: video-manager credentials rotate")
    else:
        out.print(key, markup=False, soft_wrap=True)


@group.command("rotate")
def rotate() -> None:
    """Encrypt every stored secret anew with the newest key. Broken off, it goes on where it was."""

    async def work(api: "Api") -> "tuple[Json, list[str]]":
        total, lost, cursor = {"credentials": 0, "handles": 0, "looked_at": 0}, [], None
        while True:
            step = await api.post("credentials", "rotate", body={"cursor": cursor})
            total = {name: count + step[name] for name, count in total.items()}
            lost += step["unreadable"]
            cursor = step["next"]
            if cursor is None:
                return total, lost

    total, lost = with_api(work)
    note(
        f"{total['credentials']} secrets, and the upload handles of {total['handles']} publications, were encrypted "
        f"anew; {total['looked_at']} were looked at."
    )
    if lost:
        warn(f"No key opens these: {', '.join(lost)}. Put their key back, or connect those channels again.")
        raise typer.Exit(Exit.FAILED)
    note("The former keys may be taken away now.")
