"""From text that is still being written to sound: each sentence is made while the one before it plays.

It loses no text: when the voice or the loudspeaker fails, the reply is still read to its end, for the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from jarvis.core.errors import EngineFailed, JarvisError
from jarvis.core.events import Event
from jarvis.core.time import Clock
from jarvis.voice import events
from jarvis.voice.hearing.listener import Engine
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.speaking.replies import Replies, Sound
from jarvis.voice.speaking.sentences import Sentences, cut
from jarvis.voice.streams import Sink

SENTENCES_AHEAD = 16
"""Text that waits for the voice; about 1,200 characters. When it is full, whoever writes waits."""
SOUNDS_AHEAD = 2
"""Sound that waits for the loudspeaker. Each is made faster than it plays: more would only be thrown away when
somebody interrupts."""
Interrupted = Callable[[str, str], Awaitable[None]]
"""Told the turn and what was heard of it, when somebody interrupts: whole sentences, and the words of the last one."""
Saying = Callable[[str, float], None]
"""Told each sentence and its length in ms, just before it sounds: other rooms must not take it for somebody."""
PREPARING_SHARE = 0.2
"""Of the time that the voice may prepare replies while nothing is to do: a core has other things to do."""
VOICE_FAILED = "Sorry, my voice has just failed."
"""Said with sound that was prepared while the voice still worked."""
_LOUD = 500
"""Of 32,767: what is quieter at a sentence's ends is no word."""
APOLOGY = "Sorry, something went wrong. Please try again."


def unheard(sentence: str, ms: float) -> None:
    """Nobody else hears it."""


@dataclass(slots=True)
class Speech:
    """One reply on its way out."""

    turn: str
    began_ms: float
    heard_ms: float | None
    """When the user stopped speaking; None when nobody did."""
    written: list[str] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    """What was heard: sentences that were played to their end, and the words of one that was cut."""
    audio_ms: float = 0.0
    first_text_ms: float | None = None
    sentences: int = 0
    """How many became sound."""
    first_synthesis_ms: float = 0.0
    """0 when the first sentence was known already."""
    first_audio_ms: float | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def reply(self) -> str:
        return "".join(self.written).strip()


