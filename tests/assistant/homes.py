"""A home in memory and a language model that says what it is told, for the assistant's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone

from jarvis.assistant.language.model import Availability, Message
from jarvis.assistant.types import Announced, Condition, Findings, Heard, PastTurn, Reply, Request, RoomInfo, TimerInfo
from jarvis.core.errors import JarvisError, Missing
from jarvis.home_assistant.things import DayForecast, Devices, Done, House, Thing


class NoDevices:
    """There is no Home Assistant."""

    async def house(self) -> House:
        raise Missing("No Home Assistant is set up.")

    async def forecast(self, service: Thing) -> list[DayForecast]:
        raise Missing("No Home Assistant is set up.")

    async def act(self, service: str, things: Sequence[Thing], data: Mapping[str, object], done: Done) -> House:
        raise Missing("No Home Assistant is set up.")


@dataclass
class MemoryHome:
    clock_is_set: bool = True
    at: datetime = datetime(2026, 11, 21, 15, 7, tzinfo=timezone(timedelta(hours=1)))
    timers: list[TimerInfo] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    announced: list[tuple[str, str | None]] = field(default_factory=list)
    quiet: list[str] = field(default_factory=list)
    percent: int = 50
    broken: JarvisError | None = None
    kept: dict[str, list[str]] = field(default_factory=dict)
    known_rooms: list[RoomInfo] = field(default_factory=lambda: [RoomInfo("kitchen", True), RoomInfo("hall", False)])
    problems: list[str] = field(default_factory=list)
    findings: Findings = field(default_factory=lambda: Findings(0))
    looked_up: list[tuple[str, str]] = field(default_factory=list)
    devices: Devices = field(default_factory=NoDevices)
    was_heard: Heard = field(default_factory=Heard)

    def now(self) -> datetime:
        return self.at

    async def set_timer(self, seconds: int, name: str) -> TimerInfo:
        if self.broken is not None:
            raise self.broken
        timer = TimerInfo(f"t{len(self.timers) + 1}", name, seconds, float(seconds))
        self.timers.append(timer)
        return timer

    async def heard(self, room: str, most: int) -> Heard:
        return replace(self.was_heard, turns=self.was_heard.turns[-most:])

    async def look_up(self, question: str, source: str, *, here: bool = False) -> Findings:
        self.looked_up.append((question, source))
        return self.findings

    async def list_timers(self) -> list[TimerInfo]:
        return list(self.timers)

    async def cancel_timer(self, timer_id: str) -> bool:
        before = len(self.timers)
        self.timers = [timer for timer in self.timers if timer.timer_id != timer_id]
        return len(self.timers) < before

    async def add_time(self, timer_id: str, seconds: int) -> TimerInfo:
        return self._changed(timer_id, lambda one: replace(one, remaining_s=one.remaining_s + seconds))

    async def pause_timer(self, timer_id: str, paused: bool) -> TimerInfo:
        return self._changed(timer_id, lambda one: replace(one, paused=paused))

    async def set_alarm(self, at: datetime, name: str, every: Sequence[str] = ()) -> TimerInfo:
        seconds = round((at - self.at).total_seconds())
        due_ms = round(at.timestamp() * 1000)
        timer = TimerInfo(
            f"t{len(self.timers) + 1}", name, seconds, seconds, alarm=True, due_ms=due_ms, every=tuple(every)
        )
        self.timers.append(timer)
        return timer

    async def stop_ringing(self) -> list[TimerInfo]:
        rang = [one for one in self.timers if one.rings]
        self.timers = [one for one in self.timers if not one.rings]
        return rang

    def _changed(self, timer_id: str, change: Callable[[TimerInfo], TimerInfo]) -> TimerInfo:
        self.timers = [change(one) if one.timer_id == timer_id else one for one in self.timers]
        return next(one for one in self.timers if one.timer_id == timer_id)

    async def announce(self, text: str, room: str | None) -> Announced:
        if self.broken is not None:
            raise self.broken
        self.announced.append((text, room))
        wanted = [room] if room else [one for one in ("bedroom", "hall") if one not in self.quiet]
        return Announced([one for one in wanted if one not in self.quiet], [*self.quiet] if not room else [])

    async def volume(self) -> int:
        return self.percent

    async def set_volume(self, percent: int) -> None:
        self.percent = percent

    async def remember(self, text: str) -> None:
        self.notes.append(text)

    async def remembered(self) -> list[str]:
        return list(self.notes)

    async def forget(self, texts: Sequence[str]) -> int:
        before = len(self.notes)
        self.notes = [one for one in self.notes if one not in texts]
        return before - len(self.notes)

    async def lists(self) -> dict[str, list[str]]:
        return {name: list(items) for name, items in self.kept.items() if items}

    async def on_list(self, name: str) -> list[str]:
        return list(self.kept.get(name, []))

    async def add_to_list(self, name: str, items: Sequence[str]) -> None:
        self.kept.setdefault(name, []).extend(items)

    async def take_off_list(self, name: str, items: Sequence[str]) -> list[str]:
        gone = [one for one in self.kept.get(name, []) if one in items]
        self.kept[name] = [one for one in self.kept.get(name, []) if one not in items]
        return gone

    async def rooms(self) -> list[RoomInfo]:
        return self.known_rooms

    async def condition(self) -> Condition:
        return Condition("1.2.3", self.problems)


@dataclass
class ScriptedModel:
    """Yields `pieces`, then raises `fails` if there is one."""

    pieces: Sequence[str] = ("It is a scripted answer.",)
    fails: JarvisError | None = None
    name: str = "scripted"
    trusted: bool = False
    there: bool = True
    context_tokens: int = 1024
    max_tokens: int = 64
    asked: list[list[Message]] = field(default_factory=list)
    closed: int = 0

    async def available(self) -> Availability:
        return Availability(self.there, "" if self.there else "It is not there.", "script-1")

    async def complete(self, messages: Sequence[Message], *, max_tokens: int, deadline_s: float) -> AsyncIterator[str]:
        self.asked.append(list(messages))
        try:
            for piece in self.pieces:
                yield piece
            if self.fails is not None:
                raise self.fails
        finally:
            self.closed += 1


def request(text: str, *turns: PastTurn, room: str = "kitchen", name: str = "Jarvis") -> Request:
    return Request(text, room, name, turns)


def turn(heard: str, reply: str = "Yes.", room: str = "kitchen") -> PastTurn:
    return PastTurn(heard, reply, room, 1_790_000_000_000)


async def whole(reply: Reply) -> str:
    """All of a reply at once."""
    return "".join([piece async for piece in reply.pieces]).strip()
