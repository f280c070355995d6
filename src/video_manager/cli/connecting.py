"""`channels connect`, `reconnect` and `app`: channels of platforms where people sign in."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.channels import Option, given_options, group
from video_manager.cli.exits import CommandError, Exit
from video_manager.cli.output import AsJson, note, out, print_facts, print_json
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

LOOK_SECONDS = 1.0
_UNDER_WAY = ("waiting", "exchanging")

Platform = Annotated[str, typer.Argument(help="The platform's name (`plugins list`).")]


@group.command("app")
def app(
    platform: Platform,
    client_id: Annotated[
        str | None, typer.Option(help="The id that the platform gave; its secret is asked for.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what to register at a platform and what was; with --client-id, enter it."""
    secret = typer.prompt("Client secret", hide_input=True, err=True) if client_id else None

    async def work(api: "Api") -> "Json":
        if client_id is None:
            return await api.get("platforms", platform, "app")
        return await api.put("platforms", platform, "app", body={"client_id": client_id, "client_secret": secret})

    shown = with_api(work)
    if as_json:
        print_json(shown)
        return
    nobody = "registered by itself at each server" if shown.get("automatic") else "not entered yet"
    print_facts({
        "platform": shown["title"], "client id": shown["client_id"] or nobody,
        "redirect address": shown["redirect_url"], "scopes": shown["scopes"], "guide": shown["guide"],
    })  # fmt: skip


@group.command("connect")
def connect(
    platform: Platform,
    name: Annotated[str, typer.Argument(help="What people call the channel.")],
    option: Option = [],  # noqa: B006 - typer copies it
    account: Annotated[str | None, typer.Option(help="The platform's id of the account; asked for otherwise.")] = None,
    as_json: AsJson = False,
) -> None:
    """Sign in at a platform in the browser, choose the account, and save it as a channel. Prints its id."""
    options = given_options(option)

    async def work(api: "Api") -> "Json":
        ready = await _signed_in(api, platform, {"name": name, "options": options})
        chosen = _choose(ready["accounts"], account)
        body = {"platform": platform, "name": name, "connection": ready["id"], "account_id": chosen}
        return await api.post("channels", body=body)

    channel = with_api(work)
    if as_json:
        print_json(channel)
    else:
        out.print(channel["id"], markup=False)


@group.command("reconnect")
def reconnect(channel: Annotated[str, typer.Argument(help="The channel, by name or id.")]) -> None:
    """Sign in again with the account of a channel; what waited for it goes on."""
    from video_manager.cli.requests import channel_ids

    async def work(api: "Api") -> "Json":
        id = (await channel_ids(api, (channel,)))[0]
        there = await api.get("channels", id)
        ready = await _signed_in(api, there["platform"], {"channel_id": id})
        return await api.post("channels", id, "reconnect", body={"connection": ready["id"]})

    changed = with_api(work)
    state = f"it stays paused: {changed['paused_reason']}" if changed["paused"] else "it goes on"
    note(f"{changed['name']} is connected again as {changed['account_name']}; {state}.")


async def _signed_in(api: "Api", platform: str, body: dict[str, Any]) -> "Json":
    """The connection once its accounts are known."""
    import asyncio

    from video_manager.settings import read_settings

    if api.embedded and read_settings().keeps_data:
        raise CommandError(
            "no system is running: start it (video-manager up), as the platform sends your browser back to it",
            Exit.NOT_REACHABLE,
        )
    begun = await api.post("platforms", platform, "connections", body=body)
    note("Open this address in a browser, and sign in to the studio there if you are asked to:")
    out.print(begun["authorize_url"], markup=False, soft_wrap=True)
    while True:
        now = await api.get("platforms", platform, "connections", begun["id"])
        if now["state"] not in _UNDER_WAY:
            break
        await asyncio.sleep(LOOK_SECONDS)
    if now["state"] != "ready":
        raise CommandError(now["error"] or "nobody agreed within ten minutes: begin again", Exit.FAILED)
    return now


def _choose(accounts: "list[Json]", wanted: str | None) -> str:
    """The id of one of them, with the person's consent: they see whom they are about to connect."""
    if wanted is not None:
        return wanted
    for number, one in enumerate(accounts, 1):
        note(f"  {number}  {one['name']}  {one['url'] or ''}")
    if len(accounts) == 1:
        typer.confirm("Connect this account?", default=True, abort=True, err=True)
        return str(accounts[0]["id"])
    number = typer.prompt("Which one", type=int, err=True)
    if not 1 <= number <= len(accounts):
        raise CommandError(f"there is no {number}: choose from 1 to {len(accounts)}")
    return str(accounts[number - 1]["id"])
