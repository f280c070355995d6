"""Decisions of people: what they bind, what they void, what they send."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.manager.conftest import ADMIN, PRODUCER, Played

from video_manager.contracts.envelope import Envelope
from video_manager.domain.video import Finding, Severity, Verdict, VideoState
from video_manager.errors import Conflict, Forbidden, InvalidInput, InvalidTransition, NotFound, StaleRevision
from video_manager.manager.requests import (
    CompositionRequest,
    MetadataEdit,
    NewComment,
    PublicationRequest,
    ReviewRequest,
    Target,
    VideoEdit,
)
from video_manager.web import random_ids


def decision(**body: object) -> ReviewRequest:
    return ReviewRequest.model_validate({"version": 1, **body})


def of_type(played: Played, kind: str) -> list[Envelope]:
    return [message for message in played.seen if message.type == kind]


async def test_approve_binds_bytes_and_metadata_per_channel(played: Played) -> None:
    view = await played.make_ready()
    at = datetime.now(UTC) + timedelta(days=1)
    body = decision(
        decision="approve",
        metadata={"description": "Long", "tags": ["a", "a", "b"], "thumbnail": view.versions[0].files[2].id},
        targets=[{"channel_id": "c1", "publish_at": at}, {"channel_id": "c2", "metadata": {"title": "Other"}}],
    )
    approved = await played.reviews.review(ADMIN, view.id, body, random_ids)
    await played.settled()
    assert approved.state is VideoState.APPROVED
    commands = [message.data for message in of_type(played, "publication.create")]
    assert [command["channel_id"] for command in commands] == ["c1", "c2"]
    assert datetime.fromisoformat(commands[0]["publish_at"]) == at
    assert commands[1]["publish_at"] is None
    assert [command["metadata"]["title"] for command in commands] == ["A title", "Other"]
    assert commands[0]["metadata"]["tags"] == ["a", "b"]
    assert commands[0]["thumbnail"]["id"] == view.versions[0].files[2].id
    assert commands[0]["master"]["sha256"] == approved.approvals[0].master_sha256
    assert approved.publications.total == 2
    assert of_type(played, "review.decided")[0].data["decision"] == "approve"


async def test_a_wall_clock_time_in_a_zone(played: Played) -> None:
    view = await played.make_ready()
    # 02:30 does not exist on that night in Berlin: the next valid instant is 03:00 summer time.
    when = {"local": "2027-03-28T02:30", "zone": "Europe/Berlin"}
    await played.reviews.review(
        ADMIN, view.id, decision(decision="approve", channels=["c1"], publish_at=when), random_ids
    )
    await played.settled()
    command = of_type(played, "publication.create")[0].data
    assert datetime.fromisoformat(command["publish_at"]) == datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    assert command["requested_local"] == "2027-03-28T02:30 Europe/Berlin"


async def test_the_next_free_slot_is_chosen_by_publishing(played: Played) -> None:
    view = await played.make_ready()
    asked = decision(decision="approve", channels=["c1"], publish_at="next_slot")
    await played.reviews.review(ADMIN, view.id, asked, random_ids)
    await played.settled()
    command = of_type(played, "publication.create")[0].data
    assert (command["next_slot"], command["publish_at"], command["requested_local"]) == (True, None, None)
    other = await played.make_ready()
    with pytest.raises(InvalidInput, match="no posting slots") as caught:
        await played.reviews.review(
            ADMIN, other.id, decision(decision="approve", channels=["c1", "c2"], publish_at="next_slot"), random_ids
        )
    assert [error.field for error in caught.value.errors] == ["targets.1.publish_at"]


async def test_the_requesters_channels_are_the_default(played: Played) -> None:
    view = await played.make_ready(channels=["c2"])
    await played.reviews.review(ADMIN, view.id, decision(decision="approve"), random_ids)
    await played.settled()
    assert [message.data["channel_id"] for message in of_type(played, "publication.create")] == ["c2"]


async def test_changed_metadata_voids_the_approval(played: Played) -> None:
    view = await played.make_ready()
    await played.reviews.review(ADMIN, view.id, decision(decision="approve", channels=["c1"]), random_ids)
    same = await played.reviews.edit(ADMIN, view.id, VideoEdit(metadata=MetadataEdit(title="A title")))
    assert same.state is VideoState.APPROVED
    edited = await played.reviews.edit(ADMIN, view.id, VideoEdit(metadata=MetadataEdit(title="New")))
    await played.settled()
    assert edited.state is VideoState.IN_REVIEW
    assert edited.approvals[0].voided_at is not None
    created, withdrawn = of_type(played, "publication.create")[0], of_type(played, "publication.withdraw")[0]
    assert withdrawn.data["publication_id"] == created.data["publication_id"]


async def set_publication(played: Played, video_id: str, state: str) -> None:
    """What publishing would have told."""
    await played.repository.change(
        video_id, lambda video: video.with_(publications=dict.fromkeys(video.publications, state))
    )


async def test_approving_again_replaces_the_approval_whose_post_was_never_made(played: Played) -> None:
    view = await played.make_ready()
    await played.reviews.review(ADMIN, view.id, decision(decision="approve", channels=["c1"]), random_ids)
    await set_publication(played, view.id, "failed")
    again = await played.reviews.review(ADMIN, view.id, decision(decision="approve", channels=["c1"]), random_ids)
    await played.settled()
    assert [approval.voided_at is None for approval in again.approvals] == [False, True]
    assert len(of_type(played, "publication.withdraw")) == 1


@pytest.mark.parametrize("state", ["scheduled", "uploading", "pending", "unknown", "action_required", "published"])
async def test_two_approvals_for_one_channel_never_make_two_posts(played: Played, state: str) -> None:
    """Two reviewers press Approve; the withdrawal of the first one's publication may come too late."""
    view = await played.make_ready()
    body = decision(decision="approve", channels=["c1"])
    await played.reviews.review(ADMIN, view.id, body, random_ids)
    await set_publication(played, view.id, state)
    with pytest.raises(Conflict, match="already has a publication"):
        await played.reviews.review(ADMIN, view.id, body, random_ids)
    more = await played.reviews.review(ADMIN, view.id, decision(decision="approve", channels=["c2"]), random_ids)
    await played.settled()
    assert [approval.voided_at for approval in more.approvals] == [None, None]
    assert [message.data["channel_id"] for message in of_type(played, "publication.create")] == ["c1", "c2"]


