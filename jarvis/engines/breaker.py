"""When a failing engine may be tried again: a breaker and the pauses between tries, as a state machine without I/O.

    closed ──(so many failures in a row)──> open ──(its pause is over)──> half-open ──(a success)──> closed
                                             └──────────(a failure, a longer pause)──────┘

It never waits and never looks at a clock of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    failures: int = 3
    """In a row until it opens. Each has cost somebody a turn; a fourth would not tell more."""
    first_s: float = 0.5
    """The pause after the first failure; it doubles with each that follows. Loading a model takes about as long."""
    longest_s: float = 120.0
    """A person who has mended something should not wait longer for the engine to notice."""
    jitter: float = 0.25
    """A pause is shortened by up to this share, so that engines which fell together do not load together."""

    def __post_init__(self) -> None:
        if self.failures < 1 or not 0 < self.first_s <= self.longest_s or not 0 <= self.jitter < 1:
            raise ValueError("these settings make no breaker")


def pause_s(failures: int, settings: BreakerSettings, chance: float) -> float:
    """How long to leave an engine alone after so many failures in a row; `chance` is a random number from 0 to 1."""
    doublings = min(max(failures, 1) - 1, 32)  # the longest pause is reached far before
    return min(settings.first_s * 2.0**doublings, settings.longest_s) * (1 - settings.jitter * chance)


class Breaker:
    """`now_ms` only goes forward; `chance` gives random numbers from 0 to 1."""

    def __init__(
        self, settings: BreakerSettings, now_ms: Callable[[], float], chance: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._settings, self._now_ms, self._chance = settings, now_ms, chance
        self.state: State = "closed"
        self.failures = 0
        """In a row."""
        self.reason = ""
        """Of the last failure; "" after a success."""
        self._until_ms = float("-inf")
        self._trying = False

    def wait_s(self) -> float:
        """Until the engine may be started again by whoever watches over it; 0 for now."""
        return max(0.0, (self._until_ms - self._now_ms()) / 1000)

    def begin(self) -> bool:
        """Whether a call may be made. Each that may ends with one of `succeeded`, `failed`, `abandoned`."""
        self.cool()
        if self.state == "closed":
            return True
        if self.state == "open" or self._trying:
            return False
        self._trying = True
        return True

    def cool(self) -> None:
        """Half open it when its pause is over."""
        if self.state == "open" and not self.wait_s():
            self.state, self._trying = "half-open", False

    def succeeded(self) -> None:
        self.reset()

    def failed(self, reason: str, rest_s: float = 0.0) -> None:
        """`rest_s` opens it at once, for at least so long: the failure itself told that another try is in vain."""
        self.failures += 1
        self.reason, self._trying = reason, False
        wait_s = max(rest_s, pause_s(self.failures, self._settings, self._chance()))
        self._until_ms = self._now_ms() + 1000 * wait_s
        if rest_s or self.state != "closed" or self.failures >= self._settings.failures:
            self.state = "open"

    def abandoned(self) -> None:
        """A call that says nothing about the engine: its caller went away, or it was never reached."""
        self._trying = False

    def reset(self) -> None:
        """Closed, as if nothing had been."""
        self.state, self.failures, self.reason, self._trying = "closed", 0, "", False
        self._until_ms = float("-inf")
