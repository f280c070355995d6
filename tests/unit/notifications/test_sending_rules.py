"""Waits, masks and addresses."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from video_manager.errors import InvalidInput
from video_manager.notifications.attempts import LONGEST_HOLD_SECONDS, RETRY_SECONDS, hold_seconds, next_try
from video_manager.notifications.chat import without_secrets
from video_manager.notifications.model import Notification, ReadMarks, Webhook
from video_manager.notifications.web_push import SignedPush, _split, is_public, new_secret

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_waits_grow_and_end() -> None:
    waits = [(next_try(tries, NOON) - NOON).total_seconds() for tries in range(1, 12)]
    assert waits == [*RETRY_SECONDS, RETRY_SECONDS[-1], RETRY_SECONDS[-1]]
    assert (next_try(1, NOON, 77) - NOON).total_seconds() == 77
    holds = [hold_seconds(failures) for failures in range(1, 2000)]
    assert holds == sorted(holds)
    assert holds[-1] == LONGEST_HOLD_SECONDS


def test_no_part_of_an_address_that_could_be_a_token_remains() -> None:
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?x=supersecret"
    text = without_secrets("POST /T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ supersecret: 404 not found", url)
    assert text == "POST /***/***/*** ***: 404 not found"


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104
     "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
     "2002:7f00:1::"],
)  # fmt: skip
def test_private_addresses(address: str) -> None:
    assert not is_public(ip_address(address))


def test_private_addresses_are_fine_where_they_are_allowed() -> None:
    SignedPush(allow_private=True).check("http://127.0.0.1:9000/hook")
    SignedPush(allow_private=False).check("https://hooks.example.com/x")
    with pytest.raises(InvalidInput, match="private or local"):
        SignedPush(allow_private=False).check("http://127.0.0.1:9000/hook")


def test_secrets_are_long_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(one.startswith("whsec_") and len(one) == 38 for one in secrets)


def test_a_webhook_wants_types_and_prefixes() -> None:
    webhook = Webhook(id="w", name="w", url="u", secret="s", events=("version.*", "review.decided"), created_at=NOON)
    assert [webhook.wants(one) for one in ("version.ready", "review.decided", "review.decided2", "versions.x")] == [
        True, True, False, False
    ]  # fmt: skip


def test_read_is_what_is_marked_or_older() -> None:
    one = Notification(id="n", kind="ready", title="", text="", link="/", severity="info", created_at=NOON)
    assert not ReadMarks(id="u").has_read(one)
    assert ReadMarks(id="u", read=("n",)).has_read(one)
    assert ReadMarks(id="u", all_until=NOON).has_read(one)


def test_names_in_other_alphabets_travel_as_ascii() -> None:
    parts = _split("https://bücher.example:8443/hook")
    assert (parts.hostname, parts.host_header) == ("xn--bcher-kva.example", "xn--bcher-kva.example:8443")
