"""What other rooms see of a turn while it happens: coalesced, bounded, and nothing of what is private."""

from __future__ import annotations

import asyncio

import pytest

from jarvis.core.codec import Value, pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.core.events import Event, EventBus
from jarvis.node.links.link_run import IDLE_FRAMES, LinkRun
from jarvis.node.talk.partials import BUSY_MS, LIMITS, MAX_TEXT_CHARS, MAX_TURNS, SPEAKING_MS, STILL_S, Partials, read
from jarvis.sync.messages import Ephemeral
from jarvis.testing.virtual_time import run_virtual

PEER, OTHER = bytes(16), b"p" * 16


class Clock:
    now_ms = 0.0

    def mono_ms(self) -> float:
        return self.now_ms

    def wall_ms(self) -> int:
        return 0


class Rooms:
    """The sending and the receiving end, with a link between."""

    def __init__(self) -> None:
        self.clock, self.events, self.shares = Clock(), EventBus(), True
        self.sent: list[Value] = []
        self.linked = {PEER, OTHER}
        self.kitchen = Partials(self.sent.append, self._shared, lambda: (), EventBus(), self.clock)
        self.bedroom = Partials(lambda _: None, self._shared, lambda: self.linked, self.events, self.clock)

    async def _shared(self) -> bool:
        return self.shares

    def carry(self) -> list[Event]:
        """Everything to the other room, as it travels; the events there."""
        with self.events.subscribe() as heard:
            for value in self.sent:
                self.bedroom.delivered(PEER, unpack(pack(value), LIMITS))
            self.sent.clear()
            found = []
            while not heard._queue.empty():
                found.append(heard._queue.get_nowait())
        return found


def test_a_turn_is_seen_as_it_grows() -> None:
    rooms = Rooms()
    rooms.kitchen.hearing("a", "kitchen")
    rooms.kitchen.hearing("a", "kitchen", "What is")
    rooms.kitchen.flush(True)
    rooms.kitchen.began("a", "kitchen", "What is the moon?", private=False)
    for piece in ("A ", "rock."):
        rooms.kitchen.replied("a", piece)
    rooms.kitchen.flush(True)
    rooms.kitchen.replied("a", " Far away.")
    rooms.kitchen.written("a", spoken=True)
    rooms.kitchen.flush(True)
    assert len(rooms.sent) == 3, "coalesced"
    events = rooms.carry()
    assert [(one.name, one.turn, one.room) for one in events] == [  # type: ignore[attr-defined]
        *(("remote.partial", "a", "kitchen"), ("remote.partial", "a", "kitchen")),
        *(("remote.reply", "a", "kitchen"), ("remote.reply", "a", "kitchen")),
    ]
    assert [one.text for one in events] == ["What is", "What is the moon?", "A rock.", " Far away."]  # type: ignore[attr-defined]
    assert [one.start for one in events[2:]] == [0, 7]  # type: ignore[attr-defined]
    assert rooms.bedroom.busy("Kitchen") and not rooms.bedroom.busy("hall")
    rooms.kitchen.over("a")
    rooms.kitchen.flush(True)
    assert rooms.carry()[-1].over and not rooms.bedroom.busy("kitchen")  # type: ignore[attr-defined]


def test_a_long_reply_leaves_out_its_middle_and_says_so() -> None:
    rooms = Rooms()
    rooms.kitchen.began("a", "kitchen", "Count.", private=False)
    for number in range(2_000):
        rooms.kitchen.replied("a", f"{number} ")
    rooms.kitchen.flush(True)
    whole = "".join(f"{number} " for number in range(2_000))
    reply = rooms.carry()[-1]
    assert reply.text == whole[-MAX_TEXT_CHARS:] and reply.start == len(whole) - MAX_TEXT_CHARS  # type: ignore[attr-defined]


def test_what_is_private_is_never_sent() -> None:
    rooms = Rooms()
    rooms.kitchen.hearing("a", "kitchen", "Under the")
    rooms.kitchen.began("a", "kitchen", "Under the flowerpot", private=True)
    rooms.kitchen.hearing("a", "kitchen", "flowerpot")
    rooms.kitchen.replied("a", "The flowerpot.")
    rooms.kitchen.flush(True)
    rooms.kitchen.began("b", "kitchen", "flowerpot", private=False)
    rooms.kitchen.replied("b", "flowerpot")
    rooms.kitchen.flush(False)
    rooms.kitchen.replied("b", "flowerpot")
    rooms.kitchen.over("b")
    rooms.kitchen.flush(True)
    assert not rooms.sent


