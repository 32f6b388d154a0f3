"""Speaking in other rooms: everybody speaks, or the user is told why nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jarvis.core.codec import unpack
from jarvis.core.errors import EngineFailed, InvalidInput, Missing
from jarvis.core.time import SystemClock
from jarvis.node.node import MAX_SAY_CHARS, SAY_LIMITS, Node

HERE, THERE = b"h" * 16, b"t" * 16
ROOMS = {HERE: "kitchen", THERE: "hall"}


class Home:
    """A node in the kitchen, linked to one in the hall."""

    def __init__(self, speak: Callable[[Callable[[], None]], bytes]) -> None:
        self.told: list[Any] = []

        async def say(text: str, *, aloud: bool, begins: Callable[[], None]) -> bytes:
            return speak(begins)

        async def refresh() -> None:
            pass

        nothing = SimpleNamespace(listen=lambda _: None)
        members = SimpleNamespace(
            refresh=refresh,
            room_of=ROOMS.__getitem__,
            in_room=lambda room: [node_id for node_id, name in ROOMS.items() if name == room],
        )
        peering = SimpleNamespace(
            connected=lambda: {THERE}, broadcast=lambda _, body: self.told.append(unpack(body, SAY_LIMITS))
        )
        others = dict.fromkeys(
            ("sessions", "config", "audit", "timers", "comparison", "backups", "notes", "events", "home"), nothing
        )
        parts = SimpleNamespace(
            **others,
            node_id=HERE,
            clock=SystemClock(),
            journal=nothing,
            speech=SimpleNamespace(say=say),
            members=members,
            peering=peering,
        )
        self.node = Node(cast(Any, parts))

    def say(self, text: str = "Dinner.", room: str | None = None, everywhere: bool = False) -> Any:
        return asyncio.run(self.node.say(text, room=room, everywhere=everywhere))


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
    home.say("a" * MAX_SAY_CHARS, everywhere=True)
    with pytest.raises(InvalidInput, match=f"{MAX_SAY_CHARS} characters"):
        home.say("a" * (MAX_SAY_CHARS + 1), everywhere=True)
    assert [len(text) for _, text in home.told] == [MAX_SAY_CHARS]
