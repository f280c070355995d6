"""The offline voice (hibari-tts): text to samples, with the exact time of every word.

The model's own tensor of phoneme durations is exposed as one more output, so the times are those the sound was made
with: nothing is recognised or guessed.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from video_manager.errors import PermanentError
from video_manager.media.word_alignment import Span, SpokenWord, align_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAMPLE_RATE = 24_000
_DURATION_TENSOR = "/Cast_32_output_0"
"""In the model of hibari-tts 0.2.1, the version we pin: how many frames each phoneme lasts."""
_FRAME_SECONDS = 0.025
_MAX_PHONEMES = 400
"""The model was trained on sentences up to this length; longer ones are read in parts."""
_PAUSE_CHARACTERS = frozenset(' ;:,.!?—…"“”()')


@dataclass(frozen=True)
class SpokenSentence:
    """One sentence as sound: mono samples in -1..1 at SAMPLE_RATE, and its words, timed from its own start."""

    samples: "NDArray[np.float32]"
    words: tuple[SpokenWord, ...]

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


class Voice:
    """The voice in the package: one US English speaker. Loading takes about a second and 230 MB."""

    def __init__(self) -> None:
        from hibari import tts, voices  # noqa: PLC0415 - the idle server never needs it
        from hibari.g2p import G2P  # noqa: PLC0415

        # The parts of `hibari.Hibari`, which would load the model once more without the durations.
        self._g2p: Any = G2P(british=False)
        self._vocabulary: dict[str, int] = json.loads((Path(tts.ASSETS) / "vocab.json").read_text("utf-8"))
        self._session = _session_with_durations(Path(voices.voice_path(voices.DEFAULT)))

    def speak(self, sentence: str, *, speed: float = 1.0, seed: int = 0) -> Iterator[SpokenSentence]:
        """Read one sentence; a very long one comes in parts. Nothing comes of a sentence without a readable word.

        The same sentence, speed and seed give the same samples.
        """
        yield from self._speak_words(sentence.split(), speed, seed)

    def _speak_words(self, written: Sequence[str], speed: float, seed: int) -> Iterator[SpokenSentence]:
        tokens = self._tokens(" ".join(written))
        phonemes = "".join(sound for _, sound in tokens)
        if not any(character.isalpha() for character in phonemes):
            return
        if len(phonemes) > _MAX_PHONEMES and len(written) > 1:
            middle = _best_break(written)
            yield from self._speak_words(written[:middle], speed, seed)
            yield from self._speak_words(written[middle:], speed, seed)
            return
        samples, times = self._synthesize(phonemes[: _MAX_PHONEMES * 2], speed, seed)
        read, spans = _spoken_words(tokens, times)
        yield SpokenSentence(samples, align_words(written, _expanded_alone(written), read, spans))

    def _tokens(self, text: str) -> list[tuple[str, str]]:
        """(text, phonemes) of every token as the voice expands it; a space in the phonemes ends a word."""
        from hibari.g2p.normalize import normalize  # noqa: PLC0415 - loads with the voice

        g2p = self._g2p
        tokens = g2p.phonemize_tokens(g2p.tokenize(normalize(text)))
        return [(token.text + token.whitespace, (token.phonemes or "") + token.whitespace) for token in tokens]

    def _synthesize(self, phonemes: str, speed: float, seed: int) -> "tuple[NDArray[np.float32], list[Span | None]]":
        """Samples, and the time of each character of `phonemes` (None: the model does not know it)."""
        import numpy as np  # noqa: PLC0415
        from hibari import dsp  # noqa: PLC0415

        vocabulary = self._vocabulary
        known = [character in vocabulary for character in phonemes]
        ids = [0, *(vocabulary[c] for c, is_known in zip(phonemes, known, strict=True) if is_known), 0]
        outputs = self._session.run(
            None, {"ids": np.asarray([ids], np.int64), "speed": np.asarray([speed], np.float32)}
        )
        samples = np.asarray(dsp.synth(*(part[0] for part in outputs[:6]), np.random.default_rng(seed)), np.float32)
        ends = np.cumsum(outputs[6].reshape(-1)) * _FRAME_SECONDS
        if len(ends) != len(ids) or abs(float(ends[-1]) - len(samples) / SAMPLE_RATE) > 2 * _FRAME_SECONDS:
            raise PermanentError("The voice gave no usable word times; reinstall hibari-tts 0.2.1.")
        times: list[Span | None] = []
        position = 0
        for is_known in known:
            times.append(Span(float(ends[position]), float(ends[position + 1])) if is_known else None)
            position += is_known
        return samples, times


def _spoken_words(tokens: Sequence[tuple[str, str]], times: Sequence[Span | None]) -> tuple[list[str], list[Span]]:
    """The words as read (tokens up to a space) with the time from their first to their last sound."""
    read: list[str] = []
    spans: list[Span] = []
    text, sounds, position = "", [], 0
    for token_text, phonemes in [*tokens, (" ", "")]:
        for character in phonemes:
            time = times[position] if position < len(times) else None
            if time is not None and character not in _PAUSE_CHARACTERS:
                sounds.append(time)
            position += 1
        text += token_text
        if token_text.endswith(" "):
            if sounds:
                read.append(text.strip())
                spans.append(Span(sounds[0].start_seconds, sounds[-1].end_seconds))
            elif read and not text.strip():
                read[-1] += text.strip()
            text, sounds = "", []
    return read, spans


def _expanded_alone(written: Sequence[str]) -> list[list[str]]:
    from hibari.g2p.normalize import normalize  # noqa: PLC0415 - loads with the voice

    expanded = [str(normalize(word)).split() for word in written]
    return [[word for word in words if any(c.isalnum() for c in word)] for words in expanded]


def _best_break(written: Sequence[str]) -> int:
    """Where to part a long sentence: after the clause mark nearest to its middle, else in the middle."""
    middle = len(written) // 2
    breaks = [index + 1 for index, word in enumerate(written[:-1]) if word[-1] in ",;:—"]
    near = [index for index in breaks if abs(index - middle) <= len(written) // 3]
    return min(near, key=lambda index: abs(index - middle), default=max(1, middle))


def _session_with_durations(model: Path) -> Any:
    import onnxruntime  # noqa: PLC0415 - the idle server never needs it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # the arena keeps 200 MB that the encoder needs afterwards
    return onnxruntime.InferenceSession(
        _with_output(model.read_bytes(), _DURATION_TENSOR), options, providers=["CPUExecutionProvider"]
    )


def _with_output(model: bytes, tensor: str) -> bytes:
    """The ONNX model with an inner tensor of int64 as one more output. Protobuf merges a repeated message, so
    appending a second `graph` (ModelProto field 7) that holds only an `output` (field 12) is all it takes."""
    tensor_type = _message(2, _message(1, b"\x08\x07"))  # TypeProto.tensor_type.elem_type = INT64
    return model + _message(7, _message(12, _message(1, tensor.encode()) + tensor_type))


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
