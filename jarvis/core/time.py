"""Clocks as arguments. Rooms that need time take one of these, so that tests and simulations can bring their own."""

from __future__ import annotations

import time
from typing import Protocol


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
