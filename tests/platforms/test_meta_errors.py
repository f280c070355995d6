"""Every documented error of Instagram and Facebook: what it asks for, and whether a publishing call may have worked."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import Alone
from tests.platforms.meta_alone import alone_at_meta

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, StillUploaded
from video_manager.fakes import meta
from video_manager.fakes.network import Fault
from video_manager.plugins.api import Publisher
from video_manager.plugins.publishers import facebook, instagram
from video_manager.plugins.publishers.meta_errors import UploadGone

CERTAIN, OPEN = True, False
HANDLE = {"container": "17890000000000001", "video": "900000000000001", "begun_at": "2026-11-22T10:00:00+00:00"}

# code, subcode, what it asks for, whether it is certain that nothing was made, seconds to wait
TABLE: list[tuple[int, int | None, type[Exception], bool, float | None]] = [
    (-1, 2207001, RetryableError, OPEN, None),
    (-2, 2207003, RetryableError, OPEN, None),
    (-1, 2207032, RetryableError, OPEN, None),
    (-1, 2207082, RetryableError, OPEN, None),
    (1, None, RetryableError, OPEN, None),
    (2, None, RetryableError, OPEN, None),
    (1363047, None, RetryableError, OPEN, None),
    (100, 1363047, RetryableError, OPEN, None),
    (1609010, None, RetryableError, OPEN, None),
    (100, 1609010, RetryableError, OPEN, None),
    (9007, 2207027, StillUploaded, CERTAIN, 60),
    (24, 2207008, RetryableError, CERTAIN, 120),
    (-2, 2207020, UploadGone, CERTAIN, None),
    (24, 2207006, UploadGone, CERTAIN, None),
    (-1, 2207053, UploadGone, CERTAIN, None),
    (9, 2207042, LimitReached, CERTAIN, 86400),
    (4, None, LimitReached, CERTAIN, 300),
    (17, None, LimitReached, CERTAIN, 300),
    (32, None, LimitReached, CERTAIN, 300),
    (613, None, LimitReached, CERTAIN, 300),
    (613, 1996, LimitReached, CERTAIN, 300),
    (100, 1390008, LimitReached, CERTAIN, 300),
    (352, 2207026, PermanentError, CERTAIN, None),
    (36003, 2207009, PermanentError, CERTAIN, None),
    (1, 2207057, PermanentError, CERTAIN, None),
    (100, 2207028, PermanentError, CERTAIN, None),
    (9004, 2207052, PermanentError, CERTAIN, None),
    (36004, 2207010, PermanentError, CERTAIN, None),
    (100, 1404006, PermanentError, CERTAIN, None),
    (100, 1404102, PermanentError, CERTAIN, None),
    (100, 1346003, PermanentError, CERTAIN, None),
    (100, 2069019, PermanentError, CERTAIN, None),
    (6000, 1363030, PermanentError, CERTAIN, None),
    (100, 1363128, PermanentError, CERTAIN, None),
    (25, 2207050, ActionRequiredError, CERTAIN, None),
    (4, 2207051, ActionRequiredError, CERTAIN, None),
    (190, None, ActionRequiredError, CERTAIN, None),
    (190, 463, ActionRequiredError, CERTAIN, None),
    (190, 490, ActionRequiredError, CERTAIN, None),
    (100, 33, ActionRequiredError, CERTAIN, None),
    (100, 1404078, ActionRequiredError, CERTAIN, None),
    (10, None, ActionRequiredError, CERTAIN, None),
    (200, None, ActionRequiredError, CERTAIN, None),
    (100, None, PermanentError, CERTAIN, None),
    (123456, 654321, PermanentError, CERTAIN, None),
]


PLATFORMS: dict[str, tuple[Publisher[Any], str, tuple[str, ...], str]] = {
    "Instagram": (instagram.InstagramPublisher(), meta.ACCOUNT, instagram.NEEDED, "media_publish"),
    "Facebook": (facebook.FacebookPublisher(), meta.PAGE, facebook.NEEDED, "upload_phase=finish"),
}
"""By title: whose account it is, its permissions, and its publishing call."""


@pytest.fixture(params=PLATFORMS)
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Alone]:
    publisher, account, scopes, _ = PLATFORMS[request.param]
    async with alone_at_meta(tmp_path, publisher, {"id": account}, scopes) as it:
        yield it


@pytest.fixture
async def lone(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone_at_meta(tmp_path, instagram.InstagramPublisher(), {"id": meta.ACCOUNT}, instagram.NEEDED) as it:
        yield it


def body_of(code: int, subcode: int | None, **more: Any) -> dict[str, Any]:
    error = {"message": "What it says", "type": "OAuthException", "code": code, "fbtrace_id": "A1", **more}
    return {"error": error if subcode is None else {**error, "error_subcode": subcode}}


async def refused(it: Alone, status: int, body: Any, **more: Any) -> tuple[Exception, bool]:
    pattern = PLATFORMS[it.publisher.title][3]
    return await it.refused_with(HANDLE, Fault("answer", pattern, status=status, body=body, **more))


@pytest.mark.parametrize(("code", "subcode", "kind", "is_certain", "wait"), TABLE)
async def test_what_an_error_of_the_publishing_call_asks_for(
    either: Alone, code: int, subcode: int | None, kind: type[Exception], is_certain: bool,
    wait: float | None,
) -> None:  # fmt: skip
    error, certain = await refused(either, 400, body_of(code, subcode))
    assert isinstance(error, kind), repr(error)
    assert certain is is_certain
    assert isinstance(error, LimitReached) is (kind is LimitReached)
    assert getattr(error, "retry_after_seconds", None) == wait
    numbers = str(code) if subcode is None else f"{code}/{subcode}"
    assert str(error).startswith(f"{either.publisher.title} answered 400: What it says (error {numbers})")


@pytest.mark.parametrize(("code", "subcode", "kind", "is_certain", "wait"), TABLE)
async def test_what_an_error_of_any_other_call_asks_for(
    lone: Alone, code: int, subcode: int | None, kind: type[Exception], is_certain: bool,
    wait: float | None,
) -> None:  # fmt: skip
    lone.network.faults.append(Fault("answer", "publishing_limit", status=400, body=body_of(code, subcode)))
    with pytest.raises(kind) as raised:
        await lone.upload()
    assert isinstance(raised.value, LimitReached) is (kind is LimitReached)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_trouble_of_the_server_leaves_the_outcome_open(lone: Alone, status: int) -> None:
    error, is_certain = await refused(lone, status, {"not": "documented"})
    assert (type(error), is_certain) == (RetryableError, False)


@pytest.mark.parametrize(
    "body",
    [
        body_of(100, None, is_transient=True),
        {"error": {"message": "An unknown error occurred", "code": 99}},
    ],
)
async def test_trouble_that_is_called_passing_leaves_the_outcome_open(lone: Alone, body: Any) -> None:
    error, is_certain = await refused(lone, 400, body)
    assert isinstance(error, RetryableError)
    assert not is_certain


async def test_a_time_that_is_named_is_kept_to(lone: Alone) -> None:
    error, _ = await refused(lone, 400, body_of(4, None), headers={"Retry-After": "1800"})
    assert isinstance(error, LimitReached)
    assert error.retry_after_seconds == 1800


async def test_the_words_for_people_are_shown_and_tokens_are_not(lone: Alone) -> None:
    body = body_of(123, None, error_user_msg="Malformed access token EAABsbCS1iHgBO7xyz")
    error, _ = await refused(lone, 400, body)
    assert str(error) == "Instagram answered 400: Malformed access token (a token) (error 123)"


async def test_a_revoked_token_asks_the_person(lone: Alone) -> None:
    body = {"error": {"message": "The user removed the app", "type": "REVOKED_ACCESS_TOKEN"}}
    error, is_certain = await refused(lone, 403, body)
    assert (type(error), is_certain) == (ActionRequiredError, True)


async def test_endless_words_are_cut(lone: Alone) -> None:
    error, _ = await refused(lone, 400, body_of(123, None, error_user_msg="x" * 100_000))
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("status", "info", "kind"),
    [
        (400, {"retriable": True, "type": "ServiceError", "message": "try again"}, RetryableError),
        (503, {"retriable": False, "type": "ServiceError", "message": "busy"}, RetryableError),
        (400, {"retriable": False, "type": "ProcessingFailedError", "message": "Request processing failed"},
         PermanentError),
        (400, {"retriable": False, "type": "NotAuthorizedError", "message": "unauthorized user request"},
         ActionRequiredError),
        (403, {"retriable": False, "type": "NotAuthorizedError", "message": "no"}, ActionRequiredError),
    ],
)  # fmt: skip
async def test_what_a_refusal_of_the_bytes_asks_for(
    lone: Alone, status: int, info: dict[str, Any], kind: type[Exception]
) -> None:
    lone.network.faults.append(Fault("answer", "rupload", status=status, body={"debug_info": info}))
    with pytest.raises(kind, match=rf"Instagram did not take the bytes \({status}\): {info['message']}"):
        await lone.upload()
