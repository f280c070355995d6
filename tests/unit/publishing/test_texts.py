"""A channel's templates: what they make of a video's texts, and what they may not do."""

from datetime import UTC, datetime
from typing import Any

import pytest

from video_manager.domain.posting import Draft, PostTexts
from video_manager.domain.video import MediaFile, MediaRole, Metadata
from video_manager.errors import InvalidInput
from video_manager.publishing.texts import check_texts, compose_texts, hashtag

NOW = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)
MASTER = MediaFile(id="f", role=MediaRole.MASTER, name="m.mp4", content_type="video/mp4", size_bytes=1, sha256="0")


def draft(own: frozenset[str] = frozenset(), **metadata: Any) -> Draft:
    texts = {"title": "Ein Tag", "description": "Am Meer.", "tags": ("meer", "am strand")} | metadata
    return Draft(video_id="v1", version=2, metadata=Metadata(**texts), master=MASTER, own=own)


def composed(own: frozenset[str] = frozenset(), **texts: Any) -> Metadata:
    return compose_texts(PostTexts(**texts), draft(own), "Mein Kanal", NOW)


def test_without_templates_the_texts_stay() -> None:
    assert composed() == draft().metadata


def test_templates_name_the_texts_and_the_channel() -> None:
    made = composed(
        title="{{ title }} | {{ channel }}",
        description="{{ description }}\n\n{{ hashtags }} {{ date }} v{{ version }}",
        tags=("shorts", "meer"),
    )  # fmt: skip
    assert made.title == "Ein Tag | Mein Kanal"
    assert made.tags == ("meer", "am strand", "shorts")
    assert made.description == "Am Meer.\n\n#meer #AmStrand #shorts 2026-11-23 v2"


def test_conditions_and_filters_work_and_a_title_is_one_line() -> None:
    assert composed(title="{% if 'meer' in tags %}{{ title | upper }}{% endif %}\n{{ language }}").title == "EIN TAG en"


def test_what_a_person_wrote_for_the_channel_is_left_alone() -> None:
    made = composed(frozenset({"title", "tags"}), title="{{ title }}!", description="{{ description }}!", tags=("x",))
    assert (made.title, made.description, made.tags) == ("Ein Tag", "Am Meer.!", ("meer", "am strand"))


@pytest.mark.parametrize(
    "template",
    [
        "{{ titel }}", "{{ title", "{{ title.__class__.__mro__ }}", "{{ ''.__class__ }}", "{% for %}", "{{ 1 / 0 }}",
        "{{ title | nothing }}", "{{ range(10 ** 9) | list }}", "{% for i in range(99999) %}{{ title }}{% endfor %}",
        "{{ title.format.__globals__ }}", "{% include 'x' %}", "{{ tags.append('x') }}",
    ],
)  # fmt: skip
def test_a_template_that_is_wrong_or_reaches_out_is_refused_by_its_name(template: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_texts(PostTexts(description=template))
    assert [error.field for error in refused.value.errors] == ["texts.description"]


@pytest.mark.parametrize(
    ("tag", "made"),
    [("meer", "#meer"), ("am meer!", "#AmMeer"), ("c++", "#c"), ("!!", ""), ("a_b", "#a_b"), ("Öl", "#Öl")],
)
def test_hashtags(tag: str, made: str) -> None:
    assert hashtag(tag) == made
