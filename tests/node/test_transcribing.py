"""Sound for the library: cut where it is quiet, told by the second."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.node.minds import transcribing
from jarvis.node.minds.transcribing import PIECE_S, pieces, transcriber

np = pytest.importorskip("numpy", reason="the voice extra is not installed")
pytest.importorskip("soundfile", reason="the voice extra is not installed")


def noise(seconds: float, rate_hz: int = 16_000) -> Any:
    return (np.random.default_rng(1).standard_normal(int(seconds * rate_hz)) * 8_000).astype(np.int16)


def test_pieces_are_all_of_it_and_end_where_it_is_quiet() -> None:
    sound = noise(70)
    sound[25 * 16_000 : 25 * 16_000 + 4_800] = 0
    found = pieces(sound, 16_000)
    assert [start for start, _ in found[1:]] == [end for _, end in found[:-1]]
    assert (found[0][0], found[-1][1]) == (0, len(sound))
    assert all(0 < end - start <= PIECE_S * 16_000 for start, end in found)
    assert 25.0 <= found[0][1] / 16_000 <= 25.3
    assert pieces(sound[:0], 16_000) == [(0, 0)]


class Recogniser:
    def __init__(self) -> None:
        self.bytes: list[int] = []

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        assert method == "transcribe"
        self.bytes.append(len(args[0]))
        silent = len(self.bytes) == 2
        return {"text": f"piece {len(self.bytes)}", "no_speech": 0.9 if silent else 0.1}


def test_what_nobody_said_is_left_out(tmp_path: Path) -> None:
    from jarvis.voice import wav

    sound, stt = noise(65), Recogniser()
    wav.write(tmp_path / "memo.wav", sound, 16_000)

    async def heard(path: Path) -> list[tuple[float, str]]:
        return [one async for one in transcriber(stt)(path)]

    found = asyncio.run(heard(tmp_path / "memo.wav"))
    assert [words for _, words in found] == ["piece 1", "piece 3"]
    assert found[0][0] == 0.0 and 40 < found[1][0] < 60
    assert sum(stt.bytes) == 2 * len(sound)
    (tmp_path / "no.wav").write_bytes(b"words")
    with pytest.raises(InvalidInput, match="not a sound file"):
        asyncio.run(heard(tmp_path / "no.wav"))


def test_a_file_that_kills_who_unpacks_it_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deadly_sound.py").write_text("import os\nclass Deadly:\n    def read(self, path): os._exit(11)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(transcribing, "TARGET", "deadly_sound:Deadly")

    async def heard() -> None:
        with pytest.raises(InvalidInput, match=r"memo\.mp3 broke the process"):
            async for _ in transcriber(Recogniser())(tmp_path / "memo.mp3"):
                raise AssertionError

    asyncio.run(heard())


def test_a_link_in_the_way_is_not_followed(tmp_path: Path) -> None:
    from jarvis.voice import wav

    (tmp_path / "outside").mkdir()
    wav.write(tmp_path / "outside" / "memo.wav", noise(1), 16_000)
    (tmp_path / "sub").symlink_to(tmp_path / "outside")

    async def heard() -> None:
        with pytest.raises(InvalidInput, match="cannot be read"):
            async for _ in transcriber(Recogniser())(tmp_path / "sub" / "memo.wav"):
                raise AssertionError

    asyncio.run(heard())
