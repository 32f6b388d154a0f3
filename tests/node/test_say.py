"""Speaking in other rooms: everybody speaks, or the user is told why nobody does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from jarvis.core.codec import pack, unpack
from jarvis.core.errors import EngineFailed, InvalidInput, Missing
from jarvis.node.hearing.announcing import LIMITS, MAX_CHARS, MAX_WAITING, TOPIC, Announcing
from jarvis.node.hearing.quiet_hours import KEY, QuietHours
from jarvis.node.links.topics import Topics
from jarvis.node.timing.known_time import KnownTime
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
        self.topics = Topics(lambda *told: self.told.append(unpack(told[2], LIMITS)), lambda *_: None)
        speech = SimpleNamespace(say=say, announce=announce)

        async def value(key: str, node_id: bytes) -> str:
            assert key == KEY
            return self.hours.get(node_id, "")

        self.hours: dict[bytes, str] = {}
        self.at_ms = round(datetime(2026, 11, 21, 12, 0).timestamp() * 1000)
        clock = SimpleNamespace(wall_ms=lambda: self.at_ms)
        self.announcing = Announcing(
            HERE,
            cast(Any, members),
            self.topics,
            cast(Any, speech),
            connected=lambda: {THERE},
            value=value,
            time=KnownTime(cast(Any, clock), dict),
        )

    def say(self, text: str = "Dinner.", room: str | None = None, **more: bool) -> Any:
        more = {"everywhere": False, **more}
        return asyncio.run(self.announcing.say(text, room=room, **more))


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
    assert home.say(everywhere=True) == ({"rooms": ["kitchen", "hall"], "quiet": [], "problems": []}, b"RIFF")
    assert home.say(room="hall") == ({"rooms": ["hall"], "quiet": [], "problems": []}, b"RIFF")
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
    assert home.say(everywhere=True) == ({"rooms": [], "quiet": [], "problems": []}, b"") and home.told == []


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


@pytest.mark.parametrize(
    ("text", "quiet_minutes"),
    [("22:00-07:00", 540), ("13:00-14:30", 90), ("00:00-23:59", 1_439), ("", 0), ("7:00-7:00", 0), ("25:00-07:00", 0)],
)
def test_quiet_hours_hold_for_each_of_their_minutes_and_no_other(text: str, quiet_minutes: int) -> None:
    hours = QuietHours.parse(text)
    quiet = [minute for minute in range(1_440) if hours and hours.holds(time(minute // 60, minute % 60))]
    assert len(quiet) == quiet_minutes


def test_in_quiet_hours_a_room_is_not_disturbed_and_whoever_announces_is_told() -> None:
    """A day of announcements to all rooms, one every ten minutes; the hall sleeps from ten to seven."""
    home = Home(well)
    home.hours[THERE] = "22:00-07:00"
    midnight_ms = home.at_ms - 12 * 3_600_000
    quiet = 0
    for minute in range(0, 1_440, 10):
        home.at_ms = midnight_ms + minute * 60_000
        said, _ = home.say(everywhere=True)
        sleeps = minute < 7 * 60 or minute >= 22 * 60
        assert (said["rooms"], said["quiet"]) == ((["kitchen"], ["hall"]) if sleeps else (["kitchen", "hall"], []))
        quiet += sleeps
    assert (quiet, len(home.told)) == (54, 90), "of 144 announcements 54 were not sent there"
    assert home.say(room="hall")[0] == {"rooms": [], "quiet": ["hall"], "problems": []}
    assert home.say(room="hall", urgent=True)[0] == {"rooms": ["hall"], "quiet": [], "problems": []}
    assert home.told[-1] == ["hall", "Dinner.", True]
    announced = asyncio.run(home.announcing.announce("Dinner.", None))
    assert (announced.rooms, announced.quiet, len(home.told)) == ([], ["hall"], 91)


def test_what_a_room_knows_of_its_own_quiet_hours_counts_when_it_is_told() -> None:
    async def main() -> list[str]:
        home = Home(well)
        home.hours[HERE] = "22:00-07:00"
        home.at_ms += 11 * 3_600_000  # 23:00
        for body in (["", "Dinner."], ["", "Fire!", True]):
            home.topics.deliver(THERE, Ephemeral(TOPIC, pack(body)))
        home.waited = 1
        running = asyncio.create_task(home.announcing.run())
        async with asyncio.timeout(10):
            await home.heard_all.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return home.spoken

    assert asyncio.run(main()) == ["Fire!"]
