"""The timers as the API shows them: rows, and lengths of time as people write them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jarvis.assistant.types import TimerInfo
from jarvis.assistant.wording.durations import parse_duration
from jarvis.assistant.wording.moments import next_moment, when_at
from jarvis.assistant.wording.recurring import recurrence
from jarvis.assistant.wording.words import split
from jarvis.core.errors import InvalidInput
from jarvis.node.texts import iso_time
from jarvis.node.timing.known_time import KnownTime
from jarvis.node.timing.timers import Timers

Json = dict[str, Any]


class TimerFace:
    def __init__(self, timers: Timers, time: KnownTime) -> None:
        self._timers = timers
        self._time = time

    async def list(self) -> list[Json]:
        """The next to ring first."""
        return [_row(info) for info in self._timers.infos()]

    async def make(self, length: str | None, at: str | None, name: str) -> Json:
        """One for `length` ("10m", "an hour and a half") or until `at` ("7:30", "tomorrow at noon", "every weekday at
        6:45"). Raises InvalidInput, Overloaded."""
        if (length is None) == (at is None):
            raise InvalidInput("A timer needs either a length or a time of day.", fix="Such as `10m`, or `7:30`.")
        if length is not None:
            return _row(await self._timers.set(_seconds(length), name))
        words = [word.text for word in split(at or "")]
        when = when_at(words, 0)
        if when is None or when[2] != len(words):
            fix = "Such as 7:30, 7 pm, tomorrow at noon, or every weekday at 6:45."
            raise InvalidInput(f"{at!r} is not a time of day.", fix=fix)
        moment, every, _ = when
        now = datetime.fromtimestamp(self._time.known_ms() / 1000).astimezone()
        if every:
            again = recurrence(moment, every, reminds=bool(name))
            return _row(await self._timers.set_alarm(again.after(now), name, again.days))
        return _row(await self._timers.set_alarm(next_moment(moment, now), name))

    async def change(self, timer: str, add: str | None, paused: bool | None) -> Json:
        """Add time (`-5m` takes it away), stop it for a while, let it go on. Raises NotFound, InvalidInput."""
        timer_id = self._timers.find(timer)
        if add is not None:
            sign = -1 if add.strip().startswith("-") else 1
            await self._timers.add(timer_id, sign * _seconds(add.strip().lstrip("+-")))
        if paused is not None:
            await self._timers.pause(timer_id, paused)
        return _row(self._timers.info(timer_id))

    async def cancel(self, timer: str) -> Json:
        """Raises NotFound."""
        timer_id = self._timers.find(timer)
        await self._timers.remove(timer_id)
        return {"timer_id": timer_id, "cancelled": True}

    async def stop(self) -> Json:
        """Whatever rings, in every room within reach."""
        return {"stopped": [info.timer_id for info in await self._timers.stop_ringing()]}


def _seconds(text: str) -> int:
    seconds = parse_duration([word.text for word in split(text)])
    if seconds is None:
        raise InvalidInput(f"{text!r} is not a length of time.", fix="Such as 90s, 10m, 1h30, or an hour and a half.")
    return seconds


def _row(info: TimerInfo) -> Json:
    return {
        "timer_id": info.timer_id,
        "name": info.name,
        "remaining_s": round(info.remaining_s, 1),
        "rings_at": None if info.due_ms is None else iso_time(info.due_ms),
        "node_id": info.node_id,
        "room": info.room,
        "seconds": info.seconds,
        "every": list(info.every),
        "kind": "alarm" if info.alarm else "timer",
        "state": "paused" if info.paused else "ringing" if info.rings else "running",
    }
