"""Which of a decoder's answers are speech, and which it made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from jarvis.core.errors import EngineFailed
from jarvis.voice.hearing.transcript import Transcript, without_wake_phrase


@pytest.mark.parametrize(
    ("text", "logprob", "no_speech", "understood"),
    [
        ("What time is it?", -0.1, 0.2, True),
        ("Turn on the lamp.", -0.9, 0.4, True),
        ("Stop.", -0.6, 0.14, True),
        ("you", -0.61, 0.99, False),
        ("I'm going to go to the ground.", -1.82, 0.93, False),
        ("Nature.", -1.56, 0.08, False),
        ("", -0.1, 0.1, False),
        ("...", -0.1, 0.1, False),
        ("[BLANK_AUDIO]", -0.1, 0.1, False),
        ("Thank you.", -0.95, 0.7, False),
    ],
)
def test_what_counts_as_understood(text: str, logprob: float, no_speech: float, understood: bool) -> None:
    answer = {"text": text, "logprob": logprob, "no_speech": no_speech, "decode_ms": 80.0}
    assert Transcript.of(answer).understood is understood


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("Hey Jarvis, what time is it?", "What time is it?"),
        ("Jarvis. Stop.", "Stop."),
        ("Hey, Jarvis.", ""),
        ("What is Jarvis?", "What is Jarvis?"),
        ("stop", "stop"),
    ],
)
def test_the_wake_phrase_is_no_part_of_the_request(heard: str, text: str) -> None:
    assert without_wake_phrase(heard) == text


def test_of_several_texts_the_one_that_is_meant() -> None:
    answer: dict[str, Any] = {"text": "What's the wedding?", "others": ["Hey Jarvis, what's the weather?", "Wet."]}
    answer |= {"logprob": -0.3, "no_speech": 0.0, "decode_ms": 1.0}
    asked: list[str] = []

    def second(texts: Sequence[str]) -> tuple[int, bool]:
        asked.extend(texts)
        return (1, True) if len(texts) > 1 else (0, False)

    found = Transcript.of(answer, likeliest=second)
    assert asked == ["What's the wedding?", "What's the weather?", "Wet."]
    assert (found.text, found.chosen) == ("What's the weather?", True)
    unknown = Transcript.of(answer)
    assert (unknown.text, unknown.chosen) == ("What's the wedding?", False)
    alone = Transcript.of({**answer, "others": []}, likeliest=second)
    assert (alone.text, alone.chosen, alone.strange) == ("What's the wedding?", False, True)
    again = alone.or_among(["Jarvis, what's the weather?"], second)
    assert (again.text, again.chosen, again.strange) == ("What's the weather?", True, False)
    assert alone.or_among([], second) is alone
    with pytest.raises(EngineFailed):
        alone.or_among([3], second)  # type: ignore[list-item]


def test_a_breath_may_have_been_written_as_a_comma() -> None:
    answer: dict[str, Any] = {"text": "Turn on air, conditioning.", "others": ["Turn on Eric."]}
    answer |= {"logprob": -0.3, "no_speech": 0.0, "decode_ms": 1.0}

    def known(texts: Sequence[str]) -> tuple[int, bool]:
        return texts.index("Turn on air conditioning."), True

    found = Transcript.of(answer, likeliest=known)
    assert (found.text, found.chosen) == ("Turn on air conditioning.", True)
    assert Transcript.of(answer).text == "Turn on air, conditioning."


@pytest.mark.parametrize("nonsense", [None, 3, {}, {"text": "a"}, {"text": "a", "logprob": None}])
def test_nonsense_is_an_engine_failure(nonsense: object) -> None:
    with pytest.raises(EngineFailed):
        Transcript.of(nonsense)