async def test_other_texts_cannot_replace_a_post_that_is_going_out(played: Played) -> None:
    view = await played.make_ready()
    body = decision(decision="approve", channels=["c1"])
    await played.reviews.review(ADMIN, view.id, body, random_ids)
    changed = decision(decision="approve", channels=["c1"], metadata={"title": "New"})
    await set_publication(played, view.id, "uploading")
    with pytest.raises(Conflict, match="uploading"):
        await played.reviews.review(ADMIN, view.id, changed, random_ids)
    await set_publication(played, view.id, "scheduled")
    after = await played.reviews.review(ADMIN, view.id, changed, random_ids)
    assert [approval.voided_at is None for approval in after.approvals] == [False, True]


async def test_a_repeated_decision_is_one_decision(played: Played) -> None:
    view = await played.make_ready()

    def new_id(*parts: str | int) -> str:
        return "key-" + "-".join(map(str, parts))

    body = decision(decision="approve", channels=["c1"], comments=[{"text": "good"}])
    await played.reviews.review(ADMIN, view.id, body, new_id)
    again = await played.reviews.review(ADMIN, view.id, body, new_id)
    await played.settled()
    assert len(of_type(played, "publication.create")) == 1
    assert (len(again.approvals), len(again.reviews), len(again.comments)) == (1, 1, 1)
    assert len(of_type(played, "review.decided")) == 1


async def test_reject_without_files_frees_them(played: Played) -> None:
    view = await played.make_ready()
    with pytest.raises(ValueError, match="say in `reason`"):
        decision(decision="reject")
    body = decision(decision="reject", reason="too dark", keep_files=False)
    rejected = await played.reviews.review(ADMIN, view.id, body, random_ids)
    assert (rejected.state, rejected.reviews[0].reason) == ("rejected", "too dark")
    assert [item.id async for item in played.files.list()] == []


async def test_reject_keeps_files_by_default(played: Played) -> None:
    view = await played.make_ready()
    await played.reviews.review(ADMIN, view.id, decision(decision="reject", reason="no"), random_ids)
    assert len([item.id async for item in played.files.list()]) == 3


async def test_regenerate_makes_a_version_beside_and_leaves_the_approval(played: Played) -> None:
    view = await played.make_ready()
    await played.reviews.review(ADMIN, view.id, decision(decision="approve", channels=["c1"]), random_ids)
    body = decision(decision="regenerate", options={"size": 8}, comments=[{"text": "bigger", "at_seconds": 0.5}])
    after = await played.reviews.review(ADMIN, view.id, body, random_ids)
    await played.render(view.id, 2)
    await played.process(view.id, 2)
    after = await played.videos.get(ADMIN, view.id)
    assert [version.number for version in after.versions] == [1, 2]
    assert after.versions[0].verdict is Verdict.APPROVED
    assert after.approvals[0].voided_at is None
    assert after.state is VideoState.IN_REVIEW
    assert after.comments[0].version == 1
    assert not of_type(played, "publication.withdraw")


async def test_what_cannot_be_approved(played: Played) -> None:
    view = await played.request()
    with pytest.raises(InvalidTransition):
        await played.reviews.review(ADMIN, view.id, decision(decision="approve", channels=["c1"]), random_ids)
    with pytest.raises(NotFound):
        await played.reviews.review(ADMIN, view.id, decision(decision="approve", version=5), random_ids)
    with pytest.raises(Forbidden):
        await played.reviews.review(PRODUCER, view.id, decision(decision="approve"), random_ids)
    ready = await played.make_ready()
    with pytest.raises(InvalidInput, match="c9"):
        await played.reviews.review(ADMIN, ready.id, decision(decision="approve", channels=["c9"]), random_ids)
    no_picture = decision(decision="approve", metadata={"thumbnail": ready.versions[0].files[0].id})
    with pytest.raises(InvalidInput, match="thumbnail"):
        await played.reviews.review(ADMIN, ready.id, no_picture, random_ids)
    assert (await played.videos.get(ADMIN, ready.id)).state is VideoState.IN_REVIEW


