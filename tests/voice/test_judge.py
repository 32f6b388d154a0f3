"""Speculation and windows, in virtual time and with scripted engines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from jarvis.core.errors import EngineFailed
from jarvis.testing.virtual_time import run_virtual
from jarvis.voice.hearing.ears import Ears
from jarvis.voice.hearing.judge import Judge
from jarvis.voice.hearing.senses import Senses
from jarvis.voice.hearing.transcript import Transcript
from jarvis.voice.hearing.windows import Evidence, Onset, Windows
from jarvis.voice.streams import BLOCK_SAMPLES, Blocks, WavSource


class Slow:
    """Hears how long the sound is, in `decode_s`; deaf to melody when told so."""

    def __init__(self, decode_s: float, *, melody: bool = True, fails: bool = False) -> None:
        self._decode_s, self._melody, self._fails = decode_s, melody, fails
        self.decoding = self.most_at_once = 0
        self.decoded: list[int] = []

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        if method == "finished":
            if not self._melody:
                raise EngineFailed("The ears engine failed.")
            return 0.75
        self.decoding += 1
        self.most_at_once = max(self.most_at_once, self.decoding)
        try:
            await asyncio.sleep(self._decode_s)
        finally:
            self.decoding -= 1
        if self._fails:
            raise EngineFailed("The stt engine failed.")
        self.decoded.append(len(args[0]) // 2)
        return {"text": str(len(args[0]) // 2), "logprob": 0.0, "no_speech": 0.0, "decode_ms": self._decode_s * 1000}


def sound(samples: int) -> Any:
    return np.zeros(samples, np.int16)


def test_one_decode_is_in_flight_and_the_next_is_of_the_newest_sound() -> None:
    async def main() -> None:
        engine = Slow(1.0)
        judge = Judge(Ears(engine), engine, 20)
        for number in (1, 2, 3, 4):
            judge.ask(number, sound(number))
            await asyncio.sleep(0.1)
        assert judge.take() is None
        await asyncio.sleep(0.7)
        answer = judge.take()
        assert answer is not None and answer[0] == 1 and answer[1].finished == 0.75
        await judge.wait()
        answer = judge.take()
        assert answer is not None and (answer[0], answer[1].text) == (4, "4")
        assert engine.most_at_once == 1 and engine.decoded == [1, 4] and judge.decodes == 2
        assert judge.decode_ms == 1_000
        judge.ask(5, sound(5))
        await judge.wait()
        assert judge.take() is not None and judge.take() is None

    run_virtual(main)


def test_without_melody_the_text_still_comes() -> None:
    async def main() -> None:
        engine = Slow(0.1, melody=False)
        judge = Judge(Ears(engine), engine, 20)
        judge.ask(1, sound(1))
        await judge.wait()
        answer = judge.take()
        assert answer is not None and answer[1].finished == 0.0 and answer[1].text == "1"

    run_virtual(main)


def test_a_recogniser_that_fails_is_told_once_and_asked_again() -> None:
    async def main() -> None:
        engine = Slow(0.1, fails=True)
        judge = Judge(Ears(engine), engine, 20)
        judge.ask(1, sound(1))
        await judge.wait()
        with pytest.raises(EngineFailed):
            judge.take()
        assert judge.take() is None
        engine._fails = False
        judge.ask(2, sound(2))
        await judge.wait()
        answer = judge.take()
        assert answer is not None and answer[0] == 2

    run_virtual(main)


def test_what_nobody_says_here_is_heard_again_with_a_hint() -> None:
    class Guessing(Slow):
        again = 0

        async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
            if method == "again":
                assert args == (7, "Stop the timer.")
                self.again += 1
                if self.again > 2:
                    raise EngineFailed("It died.")
                return ["Wake up.", "Stop the timer."]
            return {**await super().call(method, *args, deadline_s=deadline_s), "number": 7}

    async def heard(meant: dict[str, int], engine: Guessing) -> Transcript:
        def likeliest(texts: Sequence[str]) -> tuple[int, bool]:
            return next(((number, True) for number, text in enumerate(texts) if text in meant), (0, False))

        return await Judge(Ears(engine), engine, 20, likeliest, lambda: "Stop the timer.").transcribe(sound(5))

    async def main() -> None:
        engine = Guessing(0.1)
        found = await heard({"Stop the timer.": 1}, engine)
        assert (found.text, found.chosen, engine.again) == ("Stop the timer.", True, 1)
        found = await heard({}, engine)
        assert (found.text, found.chosen, engine.again) == ("5", False, 2)
        found = await heard({"5": 1}, engine)
        assert (found.text, found.chosen, engine.again) == ("5", False, 2)
        found = await heard({}, engine)
        assert (found.text, found.chosen, engine.again) == ("5", False, 3), "it failed, and the first guess stands"

    run_virtual(main)


def test_giving_up_leaves_nothing_behind() -> None:
    async def main() -> None:
        engine = Slow(1.0)
        judge = Judge(Ears(engine), engine, 20)
        judge.ask(1, sound(1))
        judge.ask(2, sound(2))
        await asyncio.sleep(0.1)
        await judge.give_up()
        await judge.give_up()
        await judge.wait()
        assert engine.decoding == 0 and judge.take() is None
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main)


def test_an_answer_is_awaited_for_its_time_and_a_ring_for_its_own() -> None:
    windows = Windows()
    assert windows.at(0) is None and not windows.engaged(0)
    windows.attend(600_000, lambda text: text == "stop")
    windows.follow_up(8_000)
    window = windows.at(7_999)
    assert window is not None and window.takes("anything") and windows.engaged(7_999)
    window = windows.at(8_000)
    assert window is not None and window.takes("stop") and not window.takes("anything")
    assert windows.lapsed(8_000) and not windows.lapsed(8_000) and not windows.engaged(8_000)
    windows.follow_up(20_000)
    windows.close()
    assert not windows.lapsed(30_000), "an answer that came was not awaited in vain"
    windows.attend(30_000, None)
    assert windows.at(30_000) is None


def test_speech_begins_with_so_many_loud_frames_in_a_row() -> None:
    onset = Onset()
    assert onset.heard([0.9, 0.9, 0.1, 0.9], 3, 0.5) == []
    assert onset.heard([0.8], 3, 0.5) == []
    assert onset.heard([0.7, 0.2], 3, 0.5) == [], "by now it is silent again"
    assert onset.heard([0.9] * 5, 5, 0.5) == [0.9] * 5
    assert onset.heard([0.9], 5, 0.5) == [], "told once"
    onset.heard([0.4] * 4, 5, 0.3)
    onset.forget()
    assert onset.heard([0.4], 5, 0.3) == []


def test_evidence_of_a_person_gathers_over_gaps_and_fades() -> None:
    evidence = Evidence()
    assert evidence.heard([0.7], 0.2, 0.4) == [0.7], "a loud frame is enough"
    assert evidence.heard([0.3], 0.2, 0.4) == [], "told once"
    evidence.forget()
    assert evidence.heard([0.3, 0.35, 0.15], 0.2, 0.4) == []
    assert evidence.heard([0.45], 0.2, 0.4) == [0.3, 0.35, 0.15, 0.45], "a gap between two syllables"
    for _ in range(1_000):
        assert evidence.heard([0.3, 0.05], 0.2, 0.4) == [], "now and then a faint frame is nobody"
    assert len(evidence.heard([0.3] * 5, 0.2, 0.4)) == 5 and not evidence.heard([0.19] * 100, 0.2, 0.4)


class Counting:
    """Ears that only count how they are asked."""

    def __init__(self) -> None:
        self.blocks: list[int] = []

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        self.blocks.append(len(args[1]) // 2)
        return {"clean": b"", "wakes": [], "speech": []}


@pytest.mark.parametrize("noise", [0, 40, 400])
def test_a_still_room_costs_little_and_whoever_speaks_is_heard_at_once(noise: int) -> None:
    rng = np.random.default_rng(6)

    def room(seconds: float, level: float) -> Any:
        return (rng.normal(size=int(16_000 * seconds)) * level).astype(np.int16)

    async def main() -> None:
        engine = Counting()
        still = room(8, noise)
        loud = room(2, 4_000 + noise)
        senses = Senses(Blocks(WavSource(np.concatenate([still, loud, still]))), Ears(engine).open())
        ends = []
        while (moment := await senses.next(speech=False)) is not None:
            ends.append(moment.end_ms)
        asked = np.array(ends)
        assert sum(asked < 8_000) <= 32, "8 s of nothing"
        assert any(asked > 8_000) and min(asked[asked > 8_000]) <= 8_080, "its first sound is heard"
        assert 24 <= sum((asked > 8_000) & (asked <= 10_000)) <= 27
        assert sum(asked > 11_500) <= 24, "still again"
        assert sum(engine.blocks) == 18 * 16_000
        speaking = Senses(Blocks(WavSource(still)), Ears(engine).open())
        assert len((await speaking.next(speech=True)).clean) == BLOCK_SAMPLES  # type: ignore[union-attr]

    asyncio.run(main())
