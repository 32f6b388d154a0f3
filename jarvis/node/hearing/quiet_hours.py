"""When a room is not to be disturbed: `audio.quiet_hours`, such as 22:00-07:00, by the clocks on the wall. Timers and
alarms ring all the same, and who is spoken to is answered."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time

KEY = "audio.quiet_hours"
_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class QuietHours:
    begin: time
    end: time
    """The first moment that is not quiet any more."""

    def holds(self, now: time) -> bool:
        if self.begin < self.end:
            return self.begin <= now < self.end
        return now >= self.begin or now < self.end  # over midnight

    @staticmethod
    def parse(text: str) -> QuietHours | None:
        """None for what is no span of a day, such as ""."""
        found = _SPAN.fullmatch(text.strip())
        if found is None:
            return None
        begin_h, begin_m, end_h, end_m = map(int, found.groups())
        hours = QuietHours(time(begin_h, begin_m), time(end_h, end_m))
        return hours if hours.begin != hours.end else None
