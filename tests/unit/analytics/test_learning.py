"""Option values, attribution and suggestions as pure functions."""

import pytest

from video_manager.analytics.attribution import attribute, mean_interval
from video_manager.analytics.option_values import drawn_choices, option_text, spec_options
from video_manager.analytics.suggesting import suggest
from video_manager.analytics.warehouse_port import Sample
from video_manager.domain.metrics import Metric
from video_manager.domain.video import Recipe, RecipeStep, RenderSpec


def made(value: float, number: int = 0, **options: str) -> Sample:
    return Sample(f"p{number}", "story", options, value)


def test_options_become_flat_rows_without_long_texts_and_open_ones() -> None:
    spec = RenderSpec(
        generator="g", seed=1,
        options={
            "text": "x" * 201, "voice": "amy", "music": {"on": True, "level": 0.5}, "open": None, "tags": ["b", "a"],
        },
        recipe=Recipe(steps=(RecipeStep(step="reframe", options={"aspect": "9:16"}),)),
    )  # fmt: skip
    assert dict(spec_options(spec)) == {
        "voice": "amy", "music.on": "true", "music.level": "0.5", "tags": '["b", "a"]', "recipe.reframe.aspect": "9:16"
    }  # fmt: skip


def test_choices_are_the_drawn_options_of_a_schema() -> None:
    schema = {"properties": {"voice": {"x-draw": ["amy", None]}, "text": {"type": "string"}, "n": {"x-draw": [1, 2]}}}
    assert drawn_choices(schema) == {"voice": ("amy", None), "n": (1, 2)}
    assert [option_text(value) for value in (True, 1, None, "1", {"b": 1, "a": 2})] == [
        "true", "1", "null", "1", '{"a": 2, "b": 1}'
    ]  # fmt: skip


def test_the_interval_holds_the_mean_and_narrows_with_more_numbers() -> None:
    few = mean_interval([1, 5, 9, 20], "a")
    many = mean_interval([1, 5, 9, 20] * 20, "a")
    normal = mean_interval([1, 5, 9, 20] * 30, "a")
    assert few == mean_interval([1, 5, 9, 20], "a")
    for low, high in (few, many, normal):
        assert low is not None
        assert high is not None
        assert low < 8.75 < high
    widths = [(high or 0) - (low or 0) for low, high in (few, many, normal)]
    assert widths == sorted(widths, reverse=True)
    assert mean_interval([4], "a") == (None, None)


def test_attribution_flags_what_is_too_few() -> None:
    samples = [made(10, voice="amy") for _ in range(5)] + [made(99, voice="joe")]
    [voice] = attribute(samples, Metric.VIEWS, None, "voice").options
    assert [(one.value, one.too_few, one.low) for one in voice.values] == [("joe", True, None), ("amy", False, 10)]


def test_attribution_of_nothing_says_so() -> None:
    found = attribute([], Metric.VIEWS, None, None)
    assert (found.publications, found.note, found.options) == (0, "No publication has numbers yet.", [])


def test_an_unknown_option_has_no_values() -> None:
    [one] = attribute([made(1)], Metric.VIEWS, None, "nope").options
    assert one.values == []


def test_suggestions_rank_the_better_value_first_and_keep_exploring() -> None:
    samples = [made(1000, voice="amy") for _ in range(10)] + [made(1, voice="joe") for _ in range(10)]
    found = suggest("story", Metric.VIEWS, {"voice": ("joe", "amy", "new")}, samples)
    order = [one.value for one in found.options[0].suggestions]
    assert order == ["amy", "new", "joe"]
    chances = {one.value: one.chance for one in found.options[0].suggestions}
    assert chances["new"] > chances["joe"]
    assert sum(chances.values()) == pytest.approx(1, abs=0.01)
    assert found == suggest("story", Metric.VIEWS, {"voice": ("joe", "amy", "new")}, samples)


def test_suggestions_are_modest_with_few_numbers() -> None:
    found = suggest("story", Metric.VIEWS, {"voice": ("amy", "joe")}, [made(9, voice="amy")])
    assert not found.enough_data
    assert "too few to compare" in found.note
    assert "Too few to rely on" in found.options[0].suggestions[0].reason
    assert found.options[0].suggestions[0].chance < 0.9


def test_nothing_to_draw_is_nothing_to_suggest() -> None:
    found = suggest("upload", Metric.VIEWS, {}, [])
    assert (found.options, found.next_options) == ([], {})
    assert "nothing to suggest" in found.note
