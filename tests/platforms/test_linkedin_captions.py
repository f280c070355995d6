"""LinkedIn: captions and thumbnail go along with the video, and no fault in them loses it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import Alone
from tests.platforms.linkedin_alone import alone_at_linkedin, fake_of, parts_sent

from video_manager.domain.video import Severity
from video_manager.errors import LimitReached, RetryableError
from video_manager.fakes.linkedin_videos import ADDRESS_SECONDS
from video_manager.fakes.network import Fault
from video_manager.plugins.api import Handle
from video_manager.plugins.publishers.linkedin_captions import MOST_BYTES, form_of

VTT = """WEBVTT

NOTE made by a machine

1
00:00:01.000 --> 00:00:02.500 align:start position:10%
<v Rita>Grüße &amp; Küsse
vom Meer

00:03.000 --> 00:04.000
<i>Ende</i>
"""
SUBRIP = (
    "1\n00:00:01,000 --> 00:00:02,500\nGrüße & Küsse\nvom Meer\n\n2\n00:00:03,000 --> 00:00:04,000\n<i>Ende</i>\n\n"
)
CAPTIONS = "POST .*/dms-uploads/.*/captions$"
UPLOAD_CALLS = 7
"""Begin, captions, thumbnail, the one part, seal, and two questions."""


@pytest.fixture
async def person(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_linkedin(tmp_path) as it:
        yield it


def dressed(it: Alone, content: bytes = VTT.encode(), name: str = "captions.vtt") -> Alone:
    """With captions and a thumbnail."""
    captions, picture = it.folder / name, it.folder / "picture.jpg"
    captions.write_bytes(content)
    picture.write_bytes(b"JPEG")
    it.facts |= {"captions": captions, "captions_bytes": len(content), "thumbnail": picture, "language": "de-AT"}
    return it


async def shown(it: Alone, handle: Handle | None = None) -> tuple[dict[str, Any], str]:
    """What is to be seen of the one post, and the warning with it."""
    published = await it.publish(await it.upload() if handle is None else handle)
    (post,) = fake_of(it).public_posts()
    assert post.sha256 == it.post().video_sha256
    return post.extra, published.warning or ""


async def test_captions_go_along_as_subrip(person: Alone) -> None:
    post, warning = await shown(dressed(person))
    assert (post["captions"], post["thumbnail"], warning) == (SUBRIP, 4, "")
    assert [call.path.rpartition("/")[2] for call in person.network.calls if "dms" in call.path] == [
        "captions", "thumbnail", "0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("language", "locale"),
    [
        ("de", {"language": "DE"}), ("en-US", {"language": "EN", "country": "US"}),
        ("zh-Hant-TW", {"language": "ZH", "country": "TW"}), ("", {"language": "EN"}),
    ],
)  # fmt: skip
def test_the_language_of_captions(language: str, locale: dict[str, str]) -> None:
    assert json.loads(form_of(b"", language)["data"]["metadata"])["locale"] == locale


async def test_captions_that_are_subrip_already_stay_so(person: Alone) -> None:
    post, _ = await shown(dressed(person, SUBRIP.encode(), "captions.srt"))
    assert post["captions"] == SUBRIP


@pytest.mark.parametrize("content", [b"WEBVTT\n\n", b"WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n \n"])
async def test_captions_that_say_nothing_are_not_promised(person: Alone, content: bytes) -> None:
    post, warning = await shown(dressed(person, content))
    assert (post["captions"], post["thumbnail"], warning) == (None, 4, "")


@pytest.mark.parametrize("content", [b"no captions at all", b"", b"\xff\xfe\x00WEBVTT"])
async def test_what_is_no_captions_file_is_left_out_with_a_warning(person: Alone, content: bytes) -> None:
    post, warning = await shown(dressed(person, content))
    assert post["captions"] is None
    assert "cannot be converted to SubRip" in warning


async def test_captions_beyond_our_limit_are_left_out_and_that_is_said_before(person: Alone) -> None:
    dressed(person).facts["captions_bytes"] = MOST_BYTES + 1
    found = await person.publisher.check(person.post(), person.options, person.context())
    assert [(one.code, one.severity) for one in found] == [("captions_left_out", Severity.WARNING)]
    post, warning = await shown(person)
    assert post["captions"] is None
    assert "left out" in warning


@pytest.mark.parametrize("name", ["captions", "thumbnail"])
async def test_what_is_refused_is_left_out_before_a_byte_of_the_video_was_sent(person: Alone, name: str) -> None:
    fake_of(person).uploads.takes.discard(name)
    post, warning = await shown(dressed(person))
    assert post[name] is None
    assert len([extra for extra in ("captions", "thumbnail") if post[extra]]) == 1
    assert f"LinkedIn did not take the {name}: " in warning
    assert parts_sent(person).count("0") == 1


async def test_both_may_be_refused(person: Alone) -> None:
    fake_of(person).uploads.takes.clear()
    post, warning = await shown(dressed(person))
    assert (post["captions"], post["thumbnail"]) == (None, None)
    assert "take the captions" in warning
    assert "take the thumbnail" in warning


@pytest.mark.parametrize("status", [500, 503])
async def test_a_fault_is_tried_again_once_and_then_the_video_goes_without(person: Alone, status: int) -> None:
    person.network.faults.append(Fault("answer", CAPTIONS, status=status, times=2))
    with pytest.raises(RetryableError):
        await dressed(person).upload()
    assert parts_sent(person) == []
    post, warning = await shown(person, await person.upload(earlier=person.handles[-1]))
    assert (post["captions"], post["thumbnail"]) == (None, 4)
    assert f"did not take the captions: LinkedIn answered {status}" in warning


async def test_after_one_fault_the_captions_go_along(person: Alone) -> None:
    person.network.faults.append(Fault("answer", CAPTIONS, status=500))
    with pytest.raises(RetryableError):
        await dressed(person).upload()
    assert await shown(person, await person.upload(earlier=person.handles[-1])) == (
        {"title": "Ein Tag", "visibility": "PUBLIC", "captions": SUBRIP, "thumbnail": 4, "no_reshares": False}, "",
    )  # fmt: skip


async def test_a_limit_costs_no_captions(person: Alone) -> None:
    person.network.faults.append(Fault("answer", CAPTIONS, status=429, times=3))
    handle: Handle | None = None
    for _ in range(3):
        with pytest.raises(LimitReached):
            await dressed(person).upload(earlier=handle)
        handle = person.handles[-1]
    post, warning = await shown(person, await person.upload(earlier=handle))
    assert (post["captions"], warning) == (SUBRIP, "")


@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize("number", range(1, UPLOAD_CALLS + 1))
async def test_an_upload_that_breaks_off_at_any_call_goes_on_with_its_captions(
    person: Alone, kind: Any, number: int
) -> None:
    person.network.faults.append(Fault(kind, number=number))
    with pytest.raises(RetryableError):
        await dressed(person).upload()
    handle = await person.upload(earlier=person.handles[-1] if person.handles else None)
    post, warning = await shown(person, handle)
    assert (post["captions"], post["thumbnail"], warning) == (SUBRIP, 4, "")


async def test_captions_for_an_address_that_is_too_old_get_another_one(person: Alone) -> None:
    person.network.faults.append(Fault("before", CAPTIONS))
    with pytest.raises(RetryableError):
        await dressed(person).upload()
    handle = {**person.handles[-1], "expires_at": None}  # only LinkedIn knows
    person.network.skew_seconds += ADDRESS_SECONDS + 1
    post, warning = await shown(person, await person.upload(earlier=handle))
    assert (post["captions"], warning) == (SUBRIP, "")
