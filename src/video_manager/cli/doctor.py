"""`doctor`: is everything there that the system needs?"""

from typing import Annotated

import typer

from video_manager.cli.exits import Exit
from video_manager.cli.output import AsJson, out, print_json

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    as_json: AsJson = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the checks that take seconds (the voice).")] = False,
) -> int:
    """Check this machine and the settings. Each line says what to do; the exit code is 1 when something fails."""
    from video_manager.cli.checkups import examine

    findings = list(examine(quick=quick))
    if as_json:
        print_json({"items": [vars(finding) for finding in findings]})
    else:
        for finding in findings:
            out.print(f"[{_STYLES[finding.level]}]{finding.level:<4}[/] [bold]{finding.subject:<12}[/]", end=" ")
            out.print(finding.text, markup=False, soft_wrap=True)
            if finding.advice:
                out.print(f"{'':18}-> {finding.advice}", markup=False, soft_wrap=True)
    return Exit.FAILED if any(finding.level == "fail" for finding in findings) else Exit.OK
