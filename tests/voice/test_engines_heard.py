"""The real models, one by one: wake word, voice detector, Whisper, Smart Turn, Piper."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from jarvis.core.errors import InvalidInput
from jarvis.engines.worker import Worker
from jarvis.voice import wav
from jarvis.voice.hearing.stt import MAX_SECONDS, _cut_at_quiet
from jarvis.voice.hearing.transcript import Transcript
from jarvis.voice.hearing.vad import VoiceActivity
from jarvis.voice.hearing.wake import Wake, WakeDetector
from jarvis.voice.speaking.tts import MAX_CHARACTERS

pytestmark = pytest.mark.models

SAID = {
    "what_time_is_it.wav": "what time is it",
    "set_timer.wav": "set a timer for 10 minutes",
    "turn_on_the_lamp.wav": "turn on the lamp",
    "jfk.flac": "and so my fellow americans ask not what your country can do for you "
    "ask what you can do for your country",
}
Say = Callable[[str], Any]
Workers = tuple[Worker, Worker]


def words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))


def wakes(samples: Any, block: int = 320) -> list[Wake]:
    detector = WakeDetector()
    found = (detector.feed(samples[at : at + block]) for at in range(0, len(samples), block))
    return [one for one in found if one is not None]


@pytest.mark.recordings
@pytest.mark.parametrize("block", [160, 320, 333, 16_000])
def test_the_wake_word_is_heard_once_and_where_it_ends(
    recording: Callable[[str], Any], silence: Say, block: int
) -> None:
    sound = np.concatenate([wav.read(recording("hey_jarvis_1.wav")), silence(1.0)])
    (wake,) = wakes(sound, block)
    assert 1_200 < wake.claimed_ms < 1_500 and wake.score >= 0.99


def test_the_wake_word_said_by_piper_alone_and_in_one_breath(say: Say, silence: Say) -> None:
    for text in ("Hey Jarvis.", "Hey Jarvis, what time is it?"):
        assert len(wakes(np.concatenate([silence(0.5), say(text), silence(0.5)]))) == 1
    for text in ("Hey Travis.", "Hey there, what time is it?", "The service was great, wasn't it?"):
        assert wakes(np.concatenate([silence(0.5), say(text), silence(0.5)])) == []


@pytest.mark.recordings
@pytest.mark.parametrize("name", ["background_noise.wav", *SAID])
def test_rooms_and_other_speech_do_not_wake(recording: Callable[[str], Any], name: str) -> None:
    assert wakes(wav.read(recording(name))) == []


@pytest.mark.recordings
def test_the_voice_detector_tells_speech_from_a_room(recording: Callable[[str], Any]) -> None:
    speech = VoiceActivity().feed(wav.read(recording("jfk.flac")))
    room = VoiceActivity().feed(wav.read(recording("background_noise.wav")))
    assert sum(one > 0.5 for one in speech) > 0.6 * len(speech)
    assert sum(one > 0.5 for one in room) < 0.05 * len(room)
    sound = wav.read(recording("set_timer.wav"))
    detector = VoiceActivity()
    assert [p for at in range(0, len(sound), 100) for p in detector.feed(sound[at : at + 100])] == VoiceActivity().feed(
        sound
    )


@pytest.mark.recordings
@pytest.mark.parametrize("name", SAID)
def test_recordings_are_transcribed_as_said(
    recording: Callable[[str], Any], workers: Workers, run: Callable[..., Any], name: str
) -> None:
    audio = wav.read(recording(name)).tobytes()
    transcript = Transcript.of(run(workers[0].call("transcribe", audio, deadline_s=20)))
    assert words(transcript.text) == SAID[name] and transcript.understood


@pytest.mark.recordings
def test_a_long_file_is_cut_at_quiet_places_and_heard_whole(
    recording: Callable[[str], Any], workers: Workers, run: Callable[..., Any]
) -> None:
    audio = np.tile(wav.read(recording("jfk.flac")), 4).tobytes()
    transcript = Transcript.of(run(workers[0].call("transcribe", audio, deadline_s=40)))
    assert words(transcript.text) == " ".join([SAID["jfk.flac"]] * 4)


@pytest.mark.parametrize("text", ["What time is it?", "Set a timer for ten minutes.", "What can you do?"])
def test_what_piper_says_whisper_hears(say: Say, workers: Workers, run: Callable[..., Any], text: str) -> None:
    transcript = Transcript.of(run(workers[0].call("transcribe", say(text).tobytes(), deadline_s=20)))
    assert words(transcript.text) == words(text).replace("ten", "10")


def test_the_last_utterance_is_heard_again_with_a_hint(say: Say, workers: Workers, run: Callable[..., Any]) -> None:
    def heard(audio: Any) -> Any:
        return run(workers[0].call("transcribe", audio.tobytes(), deadline_s=40))

    def again(number: int) -> Any:
        return run(workers[0].call("again", number, "Start the timer. Pause the timer. Stop the timer.", deadline_s=20))

    said = say("Pause the timer.")
    first, second = heard(said), heard(said)
    different = [words(one) for one in (second["text"], *second["others"])]
    assert len(different) == len(set(different))
    assert words(again(second["number"])[0]) == "pause the timer"
    assert again(first["number"]) == []  # another was heard since
    assert again(heard(np.concatenate([np.zeros(13 * 16_000, np.int16), said]))["number"]) == []  # too long to keep


def hostile() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    return {
        "nothing": np.zeros(0, np.int16),
        "one sample": np.ones(1, np.int16),
        "silence": np.zeros(32_000, np.int16),
        "noise": (rng.normal(size=48_000) * 4_000).astype(np.int16),
        "full scale": np.tile(np.array([32_767, -32_768], np.int16), 24_000),
        "offset": np.full(32_000, 12_000, np.int16),
    }


@pytest.mark.parametrize("name", hostile())
def test_what_is_not_speech_is_not_understood(workers: Workers, run: Callable[..., Any], name: str) -> None:
    audio = hostile()[name].tobytes()
    transcript = Transcript.of(run(workers[0].call("transcribe", audio, deadline_s=20)))
    assert not transcript.understood


def test_audio_that_cannot_be_is_refused(workers: Workers, run: Callable[..., Any]) -> None:
    before = workers[0].restarts
    for audio, sentence in ((b"\0", "half a sample"), (bytes(2 * 16_000 * MAX_SECONDS + 2), "10 minutes")):
        with pytest.raises(InvalidInput, match=sentence):
            run(workers[0].call("transcribe", audio, deadline_s=20))
    assert workers[0].restarts == before


def test_repeated_speech_neither_loops_nor_takes_seconds(say: Say, silence: Say, workers: Workers, run: Any) -> None:
    once = np.concatenate([say("Stop it."), silence(0.1)])
    sound = np.tile(once, int(11 * 16_000 // len(once)))
    plain, answer = (run(workers[0].call("transcribe", one.tobytes(), deadline_s=40)) for one in (once, sound))
    # A fallback to other temperatures takes forty times as long.
    assert answer["decode_ms"] < 20 * plain["decode_ms"] and len(answer["text"]) < 400


def test_piper_speaks_and_refuses_pages(workers: Workers, run: Callable[..., Any]) -> None:
    first = run(workers[1].call("synthesize", "The kettle is ready.", deadline_s=20))
    assert first["rate_hz"] == 22_050 and 0.8 < len(first["audio"]) / 2 / 22_050 < 3
    assert first["voice"] == "en_US-joe-medium"
    for text in ("", "...", "🎉", "\x00"):
        assert len(run(workers[1].call("synthesize", text, deadline_s=20))["audio"]) == 0
    with pytest.raises(InvalidInput):
        run(workers[1].call("synthesize", "a" * (MAX_CHARACTERS + 1), deadline_s=20))


def test_long_audio_is_cut_without_loss() -> None:
    samples = np.random.default_rng(3).normal(size=16_000 * 70).astype(np.float32)
    samples[16_000 * 26 : 16_000 * 26 + 3_200] = 0
    pieces = _cut_at_quiet(samples)
    assert np.array_equal(np.concatenate(pieces), samples)
    assert all(len(piece) <= 28 * 16_000 for piece in pieces)
    assert 26 * 16_000 <= len(pieces[0]) <= 26 * 16_000 + 3_200
