"""What rooms say when they lend each other engines, as targets for `fuzzing`."""

from __future__ import annotations

from jarvis.core.errors import EngineFailed
from jarvis.node.hearing import lending_messages as words
from jarvis.testing.fuzzing import Target

JOB = b"j" * words.JOB_BYTES


def _piece(data: bytes) -> None:
    piece = words.read_piece(data)
    whole = words.Whole(words.MAX_ASKED_BYTES)
    joined = whole.add(piece)
    if joined is not None:
        assert len(joined) == piece.total_bytes


def _asked(data: bytes) -> None:
    asked = words.read_asked(data)
    assert words.read_asked(words.write_asked(asked)) == asked


def _given(data: bytes) -> None:
    try:
        value = words.read_given(data)
    except EngineFailed as refused:
        assert len(str(refused)) <= words.MAX_SENTENCE_CHARS and (not str(refused) or str(refused).isprintable())
        return
    assert words.read_given(words.write_given(value)) == value


def _asked_examples() -> list[bytes]:
    talk = [{"role": "user", "content": "Hello"}]
    return [
        words.write_asked(words.Asked("stt", "transcribe", (bytes(640),), 9_000)),
        words.write_asked(words.Asked("tts", "synthesize", ("It is nine o'clock.",), 9_000)),
        words.write_asked(words.Asked("llm", "complete", (talk, 96), 60_000)),
    ]


def _given_examples() -> list[bytes]:
    heard = {"text": "what time is it", "logprob": -0.2, "no_speech": 0.1, "decode_ms": 90.0}
    return [words.write_given(heard), words.write_given("Fine."), words.write_refused("It broke.")]


def lending_targets() -> list[Target]:
    return [
        Target("lent-piece", _piece, lambda: [*words.pieces(JOB, b"w" * 40_000), *words.pieces(JOB, b"w")]),
        Target("lent-asked", _asked, _asked_examples),
        Target("lent-given", _given, _given_examples),
        Target("lent-offer", _offer, lambda: [words.write_offer(["stt", "tts"])]),
    ]


def _offer(data: bytes) -> None:
    assert all(isinstance(kind, str) for kind in words.read_offer(data))
