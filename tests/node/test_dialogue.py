"""A reply that nobody waits for any more: the model stops, what was said until then is kept, and no turn stays open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.types import Home, Reply, Request
from jarvis.core.events import EventBus
from jarvis.core.time import SystemClock
from jarvis.crdt.dots import Dot
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.hearing.speech import Speech
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.node.talk.dialogue import Dialogue, OngoingTurn
from jarvis.node.talk.sessions import Sessions
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.speaking.speaker import Speaker
from jarvis.voice.streams import QuietSink


def test_leaving_in_mid_reply_stops_the_model_and_keeps_the_rest() -> None:
    async def main() -> None:
        stopped: list[str] = []
        kept: list[tuple[str, list[str]]] = []

        async def model() -> AsyncIterator[str]:
            try:
                for piece in ("One. ", "Two. ", "Three. "):
                    reply.said.append(piece)
                    yield piece
            finally:
                stopped.append("model")

        async def keep(turn: OngoingTurn, status: str) -> str:
            kept.append((status, list(turn.reply.said)))
            return status

        reply = Reply("llm", "scripted", None, {}, pieces=model())
        turn = OngoingTurn("s", Dot(bytes(32), 1, 0), "hello", "kitchen", reply, 0.0, keep)
        pieces = turn.pieces()
        assert await anext(pieces) == "One. "
        await pieces.aclose()
        assert stopped == ["model"]
        assert kept == [("interrupted", ["One. "])]

    asyncio.run(main())


class Thinking:
    """An assistant that never comes to an end, or to a bad one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = asyncio.Event()
        self._error = error

    async def answer(self, request: Request, home: Home) -> Reply:
        self.asked.set()
        if self._error is not None:
            raise self._error
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody waits that long")


class Kitchen:
    """One node's conversations in a store that outlives its processes."""

    def __init__(self) -> None:
        key, owner = SigningKey(os.urandom(SEED_BYTES)), SigningKey(os.urandom(SEED_BYTES))
        self.node_id, self._store, self._clock = key.node_id, MemoryStore(), SystemClock()
        replica = Replica(key, entropy=os.urandom, wall_ms=self._clock.wall_ms)
        chain = Chain.found(owner, owner.public, make_certificate(key), nonce=bytes(16), at_ms=0)
        self._store.transact(lambda tx: replica.found(tx, chain))
        self.journal = Journal(self._store, replica)
        self.sessions = Sessions(self.journal, Audit(self.journal, self._clock), self._clock)

    def dialogue(self, assistant: Any) -> Dialogue:
        async def room() -> str:
            return "kitchen"

        return Dialogue(
            self.journal,
            self.sessions,
            Audit(self.journal, self._clock),
            cast(Assistant, assistant),
            cast(Home, None),
            EventBus(),
            self._clock,
            room=room,
            assistant_name=room,
            closes=lambda: None,
        )

    async def replies(self) -> list[tuple[str, str | None]]:
        rows = await self.sessions.list()
        return [(one.status, one.reply) for row in rows for one in await self.sessions.turns(row["session_id"])]

    async def statuses(self) -> list[str]:
        rows = await self.sessions.list()
        return [turn.status for row in rows for turn in await self.sessions.turns(row["session_id"])]


def play(scene: Callable[[Kitchen], Any]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20):
            await scene(Kitchen())

    asyncio.run(main())


def test_who_hangs_up_while_the_assistant_thinks_leaves_no_open_turn() -> None:
    async def scene(kitchen: Kitchen) -> None:
        thinking = Thinking()
        asking = asyncio.create_task(kitchen.dialogue(thinking).begin("What is the moon?"))
        await thinking.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await kitchen.statuses() == ["interrupted"]

    play(scene)


