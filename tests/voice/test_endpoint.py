"""The endpoint machine alone: no audio, no clock, only frames and verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.voice.hearing.endpoint import (
    Ask,
    Ended,
    Endpointer,
    EndpointSettings,
    NoSpeech,
    Started,
    Verdict,
    wants_more,
)
from jarvis.voice.hearing.vad import FRAME_MS

WHOLE = Verdict(heard=True, whole=True, finished=0.98)
FREE = Verdict(heard=True, finished=0.98)
OPEN = Verdict(heard=True, open=True, finished=0.99)
RISING = Verdict(heard=True, finished=0.1)
WHOLE_RISING = Verdict(heard=True, whole=True, finished=0.1)
NOTHING = Verdict(heard=False, finished=0.9)


def play(machine: Endpointer, ms: float, probability: float, verdict: Verdict | None = None) -> list[object]:
    """Frames of one probability; every Ask is answered at once."""
    seen: list[object] = []
    for _ in range(round(ms / FRAME_MS)):
        for decision in machine.frame(probability):
            seen.append(decision)
            if isinstance(decision, Ask) and verdict is not None:
                seen += machine.verdict(decision.number, verdict)
    return seen


def ended(seen: list[object]) -> Ended:
    (last,) = [one for one in seen if isinstance(one, Ended)]
    return last


@pytest.mark.parametrize(
    ("verdict", "reason", "at_least_ms"),
    [
        (WHOLE, "whole intent", 200),
        (FREE, "pause", 500),
        (WHOLE_RISING, "pause", 500),
        (RISING, "long pause", 1200),
        (OPEN, "long pause", 1200),
        (None, "long pause", 1200),
    ],
)
def test_how_long_a_silence_ends_what_was_said(verdict: Verdict | None, reason: str, at_least_ms: float) -> None:
    machine = Endpointer()
    assert [type(one) for one in play(machine, 800, 0.9)] == [Started]
    end = ended(play(machine, 3000, 0.01, verdict))
    assert end.reason == reason
    assert at_least_ms <= end.silence_ms < at_least_ms + 2 * FRAME_MS


def test_speech_after_a_pause_goes_on_and_the_stale_verdict_is_ignored() -> None:
    machine = Endpointer()
    play(machine, 600, 0.9)
    asks = [one for one in play(machine, 300, 0.0) if isinstance(one, Ask)]
    play(machine, 200, 0.9)
    assert machine.verdict(asks[0].number, WHOLE) == []
    assert machine.speaking
    assert ended(play(machine, 2000, 0.0, WHOLE)).reason == "whole intent"


def test_a_late_verdict_ends_at_once() -> None:
    machine = Endpointer()
    play(machine, 600, 0.9)
    (ask,) = play(machine, 400, 0.0)
    assert isinstance(ask, Ask)
    assert ended(list(machine.verdict(ask.number, WHOLE))).silence_ms == pytest.approx(384)


def test_a_click_neither_starts_nor_prolongs() -> None:
    machine = Endpointer()
    play(machine, 500, 0.0)
    assert play(machine, 64, 0.95) == []
    assert play(machine, 500, 0.0) == []
    play(machine, 500, 0.9)
    play(machine, 320, 0.0, FREE)
    play(machine, 32, 0.95)
    assert ended(play(machine, 400, 0.0)).silence_ms < 600


def test_what_is_not_understood_waits_on_and_five_seconds_close_quietly() -> None:
    machine = Endpointer()
    play(machine, 320, 0.9)
    assert not [one for one in play(machine, 1000, 0.0, NOTHING) if isinstance(one, Ended)]
    assert not machine.speaking
    play(machine, 600, 0.9)
    assert ended(play(machine, 1000, 0.0, WHOLE))
    silent = Endpointer()
    (closed,) = play(silent, 8000, 0.02)
    assert isinstance(closed, NoSpeech) and closed.at_ms == pytest.approx(5000, abs=FRAME_MS)


def test_endless_speech_is_capped_and_endless_thumping_closes() -> None:
    assert ended(play(Endpointer(), 20_000, 0.99)).reason == "too long"
    machine, seen = Endpointer(), []
    for _ in range(200):
        seen += play(machine, 160, 0.9) + play(machine, 320, 0.0, NOTHING)
    assert [type(one) for one in seen if isinstance(one, (Ended, NoSpeech))] == [NoSpeech]


def test_the_end_of_the_audio_ends_what_was_being_said() -> None:
    machine = Endpointer()
    play(machine, 500, 0.9)
    assert ended(list(machine.finish())).reason == "end of audio"
    assert machine.finish() == [] and machine.frame(0.9) == []
    assert isinstance(Endpointer().finish()[0], NoSpeech)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([WHOLE, FREE, OPEN, RISING, NOTHING, None])), max_size=900))
def test_it_always_ends_once_and_in_time(frames: list[tuple[float, Verdict | None]]) -> None:
    machine, seen = Endpointer(EndpointSettings()), []
    for probability, verdict in [*frames, *[(0.0, None)] * 500]:
        for decision in machine.frame(probability):
            seen.append(decision)
            if isinstance(decision, Ask) and verdict is not None:
                seen += machine.verdict(decision.number, verdict)
    ends = [one for one in seen if isinstance(one, (Ended, NoSpeech))]
    assert len(ends) == 1 and seen[-1] == ends[0]
    assert ends[0].at_ms <= 15_000 + FRAME_MS
    if isinstance(ends[0], Ended):
        assert any(isinstance(one, Started) for one in seen)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Set a timer for", True),
        ("set a timer for.", True),
        ("Remember that the key is...", True),
        ("Turn on the", True),
        ("Call my", True),
        ("Set a timer.", True),
        ("Remember that", True),
        ("I would like to know.", True),
        ("What do you know?", False),
        ("Tell me what time it is.", False),
        ("What time is it?", False),
        ("Turn the light on.", False),
        ("Set a timer for ten minutes", False),
        ("", False),
        ("...", False),
    ],
)
def test_the_last_word_tells_whether_more_must_come(text: str, more: bool) -> None:
    assert wants_more(text) is more
