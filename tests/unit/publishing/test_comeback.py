"""Whose answer a callback is (RFC 9207)."""

import pytest

from video_manager.errors import ActionRequiredError
from video_manager.plugins.publishers.youtube import YouTubePublisher
from video_manager.publishing.access.comeback import Expected

GOOGLE = Expected(YouTubePublisher.oauth.authorize_url, YouTubePublisher.oauth.issuer)
NOT_KNOWN = Expected("https://www.platform.example/oauth")
PROMISED = Expected("https://platform.example/oauth", "https://platform.example", named=True)


@pytest.mark.parametrize(
    ("expected", "iss"),
    [
        (GOOGLE, "https://accounts.google.com"), (GOOGLE, None),
        (NOT_KNOWN, None), (NOT_KNOWN, "https://platform.example"), (NOT_KNOWN, "https://id.platform.example/oauth"),
        (PROMISED, "https://platform.example"), (PROMISED, "https://platform.example/"),
    ],
)  # fmt: skip
def test_its_own_name_or_none_where_none_was_promised(expected: Expected, iss: str | None) -> None:
    expected.require("The platform", iss)


@pytest.mark.parametrize(
    ("expected", "iss"),
    [
        (GOOGLE, "https://www.google.com"), (GOOGLE, "https://accounts.google.com.evil.example"), (GOOGLE, ""),
        (NOT_KNOWN, "https://evil.example"), (NOT_KNOWN, "http://platform.example"), (NOT_KNOWN, "platform.example"),
        (NOT_KNOWN, "https://platform.example.evil.example"), (NOT_KNOWN, "https://[::1"), (NOT_KNOWN, ""),
        (PROMISED, None), (PROMISED, "https://www.platform.example"), (PROMISED, "https://platform.example//evil"),
    ],
)  # fmt: skip
def test_any_other_is_refused_in_bounded_words(expected: Expected, iss: str | None) -> None:
    with pytest.raises(ActionRequiredError, match="begin again") as raised:
        expected.require("The platform", iss)
    assert "The platform" in raised.value.detail
    with pytest.raises(ActionRequiredError) as long:
        expected.require("The platform", "https://" + "x" * 9000)
    assert len(long.value.detail) < 500
