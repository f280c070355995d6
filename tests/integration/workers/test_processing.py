"""The processing worker: a rendered card goes through a recipe and its checks."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.workers.conftest import Works

from video_manager.domain.job import Job, JobState
from video_manager.domain.video import MediaRole, Recipe, RecipeCheck, RecipeStep
from video_manager.media.probing import probe
from video_manager.plugins.registry import DEFAULT_RECIPE

ENDED = (JobState.FINISHED, JobState.FAILED)


async def rendered(works: Works, **options: Any) -> dict[str, Any]:
    """A rendered card as the input of a processing job, with the default recipe."""
    await works.start_generation()
    job = await works.desk.until(await works.render("card", {"seconds": 4, "tone": 440, **options}), *ENDED)
    assert job.result is not None, job.error
    source, captions = job.result.files
    return {
        "source": source.model_dump(mode="json"),
        "captions": captions.model_dump(mode="json"),
        "recipe": DEFAULT_RECIPE.model_dump(mode="json"),
        "seed": 7,
        "sources": [],
        "limits": {"clips": {"max_duration_seconds": 3}},
    }


async def processed(works: Works, work: dict[str, Any]) -> Job:
    service = await works.start_processing()
    job = await works.desk.until(await works.process(work), *ENDED)
    await works.until_idle(service)
    return job


async def test_the_default_recipe_from_end_to_end(works: Works, tmp_path: Path) -> None:
    work = await rendered(works)
    job = await processed(works, work)
    assert job.state is JobState.FINISHED, job.error
    assert job.result is not None
    roles = [file.role for file in job.result.files]
    assert roles == [MediaRole.MASTER, *[MediaRole.THUMBNAIL] * 3, MediaRole.CAPTIONS]
    master, *thumbnails, captions = job.result.files
    assert (master.name, master.width, master.height, master.frame_rate) == ("master.mp4", 180, 320, "30/1")
    assert {(file.name, file.content_type) for file in thumbnails} == {
        (f"thumbnail-{number}.jpg", "image/jpeg") for number in (1, 2, 3)
    }
    assert captions.id != work["captions"]["id"]
    assert captions.sha256 == work["captions"]["sha256"]
    report = job.result.report
    assert report is not None
    assert report.checks == ("black", "frozen", "silence", "loudness", "platform_limits", "crashing")
    assert report.measured["integrated_lufs"] == pytest.approx(-14, abs=0.7)
    assert report.measured["true_peak_dbtp"] <= -1
    assert {"width", "height", "duration_seconds", "size_bytes", "loudness_range_lu"} <= set(report.measured)
    assert {(finding.check, finding.code) for finding in report.findings} == {
        ("platform_limits", "too_long"), ("platform_limits", "small_picture"), ("crashing", "check_failed"),
    }  # fmt: skip
    local = await works.files.fetch(master.id, tmp_path, "master.mp4")
    assert probe(local).audio_codec == "aac"
    stages = [hint.stage for hint in works.hints if hint.kind == "processing"]
    assert any(stage.startswith("Even loudness") for stage in stages)


async def test_a_recipe_that_changes_nothing_copies_the_source(works: Works) -> None:
    work = await rendered(works)
    work["recipe"] = Recipe(steps=(RecipeStep(step="trim", options={}),), checks=()).model_dump(mode="json")
    job = await processed(works, work)
    assert job.result is not None, job.error
    master = job.result.files[0]
    assert (master.sha256, master.role) == (work["source"]["sha256"], MediaRole.MASTER)
    assert master.id != work["source"]["id"]


async def test_a_failing_step_is_named(works: Works) -> None:
    work = await rendered(works)
    work["recipe"] = Recipe(steps=(RecipeStep(step="trim", options={"start_seconds": 60}),)).model_dump(mode="json")
    job = await processed(works, work)
    assert job.state is JobState.FAILED
    assert (job.error or "").startswith("step trim: the trim begins at 60 s")


async def test_a_crashing_check_does_not_cost_the_video(works: Works) -> None:
    work = await rendered(works)
    checks = (RecipeCheck(check="crashing"), RecipeCheck(check="loudness"))
    work["recipe"] = Recipe(checks=checks).model_dump(mode="json")
    job = await processed(works, work)
    assert job.state is JobState.FINISHED, job.error
    assert job.result is not None
    report = job.result.report
    assert report is not None
    (finding,) = [finding for finding in report.findings if finding.check == "crashing"]
    assert (finding.code, finding.severity) == ("check_failed", "error")
    assert "IndexError: no such frame" in finding.message
    assert "integrated_lufs" in report.measured


async def test_a_source_that_is_gone_fails_in_words(works: Works) -> None:
    work = await rendered(works)
    await works.files.delete(work["source"]["id"])
    job = await processed(works, work)
    assert "no longer there" in (job.error or "")


async def test_an_input_of_another_shape_fails(works: Works) -> None:
    job = await processed(works, {"nonsense": True})
    assert job.state is JobState.FAILED
    assert "no processing run's" in (job.error or "")
