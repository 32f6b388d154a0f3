"""Clocks as arguments. Rooms that need time take one of these, so that tests and simulations can bring their own."""

from __future__ import annotations

import time
from typing import Protocol

EARLIEST_WALL_MS = 1_767_225_600_000
"""The start of 2026: no device that runs this program lives before it, so an earlier clock was never set."""


class Clock(Protocol):
    def wall_ms(self) -> int:
        """Milliseconds since 1970; may jump, be set back, or start in 1970."""

    def mono_ms(self) -> float:
        """Milliseconds that only go forward; the zero means nothing."""


class SystemClock:
    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def mono_ms(self) -> float:
        return time.monotonic_ns() / 1e6