async def test_publish_to_one_more_channel(played: Played) -> None:
    view = await played.make_ready()
    one_more = PublicationRequest(video_id=view.id, version=1, channel_id="c2")
    with pytest.raises(InvalidTransition, match="not approved"):
        await played.reviews.publish(ADMIN, one_more, random_ids)
    await played.reviews.review(ADMIN, view.id, decision(decision="approve", channels=["c1"]), random_ids)
    publication = await played.reviews.publish(ADMIN, one_more, random_ids)
    await played.settled()
    assert of_type(played, "publication.create")[-1].data["publication_id"] == publication
    assert not of_type(played, "publication.withdraw")
    with pytest.raises(Conflict, match="already has a publication"):
        await played.reviews.publish(ADMIN, one_more, random_ids)


async def test_comments_are_resolved(played: Played) -> None:
    view = await played.make_ready()
    commented = await played.reviews.comment(ADMIN, view.id, NewComment(text="here", at_seconds=1.5), random_ids)
    comment = commented.comments[0]
    assert (comment.version, comment.at_seconds, comment.author) == (1, 1.5, "Ada")
    resolved = await played.reviews.resolve_comment(ADMIN, view.id, comment.id, resolved=True)
    assert resolved.comments[0].resolved
    with pytest.raises(NotFound):
        await played.reviews.resolve_comment(ADMIN, view.id, "none", resolved=True)


async def test_a_change_while_posts_are_composed_is_composed_again(played: Played) -> None:
    """What is bound was composed last: a text that somebody changed in between is the new one everywhere."""
    view = await played.make_ready()
    edit = VideoEdit(metadata=MetadataEdit(description="Newer"))
    played.publishing.meanwhile = lambda: played.reviews.edit(ADMIN, view.id, edit)
    approved = await played.reviews.review(ADMIN, view.id, decision(decision="approve", channels=["c1"]), random_ids)
    assert [approval.metadata.description for approval in approved.approvals] == ["Newer"]


async def test_what_was_looked_at_is_what_is_approved(played: Played) -> None:
    """With the revision that a person saw, a change in between is refused instead of composed again."""
    view = await played.make_ready()
    edit = VideoEdit(metadata=MetadataEdit(description="Newer"))
    played.publishing.meanwhile = lambda: played.reviews.edit(ADMIN, view.id, edit)
    body = decision(decision="approve", channels=["c1"])
    with pytest.raises(StaleRevision):
        await played.reviews.review(ADMIN, view.id, body, random_ids, expected_revision=view.revision)


async def test_options_of_a_target_are_bound_and_sent(played: Played) -> None:
    view = await played.make_ready()
    targets = [{"channel_id": "c1", "options": {"privacy": "private"}}]
    approved = await played.reviews.review(
        ADMIN, view.id, decision(decision="approve", targets=targets), random_ids
    )  # fmt: skip
    await played.settled()
    assert approved.approvals[0].options == {"privacy": "private"}
    assert of_type(played, "publication.create")[0].data["options"] == {"privacy": "private"}


async def test_what_a_platform_would_refuse_cannot_be_approved_for_it(played: Played) -> None:
    view = await played.make_ready()
    late = Finding(
        check="folder", code="too_long", severity=Severity.ERROR, message="the video lasts 20 s; 10 are allowed"
    )
    warning = late.with_(severity=Severity.WARNING, message="the channel is paused")
    played.publishing.findings = (late, warning)
    body = decision(decision="approve", channels=["c1"])
    with pytest.raises(InvalidInput, match="c1: the video lasts 20 s") as refused:
        await played.reviews.review(ADMIN, view.id, body, random_ids)
    assert [error.field for error in refused.value.errors] == ["channels"]
    played.publishing.findings = (warning,)
    approved = await played.reviews.review(ADMIN, view.id, body, random_ids)
    assert approved.state is VideoState.APPROVED


async def test_posts_are_composed_for_whoever_looks(played: Played) -> None:
    view = await played.make_ready()
    body = CompositionRequest(version=1, targets=[Target(channel_id="c1", metadata=MetadataEdit(title="Other"))])
    composed = await played.reviews.compose(ADMIN, view.id, body)
    assert [(one.platform, one.metadata.title) for one in composed] == [("folder", "Other")]
    with pytest.raises(InvalidInput, match="no channel"):
        await played.reviews.compose(
            ADMIN, view.id, CompositionRequest(version=1, targets=[Target(channel_id="cx")])
        )  # fmt: skip
