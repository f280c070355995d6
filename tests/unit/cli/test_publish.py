"""`publish plan`, and that `publish ID` still means the video."""

import json

from tests.unit.cli.conftest import Cli


def test_an_empty_plan_says_so(cli: Cli) -> None:
    done = cli("publish", "plan", "--days", "3")
    assert (done.code, done.out) == (0, "")
    assert "Nothing is scheduled for the next 3 days." in done.err
    plan = json.loads(cli("publish", "plan", "--json").out)
    assert plan["items"] == []


def test_publish_takes_a_video_first(cli: Cli) -> None:
    for arguments in (("publish", "abc", "--channel", "site"), ("publish", "--channel", "site", "abc")):
        done = cli(*arguments)
        assert "no video 'abc'" in done.err
    assert cli("publish", "abc", "--channel", "site", "--at", "tomorrow").code == 2


def test_help_shows_both(cli: Cli) -> None:
    done = cli("publish", "--help")
    assert done.code == 0
    assert "plan" in done.out
    assert "video" in done.out