class Speaker:
    def __init__(
        self,
        tts: Engine,
        *,
        emit: Callable[[Event], None],
        clock: Clock,
        settings: VoiceSettings,
        replies: Replies | None = None,
    ) -> None:
        """`replies` are shared by all who speak with the same voice."""
        self._tts, self._emit, self._clock, self._settings = tts, emit, clock, settings
        self._replies = replies if replies is not None else Replies()
        self.saying = ""
        """The sentence being played."""
        self._voice = asyncio.Lock()
        """Held while a reply, an announcement or a ring plays, from its first sound to its last: nobody understands two
        voices at once, and `saying` names one."""

    async def speak(
        self,
        pieces: AsyncIterator[str],
        sink: Sink,
        *,
        turn: str = "",
        heard_ms: float | None = None,
        interrupted: Interrupted | None = None,
        saying: Saying = unheard,
    ) -> Speech:
        """Say the text as it comes. Errors become events and `problems`, never an exception; cancelling it stops
        the sound at once, and then `interrupted` is awaited."""
        speech = Speech(turn, self._clock.mono_ms(), heard_ms)
        sentences: asyncio.Queue[str | None] = asyncio.Queue(SENTENCES_AHEAD)
        sounds: asyncio.Queue[tuple[str, Sound] | None] = asyncio.Queue(SOUNDS_AHEAD)
        finished = False
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(pieces, sentences, speech), name="write")
                group.create_task(self._synthesise(sentences, sounds, speech), name="synthesise")
                group.create_task(self._play(sounds, sink, speech, saying), name="play")
            finished = True
        except asyncio.CancelledError:
            if interrupted is not None:
                await interrupted(turn, " ".join(speech.spoken))
            raise
        except BaseExceptionGroup as failed:
            raise first_of(failed) from None
        finally:
            self._tell_spoken(speech, interrupted=not finished)
        return speech

    async def _write(self, pieces: AsyncIterator[str], out: asyncio.Queue[str | None], speech: Speech) -> None:
        """The answer, cut into sentences."""
        splitter = Sentences()
        try:
            async for piece in pieces:
                if speech.first_text_ms is None:
                    speech.first_text_ms = self._clock.mono_ms()
                    waited_ms = speech.first_text_ms - speech.began_ms
                    self._emit(events.ReplyStarted(at_ms=speech.first_text_ms, turn=speech.turn, waited_ms=waited_ms))
                speech.written.append(piece)
                for sentence in splitter.feed(piece):
                    await out.put(sentence)
        except JarvisError as error:
            self._problem(speech, "answer", error)
            apology = APOLOGY if not speech.written or speech.written[-1][-1:].isspace() else f" {APOLOGY}"
            speech.written.append(apology)
            for sentence in splitter.feed(apology):
                await out.put(sentence)
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()
        for sentence in splitter.flush():
            await out.put(sentence)
        await out.put(None)

    async def _synthesise(
        self,
        sentences: asyncio.Queue[str | None],
        out: asyncio.Queue[tuple[str, Sound] | None],
        speech: Speech,
    ) -> None:
        silent = False
        while (sentence := await sentences.get()) is not None:
            if silent:
                continue  # read on: the text still counts
            try:
                sound = await self._sound_of(sentence, speech)
            except JarvisError as error:
                self._problem(speech, "tts", error)
                silent = True
                apology = self._replies.find(VOICE_FAILED)
                if apology is not None:
                    await out.put((VOICE_FAILED, apology))
                continue
            await out.put((sentence, sound))
        await out.put(None)

    async def _sound_of(self, sentence: str, speech: Speech) -> Sound:
        speech.sentences += 1
        known = self._replies.find(sentence)
        if known is not None:
            return known
        sound, voice, synthesis_ms = await self._made(sentence)
        self._replies.keep(voice, sentence, sound)
        if speech.sentences == 1:
            speech.first_synthesis_ms = synthesis_ms
        return sound

    async def _made(self, sentence: str) -> tuple[Sound, str, float]:
        """The sound, whose voice it is, and the milliseconds it took."""
        import numpy as np

        answer = await self._tts.call("synthesize", sentence, deadline_s=self._settings.tts_deadline_s)
        try:
            samples = np.frombuffer(answer["audio"], "<i2").astype(np.int16)
            sound = Sound(samples, int(answer["rate_hz"]))
            if sound.rate_hz < 1:
                raise ValueError(sound.rate_hz)
            return sound, str(answer.get("voice", "")), float(answer["synthesis_ms"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise EngineFailed("The voice's answer makes no sense.") from None

    async def prepare(self, texts: Iterable[str]) -> int:
        """Make what is often said before anybody waits for it, at leisure; how many sentences are ready. Raises what
        the voice raises."""
        ready = 0
        for sentence in [one for text in texts for one in cut(text)]:
            async with self._voice:  # not while somebody is being spoken to
                began_ms = self._clock.mono_ms()
                known = self._replies.find(sentence)
                sound, voice = (known, self._replies.voice) if known else (await self._made(sentence))[:2]
                if not self._replies.prepare(voice, sentence, sound):
                    return ready
                ready += 1
                took_s = (self._clock.mono_ms() - began_ms) / 1000
            await asyncio.sleep(took_s * (1 / PREPARING_SHARE - 1))
        return ready

    async def _play(
        self, sounds: asyncio.Queue[tuple[str, Sound] | None], sink: Sink, speech: Speech, saying: Saying
    ) -> None:
        sound, silent = await sounds.get(), False
        if sound is None:
            return
        async with self._voice:
            try:
                while sound is not None:
                    if not silent:
                        silent = not await self._heard(*sound, sink, speech, saying)
                    sound = await sounds.get()
            except BaseException:
                sink.stop()
                raise
            finally:
                self.saying = ""

    async def _heard(self, sentence: str, sound: Sound, sink: Sink, speech: Speech, saying: Saying) -> bool:
        """Play one sentence; whether the loudspeaker could. However it ends, what was heard of it is kept."""
        self._tell_first(speech)
        saying(sentence, sound.ms)
        self.saying, words, ms = sentence, "", 0.0
        try:
            await sink.play(sound.samples, sound.rate_hz)
            words, ms = sentence, sound.ms
        except JarvisError as error:
            self._problem(speech, "sink", error)
            words, ms = said_by(sentence, sound, sink.played_ms), sink.played_ms
            return False
        except asyncio.CancelledError:
            words, ms = said_by(sentence, sound, sink.played_ms), sink.played_ms
            raise
        finally:
            if words:
                speech.spoken.append(words)
            speech.audio_ms += ms
        return True

    def _tell_first(self, speech: Speech) -> None:
        if speech.first_audio_ms is not None:
            return
        speech.first_audio_ms = self._clock.mono_ms()
        self._emit(
            events.FirstAudio(
                at_ms=speech.first_audio_ms,
                turn=speech.turn,
                synthesis_ms=speech.first_synthesis_ms,
                after_speech_ms=None if speech.heard_ms is None else speech.first_audio_ms - speech.heard_ms,
            )
        )

    def _tell_spoken(self, speech: Speech, *, interrupted: bool) -> None:
        first_ms = 0.0 if speech.first_audio_ms is None else speech.first_audio_ms - speech.began_ms
        self._emit(
            events.Spoken(
                at_ms=self._clock.mono_ms(),
                turn=speech.turn,
                text=" ".join(speech.spoken),
                audio_ms=speech.audio_ms,
                first_audio_ms=first_ms,
                interrupted=interrupted,
            )
        )

    def _problem(self, speech: Speech, stage: str, error: JarvisError) -> None:
        speech.problems.append(str(error))
        self._emit(events.AudioProblem(at_ms=self._clock.mono_ms(), turn=speech.turn, stage=stage, message=str(error)))


def said_by(sentence: str, sound: Sound, played_ms: float) -> str:
    """The words of the sentence that had been said when `played_ms` of its sound were heard. Words take as long as
    they have letters, between the sound's first and last loud sample: on average right to half a word."""
    import numpy as np

    loud = np.flatnonzero(np.abs(sound.samples.astype(np.int32)) > _LOUD)
    if not len(loud) or played_ms <= 0:
        return ""
    heard = (played_ms * sound.rate_hz / 1000 - loud[0]) / max(loud[-1] - loud[0], 1)
    words = sentence.split()
    letters, said = sum(len(word) + 1 for word in words), 0.0
    for count, word in enumerate(words):
        said += len(word) + 1
        if said / letters > heard:
            return " ".join(words[:count])
    return sentence


async def once(text: str) -> AsyncIterator[str]:
    """A text that is already whole."""
    yield text


def first_of(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error a group of tasks failed by, without the wrapping."""
    first: BaseException = failed
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
