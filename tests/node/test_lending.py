"""One room's engine for another: what is lent, what never leaves, and what a member that lies can do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.codec import Value
from jarvis.core.errors import (
    DeadlineExceeded,
    EngineFailed,
    InvalidBytes,
    InvalidInput,
    NotAllowed,
    NotFound,
    Overloaded,
    Unreachable,
)
from jarvis.engines.ranked import Ranked
from jarvis.node.hearing import lending_messages as words
from jarvis.node.hearing.lending import ASK, GIVE, OFFER, Lending, PeersEngine
from jarvis.node.membership.requests import Requests
from jarvis.sync.messages import MAX_REQUEST_BYTES, Request
from jarvis.testing.waiting import until

JOB = b"j" * words.JOB_BYTES


# --- the words -------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200_000))
def test_what_is_cut_up_is_joined_again(whole: bytes) -> None:
    joined, made = words.Whole(200_000), None
    for body in words.pieces(JOB, whole):
        assert len(body) <= MAX_REQUEST_BYTES and made is None
        made = joined.add(words.read_piece(body))
    assert made == whole


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 70_000), st.sampled_from([0, 1, 31 * 1024])), max_size=8))
def test_no_order_of_pieces_holds_more_than_its_bound(told: list[tuple[int, int, int]]) -> None:
    joined, held = words.Whole(60_000), 0
    for index, total, size in told:
        try:
            joined.add(words.Piece(JOB, index, total, bytes(size)))
            held += size
        except InvalidBytes:
            pass
    assert held <= 60_000


@pytest.mark.parametrize(
    "asked",
    [
        words.Asked("stt", "transcribe", (bytes(320),), 900),
        words.Asked("tts", "synthesize", ("Hello.",), 900),
        words.Asked("llm", "complete", ([{"role": "user", "content": "Hi"}], 96), 900),
    ],
)
def test_questions_come_back_as_they_went(asked: words.Asked) -> None:
    assert words.read_asked(words.write_asked(asked)) == asked


@pytest.mark.parametrize(
    "wrong",
    [
        words.Asked("stt", "finished", (b"",), 1),
        words.Asked("stt", "transcribe", ("text",), 1),
        words.Asked("stt", "transcribe", (b"odd",), 1),
        words.Asked("stt", "transcribe", (b"", b""), 1),
        words.Asked("tts", "transcribe", ("x",), 1),
        words.Asked("ears", "feed", (b"",), 1),
        words.Asked("llm", "complete", ([{"role": "user"}], 96), 1),
        words.Asked("llm", "complete", ([], 10**9), 1),
        words.Asked("tts", "synthesize", ("x",), 0),
    ],
)
def test_nothing_else_is_lent(wrong: words.Asked) -> None:
    with pytest.raises(InvalidBytes):
        words.read_asked(words.write_asked(wrong))


def test_a_refusal_is_a_sentence_without_control_characters() -> None:
    with pytest.raises(EngineFailed, match=r"^no x$"):
        words.read_given(words.write_refused("no\x1bx"))
    with pytest.raises(InvalidInput, match="too long"):
        words.write_asked(words.Asked("stt", "transcribe", (bytes(words.MAX_ASKED_BYTES),), 1))


# --- between rooms ---------------------------------------------------------------------------------------------------


class Clock:
    ms = 0.0

    def mono_ms(self) -> float:
        return self.ms

    def wall_ms(self) -> int:
        return 0


class Scripted:
    """An engine of a room."""

    def __init__(self, kind: str, answer: Value | Exception) -> None:
        self.kind, self.name, self.answer, self.lendable, self.asked = kind, kind, answer, True, 0
        self.free = asyncio.Event()
        self.free.set()

    async def start(self) -> None:
        pass

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value:
        self.asked += 1
        await self.free.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]:
        for word in str(await self.call(method, *args, deadline_s=deadline_s)).split():
            yield word + " "


class Noted:
    """An audit that is read in tests."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []

    def entry(self, action: str, target: str, *, engine: str) -> Any:
        return action, engine

    async def write(self, entry: Any) -> None:
        self.entries.append(entry)


class Room:
    def __init__(self, home: Home, name: bytes, *engines: Scripted) -> None:
        self.home, self.name, self.noted, self.open = home, name, Noted(), True
        self.requests = Requests(self._post)
        self.lending = Lending(
            self.requests,
            cast(Any, self.noted),
            cast(Any, self.noted),
            home.clock,
            engines={engine.kind: engine for engine in engines},
            near=lambda: [one for one in home.rooms if one != name],
            room_of=lambda peer: peer.decode(),
            may_leave=lambda: self.open,
        )

    def _post(self, peer: bytes, request: Request) -> bool:
        room = self.home.rooms.get(peer)
        if room is None:
            return False
        self.home.posted.append((self.name, request.topic, len(request.body)))

        async def carry() -> None:
            self.requests.answered(peer, await room.requests.handle(self.name, request))

        self.home.tasks.append(asyncio.get_running_loop().create_task(carry()))
        return True