def test_the_room_s_setting_is_asked_before_each_send() -> None:
    rooms = Rooms()

    async def main() -> None:
        running = asyncio.create_task(rooms.kitchen.run())
        for number in range(20):
            rooms.shares = number < 10
            rooms.kitchen.began(f"{number}", "kitchen", "secret" if number >= 10 else "known", private=False)
            await asyncio.sleep(1)
        running.cancel()

    run_virtual(main)
    assert len(rooms.sent) >= 10 and "secret" not in str(rooms.sent)


def test_who_speaks_for_long_says_so_again_and_who_vanishes_is_forgotten() -> None:
    rooms = Rooms()
    rooms.kitchen.began("a", "kitchen", "Tell me a story.", private=False)
    for _ in range(10):
        rooms.kitchen.flush(True)
        rooms.carry()
        assert rooms.bedroom.busy("kitchen")
        rooms.clock.now_ms += STILL_S * 1000
    assert rooms.bedroom.busy("kitchen")
    rooms.linked.discard(PEER)
    assert not rooms.bedroom.busy("kitchen"), "its link is gone: it was killed"
    rooms.linked.add(PEER)
    rooms.clock.now_ms += BUSY_MS
    assert not rooms.bedroom.busy("kitchen"), "it has not been heard of"
    rooms.clock.now_ms += SPEAKING_MS
    rooms.kitchen.flush(True)
    assert rooms.carry()[-1].over, "an end that was lost"  # type: ignore[attr-defined]


def test_a_room_that_hears_the_same_person_is_not_busy() -> None:
    """Both heard the wake word, and this one answers: the conversation may follow from there."""
    rooms = Rooms()
    rooms.kitchen.hearing("a", "kitchen")
    rooms.kitchen.flush(True)
    rooms.clock.now_ms += 200
    rooms.carry()
    assert rooms.bedroom.busy("kitchen")
    rooms.bedroom.hearing("b", "bedroom")
    assert not rooms.bedroom.busy("kitchen")
    rooms.clock.now_ms += 3_000
    rooms.kitchen.hearing("a", "kitchen", "What is")
    rooms.kitchen.flush(True)
    rooms.carry()
    assert not rooms.bedroom.busy("kitchen")
    rooms.kitchen.began("a", "kitchen", "What is it?", private=False)
    rooms.kitchen.flush(True)
    rooms.carry()
    assert rooms.bedroom.busy("kitchen"), "it is answered there too"
    rooms.bedroom.over("b")
    rooms.bedroom.flush(True)
    rooms.bedroom.delivered(OTHER, ["c", "hall", 0, "", 0, ""])
    rooms.clock.now_ms += 3_000
    rooms.bedroom.hearing("d", "bedroom")
    assert rooms.bedroom.busy("hall"), "somebody else"


def test_turns_are_bounded_at_both_ends() -> None:
    rooms = Rooms()
    for number in range(100):
        rooms.kitchen.began(f"{number}", "kitchen", "x", private=False)
    rooms.kitchen.flush(True)
    assert len(rooms.sent) == MAX_TURNS
    for number in range(100):
        rooms.bedroom.delivered(OTHER, [f"{number}", "kitchen", 0, "x", 0, ""])
    assert len(rooms.bedroom._there) == MAX_TURNS
    for number in range(100):
        rooms.kitchen.began(f"p{number}", "kitchen", "x", private=True)
    assert len(rooms.kitchen._private) == MAX_TURNS


@pytest.mark.parametrize(
    "value",
    [
        *(None, [], {}, ["a"], ["a", "b", 3, "", 0, ""], ["a", "b", True, "", 0, ""], ["a", "b", 0, "", -1, ""]),
        *(["a" * 65, "b", 0, "", 0, ""], ["a", "b", 0, "x" * 1_001, 0, ""], ["a", "b", 0, b"", 0, ""]),
    ],
)
def test_nonsense_is_refused(value: Value) -> None:
    with pytest.raises(InvalidBytes):
        read(value)


def test_a_busy_link_is_not_idle() -> None:
    async def main() -> None:
        run = LinkRun(None, lambda *_: None)  # type: ignore[arg-type]
        for _ in range(IDLE_FRAMES):
            assert run.idle
            run.post(Ephemeral("partial", b"x"))
        assert not run.idle
        large = LinkRun(None, lambda *_: None)  # type: ignore[arg-type]
        for _ in range(5):
            large.post(Ephemeral("x", bytes(15_000)))
        assert not large.idle

    asyncio.run(main())
