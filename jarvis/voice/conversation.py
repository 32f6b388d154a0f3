"""One source of sound, listened to and answered until it ends: the reply plays while the next words are heard, and
gives way to them. Several run at once and share nothing but the engines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jarvis.core.errors import JarvisError
from jarvis.core.events import Event
from jarvis.core.time import Clock
from jarvis.voice import events
from jarvis.voice.arbitration.arbiter import Arbiter, Bid, WakeClaim
from jarvis.voice.devices.played import Played
from jarvis.voice.hearing.capture import Closed, Heard
from jarvis.voice.hearing.ears import WakeSign
from jarvis.voice.hearing.listener import Listener
from jarvis.voice.hearing.senses import Senses
from jarvis.voice.hearing.transcript import shared_words
from jarvis.voice.room import Room
from jarvis.voice.settings import VoiceSettings
from jarvis.voice.speaking.speaker import Interrupted, Speaker, first_of, once
from jarvis.voice.streams import RATE_HZ, Sink

if TYPE_CHECKING:
    from jarvis.voice.wav import Samples

DEAF_ONLY = "Sorry, I could not listen just now. Please say it again."
WAKE_WORD = "jarvis"
ECHO_SHARE = 0.7
"""Words that share so much with what we are saying are our own."""
Chime = Callable[[int], "Samples"]
"""Gives the sound that says "I am listening", at the rate asked for."""


@dataclass(frozen=True, slots=True)
class Company:
    """Who else is concerned."""

    arbiter: Arbiter
    """Of the rooms that hear the same people."""
    whole_intent: Callable[[str], bool]
    answer: Callable[[Heard], AsyncIterator[str]]
    interrupted: Interrupted | None = None
    chime: Chime | None = None


class Conversation(Room):
    def __init__(
        self,
        listener: Listener,
        speaker: Speaker,
        sink: Sink,
        company: Company,
        *,
        emit: Callable[[Event], None],
        clock: Clock,
        settings: VoiceSettings,
        played: Played | None,
        hush: Callable[[], None],
    ) -> None:
        """`hush` ends announcements that play in this room."""
        self._listener, self._speaker, self._sink, self._company = listener, speaker, sink, company
        self._emit, self._clock, self._settings, self._played, self._hush = emit, clock, settings, played, hush
        self._reply: asyncio.Task[None] | None = None
        self._chiming: asyncio.Task[None] | None = None
        self._group = asyncio.TaskGroup()
        self._ducked = False
        self._said = ""  # what we were saying when somebody began to speak
        self._deaf = False

    @property
    def listener(self) -> Listener:
        return self._listener

    @property
    def engaged(self) -> bool:
        return self._answering or self._listener.engaged

    async def run(self, senses: Senses, *, wake: bool) -> None:
        """Raises what the source raises, and what no second try can mend."""
        try:
            async with self._group:
                while not senses.ended:
                    heard = await self._next(senses, wake)
                    if isinstance(heard, Closed):
                        continue
                    self._stop("words")
                    if self._reply is not None:
                        await asyncio.wait({self._reply})
                    self._reply = self._group.create_task(self._answer(heard), name="reply")
        except BaseExceptionGroup as failed:
            raise first_of(failed) from None

    async def _next(self, senses: Senses, wake: bool) -> Heard | Closed | None:
        """None when somebody spoke and could not be heard."""
        while True:
            try:
                heard = await self._listener.listen(senses, self, wake=wake)
            except JarvisError as error:
                if not error.retry or senses.failed:
                    raise
                if self._listener.owing:
                    self._problem("stt", error)
                    return None
                if not self._deaf:  # an outage is told once
                    self._problem("ears", error)
                self._deaf = True
                await senses.skip(self._settings.deaf_ms)
                if senses.ended:
                    return Closed("", "no wake word")
                continue
            self._deaf = False
            return heard

    async def _answer(self, heard: Heard | None) -> None:
        if heard is None:
            await self._speaker.speak(once(DEAF_ONLY), self._sink, saying=self._company.arbiter.saying)
            return
        if heard.bid is not None and not await heard.bid.answers(heard.text):
            self._emit(
                events.ClosedQuietly(at_ms=self._clock.mono_ms(), turn=heard.turn, reason="another room answers")
            )
            return
        speech = await self._speaker.speak(
            self._company.answer(heard),
            self._sink,
            turn=heard.turn,
            heard_ms=heard.ended_ms,
            interrupted=self._company.interrupted,
            saying=self._company.arbiter.saying,
        )
        if speech.reply.endswith("?"):
            self._listener.follow_up()

    # What the listener asks and tells.

    @property
    def playing(self) -> bool:
        return bool(self._speaker.saying)

    def deaf(self) -> bool:
        return WAKE_WORD in self._speaker.saying.lower() or self._company.arbiter.deaf()

    def bid(self, sign: WakeSign) -> Bid | None:
        claim = WakeClaim(sign.score, sign.snr_db, engaged=self.engaged, speaking=self.playing)
        return self._company.arbiter.bid(claim)

    def woken(self, bid: Bid | None) -> None:
        self._stop("wake word")
        if self._chiming is not None:
            self._chiming.cancel()
        if self._company.chime is not None and bid is not None:
            self._chiming = self._group.create_task(self._chime(self._company.chime, bid), name="chime")

    def somebody_speaks(self) -> None:
        self._said = self._speaker.saying
        self._duck(self._settings.duck_db)

    def was_not_for_us(self) -> None:
        self._duck(0.0)

    def spoken_to(self) -> None:
        self._stop("words")

    def for_us(self, text: str) -> bool:
        if shared_words(text, f"{self._said} {self._speaker.saying}") >= ECHO_SHARE:
            return False
        return self._company.whole_intent(text) and not self.echoes(text)

    def echoes(self, text: str) -> bool:
        return self._company.arbiter.echo(text)

    @property
    def _answering(self) -> bool:
        return self._reply is not None and not self._reply.done()

    def _stop(self, by: str) -> None:
        """End what we are saying, and be as loud as before in what we say next."""
        if self._answering or self.playing:
            self._emit(events.Interrupted(at_ms=self._clock.mono_ms(), by=by))
        self._hush()
        if self._reply is not None and self._answering:
            self._reply.cancel()
            self._sink.stop()
        if self._played is not None:
            self._played.clear()
        self._duck(0.0)

    def _duck(self, db: float) -> None:
        if self._ducked == bool(db):
            return
        self._ducked = bool(db)
        self._sink.duck(db)
        self._emit(events.Ducked(at_ms=self._clock.mono_ms(), db=db))

    async def _chime(self, chime: Chime, bid: Bid) -> None:
        sure_ms = self._clock.mono_ms()
        if not await bid.wins():
            return
        now_ms = self._clock.mono_ms()
        self._emit(events.Chimed(at_ms=now_ms, after_wake_ms=now_ms - sure_ms))
        try:
            await self._sink.play(chime(RATE_HZ), RATE_HZ)
        except JarvisError as error:
            self._problem("sink", error)

    def _problem(self, stage: str, error: JarvisError) -> None:
        self._emit(events.AudioProblem(at_ms=self._clock.mono_ms(), stage=stage, message=str(error)))
