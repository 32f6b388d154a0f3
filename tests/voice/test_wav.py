"""Any sound file becomes 16 kHz mono int16, or one clear sentence."""

from __future__ import annotations

import struct
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jarvis.core.errors import InvalidInput, StoreFailed
from jarvis.voice import wav


def tone(rate_hz: int, seconds: float = 0.5, hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)


def peak_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    return float(spectrum.argmax() * 16_000 / len(samples))


@pytest.mark.parametrize(
    ("rate_hz", "channels", "subtype", "suffix"),
    [
        (16_000, 1, "PCM_16", "wav"),
        (44_100, 2, "PCM_16", "wav"),
        (8_000, 1, "PCM_U8", "wav"),
        (96_000, 2, "PCM_24", "wav"),
        (48_000, 6, "FLOAT", "wav"),
        (22_050, 1, "PCM_16", "flac"),
        (8_000, 1, "ULAW", "wav"),
    ],
)
def test_every_usual_format_is_converted(
    tmp_path: Path, rate_hz: int, channels: int, subtype: str, suffix: str
) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.repeat(tone(rate_hz)[:, None], channels, axis=1), rate_hz, subtype=subtype)
    samples = wav.read(path)
    assert samples.dtype == np.int16 and samples.ndim == 1
    assert abs(len(samples) - 8_000) <= 2
    assert abs(peak_hz(samples) - 440) < 5
    assert 14_000 < np.abs(samples).max() < 18_500
    assert np.array_equal(wav.read_bytes(path.read_bytes()), samples)


def test_a_constant_offset_and_broken_floats_are_removed(tmp_path: Path) -> None:
    path = tmp_path / "offset.wav"
    sound = tone(16_000) * 0.2 + 0.4
    sound[10:20] = np.nan
    sound[30] = np.inf
    soundfile.write(path, sound, 16_000, subtype="FLOAT")
    samples = wav.read(path)
    assert abs(float(samples.mean())) < 100
    assert abs(peak_hz(samples) - 440) < 5


def header(frames: int, *, rate_hz: int = 16_000, channels: int = 1, bits: int = 16) -> bytes:
    block = channels * bits // 8
    data = min(frames * block, 0xFFFFFF00)
    fmt = struct.pack("<HHIIHH", 1, channels, rate_hz, min(rate_hz * block, 2**32 - 1), block, bits)
    return (
        b"RIFF"
        + struct.pack("<I", data + 36)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + fmt
        + b"data"
        + struct.pack("<I", data)
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"hello, this is no sound", "not a sound file"),
        (b"RIFF\x24\0\0\0WAVE", "not a sound file"),
        (b"\x7fELF" + bytes(5000), "not a sound file"),
        (b"ID3\x04" + bytes(2000), "not a sound file"),
        (header(0), "holds no samples"),
        (header(2_000_000_000), "holds no samples|the limit is 10 minutes|not a sound"),
        (header(100, rate_hz=100) + bytes(200), "channels at"),
        (header(100, channels=64) + bytes(12_800), "channels at"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_sentence(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(InvalidInput, match=words) as caught:
        wav.read(path)
    assert str(caught.value).startswith(str(path)) and str(caught.value).count("\n") == 0 and caught.value.fix


def test_missing_folders_and_forbidden(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        wav.read(tmp_path / "absent.wav")
    with pytest.raises(InvalidInput, match="is not a file"):
        wav.read(tmp_path)


def test_ten_minutes_are_taken_and_more_is_refused_with_the_limit_named(tmp_path: Path) -> None:
    for seconds in (600, 601):
        with wave.open(str(tmp_path / f"{seconds}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(1)
            file.setframerate(8_000)
            file.writeframes(b"\x80" * 8_000 * seconds)
    assert len(wav.read(tmp_path / "600.wav")) == 600 * 16_000
    with pytest.raises(InvalidInput, match=r"lasts 10 min 1 s; the limit is 10 minutes"):
        wav.read(tmp_path / "601.wav")


def test_a_small_file_of_much_silence_costs_no_more_memory_than_its_length_in_mono(tmp_path: Path) -> None:
    path = tmp_path / "bomb.flac"
    with soundfile.SoundFile(path, "w", samplerate=96_000, channels=8, format="FLAC", subtype="PCM_16") as file:
        for _ in range(20):
            file.write(np.zeros((96_000, 8), np.int16))
    assert path.stat().st_size < 200_000  # and 61 MB as float32
    wav.read(path)  # imports aside
    tracemalloc.start()
    try:
        samples = wav.read(path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert abs(len(samples) - 20 * 16_000) <= 2
    assert peak_bytes < 8_000_000


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=400), cut=st.integers(0, 900))
def test_rubbish_never_escapes_as_anything_but_our_error(data: bytes, cut: int) -> None:
    good = wav.to_bytes(wav.to_int16(tone(16_000, 0.02)), 16_000)
    for attempt in (data, good[:20] + data + good[20:], good[:cut], b"fLaC" + data, b"OggS" + data):
        try:
            samples = wav.read_bytes(attempt)
        except InvalidInput:
            continue
        assert samples.dtype == np.int16


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    samples = wav.to_int16(tone(16_000))
    wav.write(tmp_path / "out.wav", samples, 16_000)
    assert np.abs(wav.read(tmp_path / "out.wav").astype(int) - samples).max() <= 1
    with pytest.raises(StoreFailed, match="cannot be written"):
        wav.write(tmp_path / "no" / "out.wav", samples, 16_000)
