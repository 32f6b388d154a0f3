"""One client that brings its own microphone and loudspeaker: its sound in, its turns, events and replies out. It shares
engines with the room and with other clients, and nothing else: it has its own listener, session and follow-up window,
and what it is told is of its own turns only. Everything that waits for it is bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jarvis.core.errors import DeadlineExceeded, InvalidInput, NotFound, Overloaded
from jarvis.core.events import Event
from jarvis.core.time import Clock
from jarvis.node.talk.dialogue import Dialogue, OngoingTurn
from jarvis.node.talk.sessions import FOLLOW_MS

if TYPE_CHECKING:
    from jarvis.voice.pipeline import Utterance, VoicePipeline
    from jarvis.voice.streams import Reference
    from jarvis.voice.wav import Samples

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 96_000
SAMPLE_BYTES = 2
WAITING_S = 10.0
"""Of sound that waits to be heard, while the engines are busy with others."""
FEED_S = 30.0
"""Sound that found no place for so long is more than this machine can hear."""
IDLE_S = 60.0
"""Without any sound: a microphone sends silence too."""
MAX_MESSAGES = 256
"""That wait for the client: a turn has some thirty, and its sound waits apart."""
CHUNK_MS = 100
AHEAD_MS = 400
"""Sound is sent so long before it is heard, so that a stutter of the network is not."""
SEND_S = 10.0
Message = dict[str, Any] | bytes
OWN, ROOM = "own", "room"
"""Sessions that are no id: one of the client's own, or whichever its room goes on with."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client says of itself."""

    rate_hz: int
    """Of the sound it sends: int16, mono."""
    session: str = OWN
    """`own`, `room`, or a session's id."""
    wake: bool = True
    """Whether its user says the wake word first."""
    room: str = ""
    """Where it stands; this node's room when it does not say."""
    realtime: bool = True
    """Sound comes at the pace it is made, and replies are heard at it. Otherwise as fast as either side can."""
    private: bool = False
    """Its session never leaves this node."""

    def __post_init__(self) -> None:
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            raise InvalidInput(f"A rate is from {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz.", fix="Resample the sound.")


