"""`users` and `keys`: who may do what."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.exits import CommandError
from video_manager.cli.output import AsJson, local_time, note, print_items, print_json
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

users = typer.Typer(no_args_is_help=True, help="People who may sign in.")
keys = typer.Typer(no_args_is_help=True, help="Keys for programs.")


class UserRole(StrEnum):
    ADMIN = "admin"
    PRODUCER = "producer"
    REVIEWER = "reviewer"
    VIEWER = "viewer"


class KeyRole(StrEnum):
    ADMIN = "admin"
    PRODUCER = "producer"
    REVIEWER = "reviewer"
    VIEWER = "viewer"
    WORKER = "worker"


User = Annotated[str, typer.Argument(help="The user, by name or id.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input "
                                                                      "instead of making one.")]  # fmt: skip


def register(app: typer.Typer) -> None:
    app.add_typer(users, name="users")
    app.add_typer(keys, name="keys")


# ---- users ----------------------------------------------------------------------------------------------


@users.command("list")
def list_users(as_json: AsJson = False) -> None:
    """List users."""

    async def work(api: "Api") -> "list[Json]":
        return await api.items("users")

    columns: dict[str, Any] = {"id": "id", "name": "name", "role": "role", "email": "email", "disabled": "disabled",
                               "created": lambda item: local_time(item["created_at"])}  # fmt: skip
    print_items(with_api(work), columns, as_json=as_json, none="No users.")


@users.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="The name to sign in with.")],
    role: Annotated[UserRole, typer.Option(help="What the person may do.")],
    email: Annotated[str | None, typer.Option(help="Where mail goes.")] = None,
    password_stdin: PasswordStdin = False,
    as_json: AsJson = False,
) -> None:
    """Add a person. A password is made and printed once, unless you give one on standard input."""
    password = _password(given=password_stdin)
    body: dict[str, Any] = {"name": name, "role": role.value, "password": password}

    async def work(api: "Api") -> "Json":
        return await api.post("users", body=body | ({"email": email} if email else {}))

    user = with_api(work)
    _print_password(user, password, shown=not password_stdin, as_json=as_json)


@users.command("disable")
def disable_user(user: User, as_json: AsJson = False) -> None:
    """End a person's sessions and let them sign in no more."""
    _change(user, {"disabled": True}, "disabled", as_json=as_json)


@users.command("enable")
def enable_user(user: User, as_json: AsJson = False) -> None:
    """Let a disabled person sign in again."""
    _change(user, {"disabled": False}, "enabled", as_json=as_json)


@users.command("set-role")
def set_role(user: User, role: Annotated[UserRole, typer.Argument()], as_json: AsJson = False) -> None:
    """Change what a person may do."""
    _change(user, {"role": role.value}, f"now {role.value}", as_json=as_json)


@users.command("reset-password")
def reset_password(user: User, password_stdin: PasswordStdin = False, as_json: AsJson = False) -> None:
    """Give a person a new password (made and printed once) and end their sessions."""
    password = _password(given=password_stdin)

    async def work(api: "Api") -> "Json":
        return await api.patch("users", await _user_id(api, user), body={"password": password})

    _print_password(with_api(work), password, shown=not password_stdin, as_json=as_json)


def _change(user: str, body: dict[str, Any], done: str, *, as_json: bool) -> None:
    async def work(api: "Api") -> "Json":
        return await api.patch("users", await _user_id(api, user), body=body)

    changed = with_api(work)
    if as_json:
        print_json(changed)
    else:
        note(f"{changed['name']} is {done}.")


async def _user_id(api: "Api", named: str) -> str:
    found = await api.items("users")
    for user in found:
        if named in (user["id"], user["name"]):
            return str(user["id"])
    raise CommandError(f"there is no user {named!r}; there are: {', '.join(user['name'] for user in found)}")


def _password(*, given: bool) -> str:
    if given:
        return sys.stdin.readline().rstrip("\n")
    import secrets

    return secrets.token_urlsafe(15)


def _print_password(user: "Json", password: str, *, shown: bool, as_json: bool) -> None:
    if as_json:
        print_json({**user, "password": password} if shown else user)
    elif shown:
        note(f"The password of {user['name']}, shown this once:")
        sys.stdout.write(password + "\n")
    else:
        note(f"{user['name']} has the password you gave.")


# ---- keys -----------------------------------------------------------------------------------------------


@keys.command("create")
def create_key(
    role: Annotated[KeyRole, typer.Option(help="What the program may do.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it, alone, on standard output. It is shown this once."""

    async def work(api: "Api") -> "Json":
        return await api.post("keys", body={"role": role.value, "name": name})

    key = with_api(work)
    if as_json:
        print_json(key)
    else:
        sys.stdout.write(key["key"] + "\n")


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List keys; their secrets are not kept."""

    async def work(api: "Api") -> "list[Json]":
        return await api.items("keys")

    columns: dict[str, Any] = {
        "id": "id", "name": "name", "role": "role", "begins with": lambda item: f"vm_{item['prefix']}_",
        "created": lambda item: local_time(item["created_at"]), "revoked": lambda item: local_time(item["revoked_at"]),
    }  # fmt: skip
    print_items(with_api(work), columns, as_json=as_json, none="No keys.")


@keys.command("revoke")
def revoke_key(key: Annotated[str, typer.Argument(help="The key's id or name.")]) -> None:
    """Stop a key from working, at once."""

    async def work(api: "Api") -> str:
        in_force = [item for item in await api.items("keys") if item["revoked_at"] is None]
        found = [item for item in in_force if item["id"] == key] or [item for item in in_force if item["name"] == key]
        if len(found) != 1:
            why = "no key in force is" if not found else "several keys in force are"
            raise CommandError(f"{why} named {key!r}; `video-manager keys list` shows the ids")
        await api.delete("keys", found[0]["id"])
        return str(found[0]["name"])

    note(f"{with_api(work)} is revoked.")