class Home:
    def __init__(self) -> None:
        self.clock = Clock()
        self.rooms: dict[bytes, Room] = {}
        self.posted: list[tuple[bytes, str, int]] = []
        self.tasks: list[asyncio.Task[None]] = []

    def room(self, name: bytes, *engines: Scripted) -> Room:
        self.rooms[name] = Room(self, name, *engines)
        return self.rooms[name]


def play(scene: Callable[[Home], Awaitable[None]]) -> Home:
    home = Home()

    async def main() -> None:
        playing = asyncio.create_task(scene(home))
        await asyncio.sleep(0)
        lenders = [asyncio.create_task(room.lending.run()) for room in home.rooms.values()]
        async with asyncio.timeout(20):
            await playing
        for task in lenders:
            task.cancel()
        await asyncio.gather(*lenders, *home.tasks, return_exceptions=True)

    asyncio.run(main())
    return home


def test_a_room_without_ears_is_told_what_was_said() -> None:
    async def scene(home: Home) -> None:
        kitchen = home.room(b"kitchen")
        bedroom = home.room(b"bedroom", Scripted("stt", {"text": "lights on"}))
        await asyncio.sleep(0)
        sound = bytes(15 * 32_000)
        assert await kitchen.lending.borrow("stt", "transcribe", sound, deadline_s=9) == (
            "bedroom",
            {"text": "lights on"},
        )
        await kitchen.lending.borrow("stt", "transcribe", sound, deadline_s=9)
        await until(lambda: bedroom.lending._working == 0)
        assert kitchen.noted.entries == [("engine.borrowed", "stt")], "once, not for every sentence"
        assert bedroom.noted.entries == [("engine.lent", "stt")]
        assert max(size for _, _, size in home.posted) <= MAX_REQUEST_BYTES
        assert not kitchen.lending._loans and not bedroom.lending._taken

    play(scene)


def test_a_long_answer_and_a_written_one_come_whole() -> None:
    async def scene(home: Home) -> None:
        spoken = {"audio": bytes(range(256)) * 4_000, "rate_hz": 22_050, "synthesis_ms": 1.0}
        kitchen = home.room(b"kitchen")
        home.room(b"bedroom", Scripted("tts", spoken), Scripted("llm", "It is fine."))
        await asyncio.sleep(0)
        assert (await kitchen.lending.borrow("tts", "synthesize", "Hi.", deadline_s=9))[1] == spoken
        written = await kitchen.lending.borrow("llm", "complete", [{"role": "user", "content": "?"}], 9, deadline_s=9)
        assert written == ("bedroom", "It is fine. ")

    play(scene)


def test_nothing_of_a_closed_room_is_sent_anywhere() -> None:
    async def scene(home: Home) -> None:
        kitchen = home.room(b"kitchen")
        home.room(b"bedroom", Scripted("stt", {}))
        await asyncio.sleep(0)
        kitchen.open = False
        with pytest.raises(NotAllowed):
            await kitchen.lending.borrow("stt", "transcribe", bytes(100), deadline_s=9)
        with pytest.raises(NotAllowed):
            await PeersEngine(kitchen.lending, "stt").start()

    assert play(scene).posted == []


def test_the_next_room_is_asked_and_the_last_ones_reason_is_told() -> None:
    async def scene(home: Home) -> None:
        kitchen = home.room(b"kitchen")
        broken, busy = Scripted("stt", EngineFailed("It broke.")), Scripted("stt", "x")
        home.room(b"bedroom", broken)
        home.room(b"hall", busy)
        await asyncio.sleep(0)
        assert (await kitchen.lending.borrow("stt", "transcribe", b"", deadline_s=9))[0] == "hall"
        busy.lendable = False
        with pytest.raises(EngineFailed, match="could help"):
            await kitchen.lending.borrow("stt", "transcribe", b"", deadline_s=9)
        home.clock.ms += 60_000
        broken.lendable = False
        with pytest.raises(Unreachable, match="No other room"):
            await kitchen.lending.borrow("stt", "transcribe", b"", deadline_s=9)

    play(scene)


