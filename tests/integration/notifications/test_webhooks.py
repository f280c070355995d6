"""Signed webhooks to a real receiver."""

import json
import time
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook as Verifier
from tests.integration.notifications.conftest import ADMIN, Desk
from werkzeug import Request, Response

from video_manager.contracts import events
from video_manager.errors import InvalidInput
from video_manager.notifications.model import DeliveryState
from video_manager.notifications.webhooks import DeliveryView, WebhookView


class Answers:
    """Remembers what came, and answers with `status`."""

    def __init__(self, server: HTTPServer) -> None:
        self.requests: list[tuple[dict[str, str], str]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.url = server.url_for("/hook")
        server.expect_request("/hook", method="POST").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        self.requests.append((dict(request.headers), request.get_data(as_text=True)))
        return Response("because", self.status, headers=self.headers)


@pytest.fixture
def answers(receiver: HTTPServer) -> Answers:
    return Answers(receiver)


async def make(desk: Desk, answers: Answers, *wanted: str) -> WebhookView:
    made = await desk.service.webhooks.create(ADMIN, "w", answers.url, wanted or ("version.*",))
    return made.value


async def shown(desk: Desk) -> WebhookView:
    return (await desk.service.webhooks.get(ADMIN, "w")).value


async def deliveries(desk: Desk) -> list[DeliveryView]:
    return list((await desk.service.webhooks.deliveries(ADMIN, "w")).items)


async def now_is_now(desk: Desk) -> None:
    """Signatures carry the time, and a verifier wants it to be near its own."""
    await desk.clock.advance(max(0.0, time.time() - desk.clock.now().timestamp()))


async def test_an_event_arrives_signed_and_whole(desk: Desk, answers: Answers) -> None:
    desk.clock._start = datetime.now(UTC)
    webhook = await make(desk, answers)
    event = await desk.ready("Tides")
    await desk.deliver()
    [(headers, body)] = answers.requests
    assert webhook.secret is not None
    assert Verifier(webhook.secret).verify(body, headers) == event.model_dump(mode="json")
    assert {name.lower(): value for name, value in headers.items()}["webhook-id"] == event.id
    assert (await shown(desk)).secret is None
    [delivery] = await deliveries(desk)
    assert (delivery.state, delivery.last_status, delivery.event_id) == (DeliveryState.SENT, 200, event.id)


async def test_only_wanted_events_are_sent(desk: Desk, answers: Answers) -> None:
    await make(desk, answers, "video.deleted")
    await desk.ready()
    await desk.hear(events.VideoDeleted(video_id="v1", deleted_by="ada"))
    await desk.deliver()
    assert [json.loads(body)["type"] for _, body in answers.requests] == ["video.deleted"]


async def test_a_failure_is_shown_and_tried_again_with_the_same_id(desk: Desk, answers: Answers) -> None:
    await make(desk, answers)
    answers.status = 500
    await desk.ready()
    await desk.deliver()
    [delivery] = await deliveries(desk)
    assert (delivery.state, delivery.tries, delivery.last_status) == (DeliveryState.PENDING, 1, 500)
    assert delivery.last_error == "the receiver answered 500: because"
    assert (await shown(desk)).health.last_error == delivery.last_error
    answers.status = 204
    await desk.clock.advance(6)
    await desk.deliver()
    ids = {headers["Webhook-Id"] for headers, _ in answers.requests}
    assert (len(answers.requests), len(ids)) == (2, 1)
    assert (await shown(desk)).health.failures == 0


async def test_the_receiver_may_name_the_wait(desk: Desk, answers: Answers) -> None:
    await make(desk, answers)
    answers.status, answers.headers = 503, {"Retry-After": "900"}
    await desk.ready()
    await desk.deliver()
    [delivery] = await deliveries(desk)
    assert delivery.next_try_at is not None
    assert (delivery.next_try_at - desk.clock.now()).total_seconds() == 900


async def test_after_a_day_of_failures_it_is_switched_off_and_told(desk: Desk, answers: Answers) -> None:
    await make(desk, answers)
    answers.status = 500
    for _ in range(30):
        await desk.ready()
        await desk.deliver()
        await desk.clock.advance(3600)
    webhook = await shown(desk)
    assert (webhook.enabled, webhook.disabled_reason) == (False, "it failed for a day")
    tries = len(answers.requests)
    assert tries < 40
    told = (await desk.service.list(ADMIN, limit=200)).items
    assert [one.notification.title for one in told if one.notification.kind == "webhook_disabled"] == [
        f"The webhook '{answers.url}' was switched off"
    ]
    await desk.deliver()
    assert len(answers.requests) == tries
    answers.status = 200
    again = await desk.service.webhooks.change(ADMIN, "w", enabled=True)
    assert (again.value.disabled_reason, again.value.health.failures) == (None, 0)
    await desk.ready()
    await desk.deliver()
    assert (await shown(desk)).health.last_success_at is not None


async def test_gone_is_respected_at_once(desk: Desk, answers: Answers) -> None:
    await make(desk, answers)
    answers.status = 410
    await desk.ready()
    await desk.deliver()
    assert (await shown(desk)).enabled is False
    assert [one.state for one in await deliveries(desk)] == [DeliveryState.FAILED]


async def test_redirects_are_not_followed(desk: Desk, answers: Answers) -> None:
    await make(desk, answers)
    answers.status, answers.headers = 302, {"Location": answers.url}
    await desk.ready()
    await desk.deliver()
    assert len(answers.requests) == 1
    assert "redirects are not followed" in ((await deliveries(desk))[0].last_error or "")


async def test_a_test_event_is_sent_at_once(desk: Desk, answers: Answers) -> None:
    await make(desk, answers)
    assert (await desk.service.webhooks.send_test(ADMIN, "w")).model_dump() == {
        "delivered": True, "detail": "the receiver answered 200", "status": 200
    }  # fmt: skip
    answers.status = 404
    assert (await desk.service.webhooks.send_test(ADMIN, "w")).status == 404
    assert [json.loads(body)["type"] for _, body in answers.requests] == ["webhook.test", "webhook.test"]


async def test_creating_again_under_the_same_id_makes_nothing_new(desk: Desk, answers: Answers) -> None:
    first, second = await make(desk, answers), await make(desk, answers)
    assert first == second


@pytest.mark.parametrize("wanted", [[], ["nonsense"], ["version.ready", "render.*"]])
async def test_unknown_events_are_refused(desk: Desk, answers: Answers, wanted: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"known: .*publication\.\*"):
        await desk.service.webhooks.create(ADMIN, "w", answers.url, wanted)


# ---- private addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x", "http://10.0.0.1/", "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/", "http://[fe80::1]/", "http://[fd00::1]/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/",
        "http://[64:ff9b::7f00:1]/", "http://100.64.0.1/", "http://224.0.0.1/", "ftp://example.com/", "http:///x",
        "http://user:pw@example.com/", "http://example.com:99999/", "http://exa\0mple.com/", "http://a..example.com/",
        f"http://{'a' * 64}.example.com/",
    ],
)  # fmt: skip
async def test_addresses_that_are_never_sent_to(guarded_desk: Desk, url: str) -> None:
    with pytest.raises(InvalidInput, match="url"):
        await guarded_desk.service.webhooks.create(ADMIN, "w", url, ["version.*"])


async def test_a_name_that_leads_to_a_private_address_is_refused_when_sending(
    guarded_desk: Desk, answers: Answers
) -> None:
    url = answers.url.replace("127.0.0.1", "localhost")
    await guarded_desk.service.webhooks.create(ADMIN, "w", url, ["version.*"])
    await guarded_desk.ready()
    await guarded_desk.deliver()
    assert answers.requests == []
    [delivery] = await deliveries(guarded_desk)
    assert "VIDEO_MANAGER_WEBHOOK_ALLOW_PRIVATE" in (delivery.last_error or "")
