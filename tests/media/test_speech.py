"""The offline voice and the times of its words."""

import numpy as np
import pytest

from video_manager.errors import PermanentError
from video_manager.media.narration import narrate
from video_manager.media.speech import SAMPLE_RATE, SpokenSentence, Voice
from video_manager.media.word_alignment import Span, align_words


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice()


def speak(voice: Voice, text: str) -> SpokenSentence:
    (sentence,) = voice.speak(text)
    return sentence


@pytest.mark.parametrize(
    "text",
    [
        "It earned $3.2 billion in 2026, up 3% - wow!",
        "Dr. Smith's video-manager (v2.0) runs ./run & ./test on Linux/macOS at 10:30 p.m.",
        "Chapter IV, 5-7 km, No. 5, #3, 1/2 cup & 20\u00b0C.",
        "On 3/4/2025 and 2026-01-02, 1,250 people paid $9.99 each.",
    ],
)
def test_every_written_word_is_shown_as_written_and_in_order(voice: Voice, text: str) -> None:
    sentence = speak(voice, text)
    assert " ".join(word.text for word in sentence.words) == text
    starts = [word.start_seconds for word in sentence.words]
    assert starts == sorted(starts)
    assert all(word.end_seconds > word.start_seconds for word in sentence.words)
    assert sentence.words[-1].end_seconds <= sentence.duration_seconds


def test_expanded_amounts_take_their_own_time(voice: Voice) -> None:
    words = {word.text: word for word in speak(voice, "They paid $3.2 billion in 2026, or 3% more.").words}
    for long_to_say in ("$3.2", "2026,", "3%"):
        assert words[long_to_say].end_seconds - words[long_to_say].start_seconds > 0.4
    assert words["in"].end_seconds - words["in"].start_seconds < 0.25


def test_words_start_where_the_sound_does(voice: Voice) -> None:
    sentence = speak(voice, "Stop. Take this, please.".replace(". T", ", T"))
    loudness = np.sqrt(np.convolve(sentence.samples**2, np.ones(240) / 240, mode="same"))
    first = sentence.words[0]
    onset = int(np.argmax(loudness > 0.05 * loudness.max())) / SAMPLE_RATE
    assert abs(onset - first.start_seconds) < 0.08


def test_the_same_seed_gives_the_same_samples(voice: Voice) -> None:
    one, two = (next(voice.speak("The same again.", seed=4)).samples for _ in range(2))
    assert np.array_equal(one, two)


def test_very_long_sentences_are_read_in_parts(voice: Voice) -> None:
    text = "and so it goes on, " * 60
    parts = list(voice.speak(text))
    assert len(parts) > 1
    assert sum(len(part.words) for part in parts) == 300


def test_nothing_readable_gives_nothing(voice: Voice) -> None:
    assert list(voice.speak("\u65e5\u672c \U0001f600")) == []
    with pytest.raises(PermanentError):
        narrate([["\u65e5\u672c"]], speed=1, seed=0, max_seconds=10)


def test_narration_is_cut_at_a_sentence_end() -> None:
    paragraphs = [["This is the first sentence of many.", "Here comes another one."], ["And a third one."] * 20]
    narration = narrate(paragraphs, speed=1.0, seed=1, max_seconds=8)
    assert 2 <= narration.sentences_read < narration.sentences_in_script == 22
    assert narration.duration_seconds <= 8
    assert narration.words[-1].text == "one."
    assert narration.words[0].start_seconds < 0.2
    assert np.abs(narration.samples).max() <= 0.91


def test_an_endless_first_sentence_is_cut_too() -> None:
    narration = narrate([["1234567890 " * 40]], speed=1.0, seed=1, max_seconds=10)
    assert narration.sentences_read == 0
    assert 1 <= len(narration.words) < 40
    assert narration.duration_seconds < 60, "all of it takes four minutes"


def test_faster_speech_is_shorter() -> None:
    slow, fast = (
        narrate([["A sentence to be read at two speeds."]], speed=speed, seed=1, max_seconds=60).duration_seconds
        for speed in (0.8, 1.3)
    )
    assert fast < slow * 0.75


def test_alignment_shares_one_sound_among_words_that_were_read_as_one() -> None:
    words = align_words(["a", "b"], [["x"], ["y"]], ["z"], [Span(0.0, 1.0)])
    assert [(word.text, word.start_seconds, word.end_seconds) for word in words] == [("a", 0.0, 0.5), ("b", 0.5, 1.0)]
