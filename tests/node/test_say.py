"""Speaking in other rooms: everybody speaks, or the user is told why nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import EngineFailed, InvalidInput, Missing
from jarvis.node.announcing import LIMITS, MAX_CHARS, MAX_WAITING, TOPIC, Announcing
from jarvis.node.topics import Topics
from jarvis.sync.messages import Ephemeral

HERE, THERE = b"h" * 16, b"t" * 16
ROOMS = {HERE: "kitchen", THERE: "hall"}


class Home:
    """A node in the kitchen, linked to one in the hall."""

    def __init__(self, speak: Callable[[Callable[[], None]], bytes]) -> None:
        self.told: list[Any] = []

        async def say(text: str, *, aloud: bool, begins: Callable[[], None]) -> bytes:
            return speak(begins)

        async def announce(text: str) -> None:
            self.spoken.append(text)
            if len(self.spoken) == self.waited:
                self.heard_all.set()

        async def refresh() -> None:
            pass

        self.spoken: list[str] = []
        self.waited, self.heard_all = 0, asyncio.Event()
        members = SimpleNamespace(
            refresh=refresh,
            room_of=ROOMS.__getitem__,
            in_room=lambda room: [node_id for node_id, name in ROOMS.items() if name == room],
        )
        self.topics = Topics(lambda *_: None, lambda _, body: self.told.append(unpack(body, LIMITS)))
        speech = SimpleNamespace(say=say, announce=announce)
        self.announcing = Announcing(
            HERE, cast(Any, members), self.topics, cast(Any, speech), connected=lambda: {THERE}
        )

    def say(self, text: str = "Dinner.", room: str | None = None, everywhere: bool = False) -> Any:
        return asyncio.run(self.announcing.say(text, room=room, everywhere=everywhere))


def well(begins: Callable[[], None]) -> bytes:
    begins()
    return b"RIFF"


def without_voice(begins: Callable[[], None]) -> bytes:
    raise Missing("The model is not installed.")


def with_a_broken_loudspeaker(begins: Callable[[], None]) -> bytes:
    begins()
    raise EngineFailed("The loudspeaker failed.")


def test_all_rooms_speak_together() -> None:
    home = Home(well)
    assert home.say(everywhere=True) == ({"rooms": ["kitchen", "hall"], "problems": []}, b"RIFF")
    assert home.say(room="hall") == ({"rooms": ["hall"], "problems": []}, b"RIFF")
    assert home.told == [["", "Dinner."], ["hall", "Dinner."]]


def test_when_this_node_cannot_make_it_nobody_speaks() -> None:
    home = Home(without_voice)
    with pytest.raises(Missing):
        home.say(everywhere=True)
    assert home.told == []


def test_when_only_this_node_falls_silent_that_stands_beside_the_rooms() -> None:
    assert Home(with_a_broken_loudspeaker).say(everywhere=True)[0]["problems"] == ["The loudspeaker failed."]
    with pytest.raises(EngineFailed):
        Home(with_a_broken_loudspeaker).say()


def test_what_cannot_be_pronounced_is_said_nowhere() -> None:
    home = Home(lambda begins: b"")
    assert home.say(everywhere=True) == ({"rooms": [], "problems": []}, b"") and home.told == []


def test_a_text_is_spoken_whole_or_refused() -> None:
    home = Home(well)
    home.say("a" * MAX_CHARS, everywhere=True)
    with pytest.raises(InvalidInput, match=f"{MAX_CHARS} characters"):
        home.say("a" * (MAX_CHARS + 1), everywhere=True)
    assert [len(text) for _, text in home.told] == [MAX_CHARS]


def test_what_another_room_sends_is_spoken_in_turn_and_the_rest_left_out() -> None:
    async def main() -> None:
        home = Home(well)
        texts = [f"Number {number}." for number in range(MAX_WAITING + 2)]
        for room, text in [("hall", "Not here."), *(("kitchen" if len(text) % 2 else "", text) for text in texts)]:
            home.topics.deliver(THERE, Ephemeral(TOPIC, pack([room, text])))
        home.topics.deliver(THERE, Ephemeral(TOPIC, pack(["", "x" * (MAX_CHARS + 1)])))
        home.waited = MAX_WAITING
        running = asyncio.ensure_future(home.announcing.run())
        async with asyncio.timeout(5):
            await home.heard_all.wait()
        running.cancel()
        assert home.spoken == texts[:MAX_WAITING]

    asyncio.run(main())


@pytest.mark.parametrize("body", [b"", b"\xc1", pack(["kitchen"]), pack(["", 1]), pack(["", "x" * 9_000])])
def test_nonsense_is_named_once_and_nothing_of_it_said(body: bytes) -> None:
    home = Home(well)
    with capture_logs() as logged:
        for _ in range(3):
            home.topics.deliver(THERE, Ephemeral(TOPIC, body))
        home.topics.deliver(THERE, Ephemeral("of a newer Jarvis", body))
    assert [row["event"] for row in logged] == ["peer sent a message without sense"]
    assert home.announcing._waiting.empty()
