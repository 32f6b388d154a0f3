"""The first that can answers; what is wrong with the question ends the search."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from jarvis.core.codec import Value
from jarvis.core.errors import EngineFailed, InvalidInput, JarvisError, Missing
from jarvis.engines.ranked import HELP, MAX_HELP, Ranked


class One:
    def __init__(self, name: str, *answers: Value | JarvisError) -> None:
        self.name, self.answers, self.asked = name, answers, 0

    async def start(self) -> None:
        self.asked += 1
        if isinstance(self.answers[0], JarvisError):
            raise self.answers[0]

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value:
        await self.start()
        return self.answers[0]

    async def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]:
        self.asked += 1
        for one in self.answers:
            if isinstance(one, JarvisError):
                raise one
            yield one


def call(ranked: Ranked) -> Value:
    return asyncio.run(ranked.call("x", deadline_s=1))


async def all_of(ranked: Ranked) -> list[Value]:
    return [item async for item in ranked.stream("x", deadline_s=1, idle_s=1)]


def test_the_first_answers_alone() -> None:
    second = One("b", 2)
    assert call(Ranked([One("a", 1), second])) == 1
    assert second.asked == 0


@pytest.mark.parametrize("error", [EngineFailed("Down."), Missing("Absent.")])
def test_the_next_answers_and_it_is_told(error: JarvisError) -> None:
    told: list[tuple[str, str]] = []
    ranked = Ranked([One("a", error), One("b", error), One("c", 3)], helped=lambda *it: told.append(it))
    assert call(ranked) == 3
    assert told == [("c", str(error))]
    asyncio.run(ranked.start())


def test_those_that_come_and_go_are_asked_first_as_long_as_they_are_there() -> None:
    own = One("own", 1)
    told: list[tuple[str, str]] = []
    guest, there = One("guest", 2, 3), [True]
    ranked = Ranked([own], helped=lambda *it: told.append(it), first=lambda: [guest] if there[0] else [])
    assert call(ranked) == 2 and asyncio.run(all_of(ranked)) == [2, 3] and own.asked == 0
    guest.answers = (EngineFailed("Down."),)
    assert call(ranked) == 1 and told == [("own", "Down.")]
    there[0], guest.asked = False, 0
    assert call(ranked) == 1 and guest.asked == 0
    assert ranked.name == "own"


def test_when_nobody_can_the_first_ones_reason_is_given() -> None:
    ranked = Ranked([One("a", EngineFailed("Down.")), One("b", Missing("Absent."))])
    for attempt in (call, lambda it: asyncio.run(it.start()), lambda it: asyncio.run(all_of(it))):
        with pytest.raises(EngineFailed, match="Down"):
            attempt(ranked)


def test_a_wrong_question_goes_to_nobody_else() -> None:
    second = One("b", 2)
    ranked = Ranked([One("a", InvalidInput("No sound.")), second])
    with pytest.raises(InvalidInput):
        call(ranked)
    with pytest.raises(InvalidInput):
        asyncio.run(all_of(ranked))
    assert second.asked == 0


def test_a_stream_falls_back_only_before_it_began() -> None:
    assert asyncio.run(all_of(Ranked([One("a", EngineFailed("Down.")), One("b", 1, 2)]))) == [1, 2]
    second = One("b", 1)
    with pytest.raises(EngineFailed, match="half"):
        asyncio.run(all_of(Ranked([One("a", 1, EngineFailed("half")), second])))
    assert second.asked == 0


def test_each_turn_learns_who_helped_it_and_no_other_does() -> None:
    ranked = Ranked([One("a", EngineFailed("Down.")), One("b", 2)])

    async def turn(times: int) -> list[str]:
        helped: list[str] = []
        HELP.set(helped)
        for _ in range(times):
            await asyncio.create_task(ranked.call("x", deadline_s=1))
        return helped

    async def main() -> list[list[str]]:
        return await asyncio.gather(*(asyncio.create_task(turn(n)) for n in (0, 1, 100)))

    assert [len(one) for one in asyncio.run(main())] == [0, 1, MAX_HELP]
    assert HELP.get() is None


def test_no_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="no engine"):
        Ranked([])