def test_who_hangs_up_at_any_moment_leaves_no_open_turn() -> None:
    async def scene(kitchen: Kitchen) -> None:
        for steps in range(12):
            asking = asyncio.create_task(kitchen.dialogue(Thinking()).begin(f"What is {steps}?"))
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        await kitchen.journal.drain()
        assert set(await kitchen.statuses()) == {"interrupted"}

    play(scene)


def test_a_fault_in_the_assistant_leaves_no_open_turn() -> None:
    async def scene(kitchen: Kitchen) -> None:
        with pytest.raises(ZeroDivisionError):
            await kitchen.dialogue(Thinking(ZeroDivisionError())).begin("What is one by nothing?")
        assert await kitchen.statuses() == ["failed"]

    play(scene)


def test_turns_that_a_kill_left_open_are_closed_at_the_next_start_and_no_others() -> None:
    async def scene(kitchen: Kitchen) -> None:
        for number in range(3):
            await kitchen.sessions.add_turn(None, f"turn {number}", "kitchen")
        assert await kitchen.statuses() == ["pending"] * 3
        await kitchen.dialogue(Thinking()).close_left(bytes(16))
        assert await kitchen.statuses() == ["pending"] * 3, "another node's turns are its own"
        await kitchen.dialogue(Thinking()).close_left(kitchen.node_id)
        assert await kitchen.statuses() == ["interrupted"] * 3
        assert await kitchen.sessions.pending(kitchen.node_id) == []

    play(scene)


class Says:
    """An assistant with one long answer, ready at once."""

    async def answer(self, request: Request, home: Home) -> Reply:
        reply = Reply("intent", "scripted", None, {}, pieces=cast(AsyncIterator[str], None))

        async def pieces() -> AsyncIterator[str]:
            for piece in ("Here is one. ", "Then there is two. ", "And three."):
                reply.said.append(piece)
                yield piece

        reply.pieces = pieces()
        return reply


def test_a_reply_cut_short_is_kept_as_far_as_it_was_heard() -> None:
    """The pipeline reads ahead of the loudspeaker: the whole reply was kept before the first word sounded."""

    async def scene(kitchen: Kitchen) -> None:
        ready = cast(Any, Ready())
        speech = Speech(
            kitchen.dialogue(Says()), cast(Assistant, None), EventBus(), SystemClock(), ears=ready, stt=ready, tts=ready
        )

        class Pipeline:
            async def prepare(self, texts: Any) -> int:
                return 0

            async def run(self, source: Any, sink: HalfHeard, answer: Any, *, interrupted: Any, **others: Any) -> None:
                speaker = Speaker(Hum(), emit=lambda _: None, clock=SystemClock(), settings=VoiceSettings())
                pieces = answer(SimpleNamespace(text="Count.", turn="a"))
                speaking = asyncio.create_task(speaker.speak(pieces, sink, turn="a", interrupted=interrupted))
                await sink.in_the_second.wait()
                whole = [("answered", "Here is one. Then there is two. And three.")]
                assert await kitchen.replies() == whole
                await interrupted("an older turn", "Nothing.")
                assert await kitchen.replies() == whole
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)

        speech._pipeline = cast(Any, Pipeline())
        await speech.listen(cast(Any, None), HalfHeard())
        assert await kitchen.replies() == [("interrupted", "Here is one. Then there")]

    play(scene)


class Hum:
    """A voice whose every sentence is a second of humming."""

    async def call(self, method: str, *args: Any, deadline_s: float) -> Any:
        return {"audio": bytes((1, 8)) * 16_000, "rate_hz": 16_000, "synthesis_ms": 1.0}


class HalfHeard(QuietSink):
    """Plays one sentence, and of the second as much as 0.65 s, until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.in_the_second = asyncio.Event()
        self._first = True

    async def play(self, samples: Any, rate_hz: int) -> None:
        if self._first:
            self._first, self.played_ms = False, 1_000.0
            return
        self.played_ms = 650.0
        self.in_the_second.set()
        await asyncio.get_running_loop().create_future()


class Ready:
    async def start(self) -> None:
        pass