def test_a_room_that_goes_away_in_the_middle_is_not_waited_for() -> None:
    async def scene(home: Home) -> None:
        kitchen, slow = home.room(b"kitchen"), Scripted("stt", "x")
        home.room(b"bedroom", slow)
        await asyncio.sleep(0)
        slow.free.clear()
        loan = asyncio.create_task(kitchen.lending.borrow("stt", "transcribe", b"", deadline_s=15))
        await until(lambda: slow.asked == 1)
        del home.rooms[b"bedroom"]
        with pytest.raises(EngineFailed, match="is gone"):
            await loan
        assert not kitchen.lending._loans

    play(scene)


def test_one_that_never_answers_costs_no_more_than_the_deadline() -> None:
    async def scene(home: Home) -> None:
        kitchen, slow = home.room(b"kitchen"), Scripted("stt", "x")
        bedroom = home.room(b"bedroom", slow)
        await asyncio.sleep(0)
        slow.free.clear()
        with pytest.raises(DeadlineExceeded):
            await kitchen.lending.borrow("stt", "transcribe", b"", deadline_s=0.3)
        assert not kitchen.lending._loans
        slow.free.set()
        await until(lambda: bedroom.lending._working == 0)  # its late answer is refused, and harms nothing
        assert bedroom.noted.entries == []

    play(scene)


def test_a_member_cannot_ask_without_end() -> None:
    async def scene(home: Home) -> None:
        kitchen = home.room(b"kitchen")
        engine = Scripted("stt", "x")
        bedroom = home.room(b"bedroom", engine)
        await asyncio.sleep(0)
        answered = 0
        for _ in range(100):
            try:
                await kitchen.lending.borrow("stt", "transcribe", b"", deadline_s=9)
                answered += 1
            except (EngineFailed, Unreachable):
                home.clock.ms += 1  # offers are believed again
            await until(lambda: bedroom.lending._working == 0)
        assert answered == 40 == engine.asked
        home.clock.ms += 5_000
        await kitchen.lending.borrow("stt", "transcribe", b"", deadline_s=9)

    play(scene)


def test_questions_left_half_asked_hold_nothing_for_ever() -> None:
    async def scene(home: Home) -> None:
        kitchen = home.room(b"kitchen")
        bedroom = home.room(b"bedroom", Scripted("stt", "x"))
        await asyncio.sleep(0)

        async def half(job: bytes) -> None:
            first = next(iter(words.pieces(job, bytes(100_000))))
            await kitchen.requests.ask(b"bedroom", ASK, first, within_s=5)

        await half(b"1" * 16)
        await half(b"2" * 16)
        with pytest.raises(Overloaded):
            await half(b"3" * 16)
        home.clock.ms += 11_000
        await half(b"3" * 16)
        assert len(bedroom.lending._taken) == 1

    play(scene)


def test_answers_that_nobody_asked_for_are_refused() -> None:
    async def scene(home: Home) -> None:
        kitchen = home.room(b"kitchen")
        liar = home.room(b"bedroom")
        slow = Scripted("stt", "x")
        home.room(b"hall", slow)
        await asyncio.sleep(0)
        slow.free.clear()
        loan = asyncio.create_task(kitchen.lending.borrow("stt", "transcribe", b"", deadline_s=9))
        await until(lambda: slow.asked == 1)
        job = next(iter(kitchen.lending._loans))
        for body in words.pieces(job, words.write_given("unlock the door")):
            with pytest.raises(NotFound):
                await liar.requests.ask(b"kitchen", GIVE, body, within_s=5)
        with pytest.raises(InvalidInput):
            await liar.requests.ask(b"kitchen", GIVE, b"\xff", within_s=5)
        with pytest.raises(InvalidInput):
            await liar.requests.ask(b"kitchen", ASK, b"\xff", within_s=5)
        assert words.read_offer(await kitchen.requests.ask(b"hall", OFFER, b"", within_s=5)) == {"stt"}
        slow.free.set()
        assert (await loan)[1] == "x"

    play(scene)


def test_ranked_says_whose_engine_helped() -> None:
    async def scene(home: Home) -> None:
        kitchen = home.room(b"kitchen")
        home.room(b"bedroom", Scripted("stt", {"text": "hi"}))
        await asyncio.sleep(0)
        told: list[tuple[str, str]] = []
        own = Scripted("stt", EngineFailed("It broke."))
        ranked = Ranked([own, PeersEngine(kitchen.lending, "stt")], helped=lambda *it: told.append(it))
        assert await ranked.call("transcribe", b"", deadline_s=9) == {"text": "hi"}
        assert told == [("bedroom's stt engine", "It broke.")]

    play(scene)