class VoiceClient:
    """`pipeline` makes one that tells the given function its events."""

    def __init__(
        self,
        hello: Hello,
        pipeline: Callable[[Callable[[Event], None]], VoicePipeline],
        dialogue: Dialogue,
        clock: Clock,
        over: Callable[[str], None] = lambda turn: None,
        keep: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    ) -> None:
        """`over` is told of a turn that has been spoken to its end; `keep` is held as long as what is said here must
        not leave the node."""
        self.hello = hello
        self._dialogue = dialogue
        self._clock = clock
        self._over = over
        self._keep = keep
        self._kept = contextlib.ExitStack()
        self._keeps = False
        self._out: asyncio.Queue[Message | None] = asyncio.Queue(MAX_MESSAGES)
        self._too_slow = asyncio.Event()
        self._source = _Sound(hello)
        self._sink = _Loudspeaker(self._out, hello.realtime)
        self._session = hello.session if hello.session not in (OWN, ROOM) else None
        self._last_ms = clock.mono_ms()
        self._turn: tuple[str, OngoingTurn] | None = None
        self._pipeline = pipeline(self._emit)

    async def feed(self, pcm: bytes) -> None:
        """The next sound. Waits while too much waits to be heard. Raises InvalidInput, Overloaded."""
        await self._source.feed(pcm)

    async def end(self) -> None:
        """No more sound: what is being said ends here, and `run` when it was answered."""
        await self._source.end()

    async def messages(self) -> AsyncIterator[Message]:
        """What to send to the client, until `run` has ended: events, and sound as int16 mono after an `audio` event
        that says its rate."""
        while (message := await self._out.get()) is not None:
            yield message

    async def run(self) -> None:
        """Hear and answer until the sound ends. Raises Overloaded for a client that does not take what it is told,
        DeadlineExceeded for one that sends nothing, and what hearing raises."""
        self._be_private(self.hello.private)
        hearing = asyncio.create_task(
            self._pipeline.run(
                self._source,
                self._sink,
                self._answer,
                interrupted=self._interrupted,
                wake=self.hello.wake,
                own_voice=True,
            ),
            name="client",
        )
        slow = asyncio.create_task(self._too_slow.wait(), name="slow client")
        try:
            await asyncio.wait({hearing, slow}, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                raise Overloaded("You do not read what you are told.", fix="Read messages as they come.")
            await hearing
            async with asyncio.timeout(SEND_S):
                await self._out.put(None)
        except TimeoutError:
            raise Overloaded("You do not read what you are told.", fix="Read messages as they come.") from None
        finally:
            for task in (hearing, slow):
                task.cancel()
            await asyncio.gather(hearing, slow, return_exceptions=True)
            self._kept.close()

    def _be_private(self, private: bool) -> None:
        if private != self._keeps:
            self._keeps = private
            self._kept.enter_context(self._keep()) if private else self._kept.close()

    def _tell(self, message: dict[str, Any]) -> None:
        try:
            self._out.put_nowait(message)
        except asyncio.QueueFull:
            self._too_slow.set()

    def _emit(self, event: Event) -> None:
        self._tell(event.as_dict())
        if event.name in ("spoken", "closed"):
            self._over(event.turn)

    async def _answer(self, utterance: Utterance) -> AsyncIterator[str]:
        turn = await self._begin(utterance)
        self._turn, self._last_ms = (utterance.turn, turn), self._clock.mono_ms()
        self._be_private(turn.private)
        if self.hello.session != ROOM:
            self._session = turn.session_id
        names = {"turn": utterance.turn, "session_id": turn.session_id, "turn_id": turn.turn_id}
        self._tell({"event": "turn", **names, "text": turn.text, "private": turn.private})
        try:
            async with contextlib.aclosing(turn.pieces()) as pieces:
                async for piece in pieces:
                    self._tell({"event": "reply.text", "turn": utterance.turn, "text": piece})
                    yield piece
        finally:
            reply = {"reply": "".join(turn.reply.said).strip(), "source": turn.reply.source}
            self._tell({"event": "turn.done", **names, "status": turn.status, **reply, "timings_ms": turn.timings_ms})

    async def _begin(self, utterance: Utterance) -> OngoingTurn:
        own = self.hello.session == OWN
        if own and self._clock.mono_ms() - self._last_ms >= FOLLOW_MS:
            self._session = None
        session = self._session if self._session or not own else "new"
        more = {
            "event_turn": utterance.turn,
            "room": self.hello.room or None,
            "apart": own,
            "private": self.hello.private,
            "aloud": self.hello.realtime,
        }
        try:
            return await self._dialogue.begin(utterance.text, session=session, **more)  # type: ignore[arg-type]
        except NotFound:
            if not own:
                raise
            return await self._dialogue.begin(utterance.text, session="new", **more)  # type: ignore[arg-type]

    async def _interrupted(self, turn: str, spoken: str) -> None:
        if self._turn is not None and self._turn[0] == turn:
            await self._turn[1].cut_short(spoken)


class _Sound:
    """A source that somebody feeds."""

    def __init__(self, hello: Hello) -> None:
        self.realtime = hello.realtime
        self._rate_hz = hello.rate_hz
        self._bound_bytes = int(WAITING_S * hello.rate_hz) * SAMPLE_BYTES
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._ended = False
        self._changed = asyncio.Condition()

    async def feed(self, pcm: bytes) -> None:
        if len(pcm) % SAMPLE_BYTES:
            raise InvalidInput("A sample is two bytes.", fix="Send int16, mono, little-endian.")
        try:
            async with asyncio.timeout(FEED_S), self._changed:
                await self._changed.wait_for(lambda: not self._waiting or self._fits(pcm))
                self._waiting.append(pcm)
                self._waiting_bytes += len(pcm)
                self._changed.notify_all()
        except TimeoutError:
            raise Overloaded("There is more sound than can be heard here.", fix="Try again later.") from None

    async def end(self) -> None:
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def blocks(self) -> AsyncIterator[Samples]:
        import numpy as np

        convert = _converter(self._rate_hz)
        while (pcm := await self._next()) is not None:
            samples = convert(np.frombuffer(pcm, "<i2").astype(np.int16), False)
            if len(samples):
                yield samples
        rest = convert(np.zeros(0, np.int16), True)
        if len(rest):
            yield rest

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout(IDLE_S), self._changed:
                await self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    return None
                pcm = self._waiting.pop(0)
                self._waiting_bytes -= len(pcm)
                self._changed.notify_all()
                return pcm
        except TimeoutError:
            raise DeadlineExceeded(f"No sound came for {IDLE_S:g} s.", fix="Send silence too.") from None

    def _fits(self, pcm: bytes) -> bool:
        return self._waiting_bytes + len(pcm) <= self._bound_bytes


def _converter(rate_hz: int) -> Callable[[Samples, bool], Samples]:
    """To 16 kHz, piece after piece."""
    from jarvis.voice import wav

    if rate_hz == wav.RATE_HZ:
        return lambda samples, last: samples
    stream = wav.resampler(rate_hz, wav.RATE_HZ, "int16")
    return lambda samples, last: stream.resample_chunk(samples, last=last)


class _Loudspeaker:
    """A sink that sends what is to be played, a little ahead of when it is heard."""

    def __init__(self, out: asyncio.Queue[Message | None], realtime: bool) -> None:
        self.reference: Reference | None = None
        self.played_ms = 0.0
        self._out = out
        self._realtime = realtime
        self._sounds = False

    async def play(self, samples: Samples, rate_hz: int) -> None:
        loop, self.played_ms, self._sounds = asyncio.get_running_loop(), 0.0, True
        began, whole_ms = loop.time(), len(samples) * 1000 / rate_hz
        await self._send({"event": "audio", "rate_hz": rate_hz, "audio_ms": round(whole_ms, 1)})
        step = rate_hz * CHUNK_MS // 1000
        try:
            for start in range(0, len(samples), step):
                ahead_s = (start * 1000 / rate_hz - AHEAD_MS) / 1000 - (loop.time() - began)
                if self._realtime and ahead_s > 0:
                    await asyncio.sleep(ahead_s)
                await self._send(samples[start : start + step].astype("<i2").tobytes())
            if self._realtime:
                await asyncio.sleep(max(whole_ms / 1000 - (loop.time() - began), 0.0))
        finally:
            passed_ms = (loop.time() - began) * 1000
            self.played_ms = min(passed_ms, whole_ms) if self._realtime else whole_ms

    def stop(self) -> None:
        """The client has some of it already: let it be silent."""
        if not self._sounds:
            return
        self._sounds = False
        with contextlib.suppress(asyncio.QueueFull):
            self._out.put_nowait({"event": "stop"})

    def duck(self, db: float) -> None:
        """An event tells it already."""

    async def _send(self, message: Message) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await self._out.put(message)
        except TimeoutError:
            raise Overloaded("The reply is not taken.", fix="Read messages as they come.") from None
