"""This node's ears and voice: the voice pipeline with its three workers, made when they are first needed. It joins
sound to the dialogue; without the voice extra or its models the node answers by text and says here what is missing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.common import common_replies
from jarvis.assistant.directions import asks_privacy
from jarvis.core.codec import Value
from jarvis.core.errors import JarvisError, Missing, install_extra
from jarvis.core.events import Event, EventBus
from jarvis.core.time import Clock
from jarvis.engines.ranked import HELP
from jarvis.node.hearing.voice_client import OWN, ROOM, Hello, VoiceClient
from jarvis.node.talk.dialogue import Dialogue, OngoingTurn
from jarvis.node.talk.partials import Partials
from jarvis.node.talk.privacy import Privacy

if TYPE_CHECKING:
    from jarvis.voice.arbitration.arbiter import Arbiter
    from jarvis.voice.hearing.ears import Ears
    from jarvis.voice.pipeline import Utterance, VoicePipeline
    from jarvis.voice.speaking.replies import Replies
    from jarvis.voice.streams import Reference, Sink, Source
    from jarvis.voice.wav import Samples

RING_CHIMES, RING_HZ = 3, 16_000
MAX_AT_ONCE = 4
"""Files heard at once; each waits its turn for the one hearing engine."""

BEGINS, ENDS = frozenset({"wake", "speech", "partial", "stt"}), frozenset({"spoken", "closed"})
"""Events after which somebody speaks in this room, and those after which nobody does."""

log = structlog.get_logger()


class VoiceEngine(Protocol):
    """What is used of `engines.Engine` and `engines.Ranked`."""

    async def start(self) -> None: ...
    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...


class Speech:
    """`ears`, `stt` and `tts` serve what VoicePipeline wants of them; whoever made them closes them."""

    def __init__(
        self,
        dialogue: Dialogue,
        assistant: Assistant,
        events: EventBus,
        clock: Clock,
        *,
        ears: VoiceEngine,
        stt: VoiceEngine,
        tts: VoiceEngine,
        partials: Partials | None = None,
        privacy: Privacy | None = None,
        arbiter: Callable[[], Arbiter | None] = lambda: None,
        rouse: Callable[[], None] = lambda: None,
    ) -> None:
        """`arbiter` decides between the rooms that hear the same; it is asked for when the room begins to listen.
        `rouse` is called when somebody begins to speak: what an answer needs may be loaded meanwhile."""
        self._dialogue = dialogue
        self._assistant = assistant
        self._events = events
        self._clock = clock
        self.ears, self.stt, self.tts = ears, stt, tts
        self.speaker: Sink | None = None
        """Where announcements and rings are heard; None on a node without sound."""
        self._partials, self._privacy, self._arbiter, self._rouse = partials, privacy, arbiter, rouse
        self._pipeline: VoicePipeline | None = None
        self._ears: Ears | None = None
        self._replies: Replies | None = None
        self._places = asyncio.Semaphore(MAX_AT_ONCE)

    def pipeline(self) -> VoicePipeline:
        """The room's. Raises Missing when the voice extra is not installed."""
        if self._pipeline is None:
            self._pipeline = self._new_pipeline(self._emit)
        return self._pipeline

    def _new_pipeline(self, emit: Callable[[Event], None]) -> VoicePipeline:
        try:
            from jarvis.voice.hearing.ears import Ears
            from jarvis.voice.pipeline import VoicePipeline
            from jarvis.voice.speaking.replies import Replies
        except ImportError as error:
            raise Missing(
                f"This node cannot hear or speak: {error.name} is not installed.",
                fix=install_extra("voice"),
            ) from None
        self._ears, self._replies = self._ears or Ears(self.ears), self._replies or Replies()

        def told(event: Event) -> None:
            if event.name in ("wake", "speech"):
                self._rouse()
            emit(event)

        return VoicePipeline(
            self._ears,
            self.stt,
            self.tts,
            emit=told,
            clock=self._clock,
            whole_intent=self._assistant.whole_intent,
            missing_slot=self._assistant.missing_slot,
            likeliest=self._assistant.likeliest,
            hint=self._assistant.hint,
            replies=self._replies,
        )

    async def prepare(self, texts: Iterable[str]) -> None:
        """Make these sound while the voice works, at leisure: for when it has failed. Raises what the voice raises."""
        await self.pipeline().prepare(texts)

    def _emit(self, event: Event) -> None:
        """What the room hears and says, for this node's listeners and, where that may be, for the other rooms."""
        self._events.publish(event)
        partials, privacy = self._partials, self._privacy
        if partials is None or privacy is None or not event.turn:
            return
        if event.name in ENDS:
            partials.over(event.turn)
        elif event.name in BEGINS and not privacy.closed():
            text = str(getattr(event, "text", ""))
            if not asks_privacy(text):
                partials.hearing(event.turn, privacy.room, text)

    async def client(self, hello: Hello) -> VoiceClient:
        """One more source of sound, with an ear and a voice of its own. Close it by cancelling its `run`. Raises
        Missing, EngineFailed, NotFound for a session that is not there, Overloaded."""
        await self._dialogue.check(hello.session if hello.session not in (OWN, ROOM) else None)
        await self.warm()
        partials, privacy = self._partials, self._privacy
        return VoiceClient(
            hello,
            self._new_pipeline,
            self._dialogue,
            self._clock,
            over=partials.over if partials else lambda turn: None,
            keep=privacy.keep if privacy else contextlib.nullcontext,
        )

    async def hear(self, audio: bytes, *, wake: bool, realtime: bool) -> tuple[dict[str, Any], bytes]:
        """One utterance from a WAV or FLAC file's bytes, answered. The turn, and the reply as WAV bytes."""
        pipeline = self._new_pipeline(self._emit)  # with a voice of its own: nobody here hears it
        from jarvis.voice import wav
        from jarvis.voice.streams import NullSink, WavSource

        samples = await asyncio.to_thread(wav.read_bytes, audio)
        helped: list[str] = []
        HELP.set(helped)
        async with self._places:
            await self.warm()
            turns: dict[str, OngoingTurn] = {}
            heard = await pipeline.hear(
                WavSource(samples, realtime=realtime), NullSink(), self._answer(turns), wake=wake
            )
        turn = turns.get(heard.turn)
        result = {
            "wake": heard.wake,
            "claimed": turn is not None,
            "heard": heard.heard,
            "session_id": turn.session_id if turn else None,
            "turn_id": turn.turn_id if turn else None,
            "reply": heard.reply,
            "reason": heard.reason,
            "problems": [*helped, *heard.problems],
            "timings_ms": heard.timings_ms,
        }
        return result, wav.to_bytes(heard.samples, heard.rate_hz) if len(heard.samples) else b""

    async def say(
        self,
        text: str,
        *,
        aloud: bool = True,
        begins: Callable[[], None] = lambda: None,
        interruptible: bool = False,
    ) -> bytes:
        """Speak a text here, or only make it; returns it as WAV bytes, b"" when nothing of it can be said. `begins` is
        called once the first sound is made. Whoever speaks to us ends it when it is `interruptible`."""
        pipeline = self.pipeline()
        from jarvis.voice import wav
        from jarvis.voice.streams import NullSink, WavSink

        loudspeaker = self.speaker if aloud else None
        arbiter = self._arbiter() if loudspeaker is not None else None
        sink = WavSink(loudspeaker or NullSink())
        cue = _Cue(sink, begins)
        if arbiter is not None:
            await pipeline.speak(text, cue, saying=arbiter.saying, interruptible=interruptible)
        else:
            await pipeline.speak(text, cue, interruptible=interruptible)
        return wav.to_bytes(sink.samples, sink.rate_hz) if sink.rate_hz else b""

    async def announce(self, text: str) -> None:
        """Speak where somebody may listen; on a node without a loudspeaker, nothing."""
        if self.speaker is not None:
            await self._announced(text)

    async def ring(self, text: str) -> None:
        """Like `announce`, and where the voice fails a sound says at least that something rings."""
        if self.speaker is None or await self._announced(text):
            return
        from jarvis.voice.speaking.chime import chime

        try:
            for _ in range(RING_CHIMES):
                await self.speaker.play(chime("done", RING_HZ), RING_HZ)
        except JarvisError as error:
            log.warning("a timer rings and nobody can hear it", reason=str(error))

    async def _announced(self, text: str) -> bool:
        try:
            await self.say(text, interruptible=True)
        except JarvisError as error:
            log.warning("nothing could be said", reason=str(error))
            return False
        return True

    def attend(self, ms: float, accepts: Callable[[str], bool]) -> None:
        """For so long, words that `accepts` takes need no wake word."""
        if self._pipeline is not None:
            self._pipeline.attend(ms, accepts)

    def speak_through(self, sink: Sink) -> None:
        """Announcements and rings are heard there from now on."""
        self.speaker = sink

    async def listen(self, source: Source, sink: Sink) -> None:
        """Answer whatever is heard, until the source ends."""
        self.speaker = sink
        await self.warm()
        from jarvis.voice.speaking.chime import chime

        turns: dict[str, OngoingTurn] = {}

        async def interrupted(turn: str, spoken: str) -> None:
            if turn in turns:
                await turns[turn].cut_short(spoken)

        preparing = asyncio.create_task(self._prepare(), name="replies")
        try:
            await self.pipeline().run(
                source,
                sink,
                self._answer(turns, aloud=True),
                arbiter=self._arbiter(),
                interrupted=interrupted,
                chime=lambda rate_hz: chime("listening", rate_hz),
            )
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)

    async def _prepare(self) -> None:
        """Make what is said most, while nothing else is to do."""
        try:
            ready = await self.pipeline().prepare(common_replies())
            log.debug("replies prepared", sentences=ready)
        except JarvisError as error:
            log.warning("no replies were prepared", reason=str(error))

    async def warm(self) -> None:
        """Load all models before they are needed, side by side. One that is down may be well, or another's in its
        place, when it is asked; raises Missing for one that is not installed."""
        engines = (self.ears, self.stt, self.tts)
        for problem in await asyncio.gather(*(engine.start() for engine in engines), return_exceptions=True):
            if isinstance(problem, BaseException) and not (isinstance(problem, JarvisError) and problem.retry):
                raise problem

    def _answer(
        self, turns: dict[str, OngoingTurn], *, aloud: bool = False
    ) -> Callable[[Utterance], AsyncIterator[str]]:
        """The pipeline's question to the dialogue; the turn that was begun last is left in `turns`, by the utterance's
        name for it."""

        async def answer(utterance: Utterance) -> AsyncIterator[str]:
            turns.clear()
            turn = turns[utterance.turn] = await self._dialogue.begin(
                utterance.text, event_turn=utterance.turn, aloud=aloud
            )
            async with contextlib.aclosing(turn.pieces()) as pieces:
                async for piece in pieces:
                    yield piece

        return answer


class _Cue:
    """A sink that gives a cue before its first sound."""

    def __init__(self, sink: Sink, begins: Callable[[], None]) -> None:
        self._sink = sink
        self._begins: Callable[[], None] | None = begins
        self.reference: Reference | None = None

    @property
    def played_ms(self) -> float:
        return self._sink.played_ms

    def duck(self, db: float) -> None:
        self._sink.duck(db)

    async def play(self, samples: Samples, rate_hz: int) -> None:
        begins, self._begins = self._begins, None
        if begins is not None:
            begins()
        await self._sink.play(samples, rate_hz)

    def stop(self) -> None:
        self._sink.stop()
