"""Bad input never breaks a worker: each gives a clear error on that one video, and the rest goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.bad_media import MediaFolder
from tests.system.conftest import RunningSystem
from tests.system.driving import BARE, SMALL, Driver, Json, assert_problem, assert_wrong_field

from video_manager.media.probing import probe

MAX_WORDS_OF_TEN_MINUTES = 1500


@pytest.fixture(scope="module")
def system(start_module_system: Callable[..., RunningSystem]) -> RunningSystem:
    return start_module_system(render_slots="2")


@pytest.fixture(scope="module")
def driver(system: RunningSystem) -> Iterator[Driver]:
    driver = Driver(system)
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> MediaFolder:
    return MediaFolder(tmp_path_factory.mktemp("media"))


@pytest.fixture(scope="module", autouse=True)
def _the_rest_goes_on(driver: Driver, media: MediaFolder) -> Iterator[None]:
    """After everything bad: the same process still makes good videos, and nothing is left behind."""
    pid = driver.system.pid
    yield
    card = driver.request(options=SMALL)
    own = driver.request("upload", options={"source": driver.send(media["good.mp4"])}, recipe=BARE)
    slides = driver.request(
        "slideshow", recipe=BARE,
        options={"pictures": [driver.send(media["good.jpg"])], "seconds_per_picture": 1.5, "with_music": False},
    )  # fmt: skip
    for video in (card, own, slides):
        settled = driver.settled(video["id"])
        assert settled["state"] == "in_review", settled["versions"][0]["error"]
    assert driver.system.pid == pid
    assert driver.ok(driver.http.get("/dead-letters"))["items"] == []
    folders = [path for path in (driver.system.data_dir / "work").glob("*/*") if path.is_dir()]
    assert folders == [], "work folders stayed"
    assert "Traceback" not in driver.system.log()


# ---- wrong requests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        ({"options": {"width": "wide"}}, "options.width", "valid integer"),
        ({"options": {"width": 180.5}}, "options.width", "valid integer"),
        ({"options": {"widht": 180}}, "options.widht", "not permitted"),
        ({"options": {"width": 10}}, "options.width", "greater than or equal to 64"),
        ({"options": {"width": 100_000}}, "options.width", "less than or equal to 3840"),
        ({"options": {"width": 181}}, "options.width", "multiple of 2"),
        ({"options": {"duration_seconds": 1e9}}, "options.duration_seconds", "less than or equal to 600"),
        ({"options": {"duration_seconds": None}}, "options.duration_seconds", "valid number"),
        ({"options": "wide"}, "requests.0.options", "valid dictionary"),
        ({"seed": -1}, "requests.0.seed", "greater than or equal to 0"),
        ({"seed": 2**60}, "requests.0.seed", "less than or equal to"),
        ({"count": 0}, "requests.0.count", "greater than or equal to 1"),
        ({"count": 51}, "count", "at most 50"),
        ({"title": "x" * 301}, "requests.0.title", "at most 300"),
        ({"unknown": 1}, "requests.0.unknown", "not permitted"),
        ({"generator": "stroy"}, "generator", "'stroy' is not installed; known: "),
        ({"generator": None}, "requests.0.generator", "valid string"),
        ({"channels": ["nowhere"]}, "channels", "nowhere"),
        ({"recipe": "fast"}, "requests.0.recipe", "valid dictionary"),
        ({"recipe": {"steps": [{"step": "refarme"}]}}, "recipe.steps.0.step", "'refarme' is not installed; known: "),
        ({"recipe": {"checks": [{"check": "blak"}]}}, "recipe.checks.0.check", "'blak' is not installed; known: "),
        (
            {"recipe": {"steps": [{"step": "trim", "options": {"start_seconds": "soon"}}]}},
            "recipe.steps.0.options.start_seconds", "valid number",
        ),
        (
            {"generator": "upload", "options": {"source": "no-such-upload"}},
            "options", "'no-such-upload' cannot be used",
        ),
        ({"generator": "slideshow", "options": {"pictures": []}}, "options.pictures", "at least 1"),
    ],
)  # fmt: skip
def test_wrong_requests_name_the_field_and_the_reason(driver: Driver, body: Json, field: str, reason: str) -> None:
    answer = driver.http.post("/videos", json={"generator": "test-card", **body})
    assert_wrong_field(answer, field, reason)


def test_one_wrong_request_of_several_stores_none(driver: Driver) -> None:
    before = driver.ok(driver.http.get("/videos"))["items"]
    requests = [{"generator": "test-card"}, {"generator": "test-card", "options": {"width": 10}}]
    answer = driver.http.post("/videos", json={"requests": requests})
    assert_wrong_field(answer, "requests.1.options.width", "greater than or equal to 64")
    assert driver.ok(driver.http.get("/videos"))["items"] == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "required"), (b"{", "not valid JSON"), (b'{"generator": "test-card"', "not valid JSON"),
        (b"[]", "dictionary"), (b"null", "dictionary"), (b"\xff\xfe", "not valid JSON"), (b'"text"', "dictionary"),
        (b'{"generator": "test-card", "seed": NaN}', "seed"),
    ],
)  # fmt: skip
def test_bodies_that_are_no_request(driver: Driver, content: bytes, reason: str) -> None:
    answer = driver.http.post("/videos", content=content, headers={"Content-Type": "application/json"})
    problem = assert_problem(answer, 422, "invalid_input")
    assert reason.lower() in problem["detail"].lower(), problem


def test_a_body_nested_without_end(driver: Driver) -> None:
    answer = driver.http.post("/videos", content=b"[" * 100_000, headers={"Content-Type": "application/json"})
    assert_problem(answer, 400, "bad_request")


def test_a_body_larger_than_a_request_may_be(driver: Driver) -> None:
    answer = driver.http.post("/videos", json={"generator": "story", "options": {"text": "x" * 2**20}})
    assert_problem(answer, 413, "too_large")


# ---- texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "at least 1 character"),
        (" \n\t ", "the text is empty"),
        ("x" * 20_001, "at most 20000 characters"),
        ("word " * (MAX_WORDS_OF_TEN_MINUTES + 100), "minutes"),
        ("🎉🚀🔥 🎂", "nothing in the text can be read aloud"),
        ("```\ncode()\n```\n\n![picture](a.png)\n\n---\n", "nothing in the text can be read aloud"),
        ("\u200b\u200d\ufeff\u0000\u0007", "nothing in the text can be read aloud"),
        ("Привет, мир. Это рассказ о пчёлах.", "not in Latin letters"),  # noqa: RUF001 - Cyrillic it is
        ("蜜蜂为什么跳舞。因为它们很高兴。", "not in Latin letters"),
        (None, "valid string"),
        (["a", "b"], "valid string"),
    ],
    ids=["empty", "blank", "20001", "ten-minutes", "emoji", "markdown", "invisible", "cyrillic", "chinese", "null",
         "list"],
)  # fmt: skip
def test_texts_that_cannot_be_told(driver: Driver, text: Any, reason: str) -> None:
    answer = driver.http.post("/videos", json={"generator": "story", "options": {"text": text}})
    assert_wrong_field(answer, "options.text", reason)


@pytest.mark.parametrize(
    "text",
    [
        "ʘʘʘ ǂǂǂ ƻƻƻ",
        pytest.param("Hmm brrr pfff zzzz xkcd qwrtz.", marks=pytest.mark.long),
        pytest.param("a" * 3000, marks=pytest.mark.long),
        pytest.param("1234567890 " * 30, marks=pytest.mark.long),
        pytest.param("Ω≈ç√ is ½ of ∞ ok.", marks=pytest.mark.long),
    ],
    ids=["clicks", "consonants", "one-long-word", "digits", "symbols"],
)
@pytest.mark.slow
def test_odd_texts_end_in_a_video_or_a_clear_error(driver: Driver, text: str) -> None:
    answer = driver.http.post(
        "/videos", json={"generator": "story", "recipe": BARE, "options": {"text": text, "max_seconds": 10}}
    )
    if answer.status_code == 422:
        assert_problem(answer, 422, "invalid_input")
        return
    video = driver.settled(driver.ok(answer, 202)["items"][0]["id"])
    if video["state"] == "failed":
        assert_clear(video["versions"][0]["error"])
    else:
        assert video["state"] == "in_review"


# ---- files --------------------------------------------------------------------------------------------------


def assert_clear(error: str) -> None:
    """A sentence for people first; what nobody foresaw would be a Python class name."""
    first = error.splitlines()[0]
    assert first[0].isupper() or first[0].isdigit(), error
    assert first.endswith("."), error
    for inside in ("Traceback", "Error:", "the plugin crashed", "errno", "/work/", "None"):
        assert inside not in first, error


def upload(driver: Driver, path: Path) -> Json:
    return driver.settled(driver.request("upload", options={"source": driver.send(path)}, recipe=BARE)["id"])


@pytest.mark.parametrize(
    ("name", "words", "own_words_of_ffmpeg"),
    [
        ("corrupt.mp4", "damaged", "Invalid"),
        ("truncated.mp4", "cut off", ""),
        pytest.param("truncated-without-index.mp4", "damaged or cut off", "Invalid data found", marks=pytest.mark.long),
        ("text.mp4", "not a video", "Invalid data found"),
        pytest.param("page.html", "not a video", "", marks=pytest.mark.long),
        ("sound.mp4", "has sound but no picture", ""),
        ("dot.mkv", "only 1x1 pixels", ""),
        pytest.param("still.png", "still picture", "", marks=pytest.mark.long),
        ("huge.gif", "far too large", "Invalid argument"),
        pytest.param("huge.mkv", "16000x16000", "", marks=pytest.mark.long),
        pytest.param("outsize.avi", "not a video", "", marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_videos_that_cannot_be_used(
    driver: Driver, media: MediaFolder, name: str, words: str, own_words_of_ffmpeg: str
) -> None:
    video = upload(driver, media[name])
    assert video["state"] == "failed", f"{name} was accepted"
    error = video["versions"][0]["error"]
    assert_clear(error)
    assert words in error
    assert "source-" not in error, "an inner name"
    assert "Traceback" not in error
    assert own_words_of_ffmpeg in error


def test_a_file_of_zero_bytes_is_refused_when_it_is_announced(driver: Driver) -> None:
    assert_wrong_field(driver.announce(0, "empty.mp4"), "Upload-Length", "'empty.mp4' is empty")


@pytest.mark.parametrize(
    ("name", "size", "has_audio"),
    [
        ("variable.mp4", (320, 180), True), ("rotated.mp4", (180, 320), True), ("moving.gif", (160, 120), False),
    ],
)  # fmt: skip
def test_unusual_videos_are_made_right(
    driver: Driver, media: MediaFolder, tmp_path: Path, name: str, size: tuple[int, int], has_audio: bool
) -> None:
    video = upload(driver, media[name])
    assert video["state"] == "in_review", video["versions"][0]["error"]
    result = tmp_path / "master.mp4"
    result.write_bytes(driver.bytes_of(video, "master"))
    facts = probe(result)
    assert (facts.width, facts.height, facts.rotation) == (*size, 0)
    assert facts.has_audio == has_audio
    assert not facts.is_variable_frame_rate
    assert facts.duration_seconds == pytest.approx(probe(media[name]).duration_seconds, abs=0.2)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-picture.jpg", "is no picture"),
        pytest.param("page.html", "is no picture", marks=pytest.mark.long),
        ("truncated.jpg", "is cut off"),
        pytest.param("dot.png", "only 1x1 pixels", marks=pytest.mark.long),
        ("large.png", "15000x15000 pixels, which is too large"),
        ("bomb.png", "far too large"),
    ],
)
def test_pictures_that_cannot_be_used(driver: Driver, media: MediaFolder, name: str, words: str) -> None:
    pictures = [driver.send(media["good.jpg"]), driver.send(media[name])]
    video = driver.settled(driver.request("slideshow", options={"pictures": pictures}, recipe=BARE)["id"])
    assert video["state"] == "failed", f"{name} was accepted"
    error = video["versions"][0]["error"]
    assert_clear(error)
    assert words in error
    assert "Picture 2" in error, "it does not say which picture"
    assert "source-" not in error, "an inner name"
    assert "Traceback" not in error


def test_an_unfinished_upload_is_no_source(driver: Driver) -> None:
    location = driver.announce(1000, "half.mp4").headers["location"]
    driver.append(location, 0, b"x" * 500)
    body = {"generator": "upload", "options": {"source": location.rsplit("/", 1)[-1]}}
    assert_wrong_field(driver.http.post("/videos", json=body), "options", "500 of 1000 bytes")
