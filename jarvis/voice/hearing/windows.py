"""When one may speak without the wake word: after a reply that asks, and while something rings. And when somebody has
begun to. No I/O: all time is the stream's own, in milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Accepts = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Window:
    until_ms: float
    accepts: Accepts | None = None
    """Which words count; None for any."""

    def takes(self, text: str) -> bool:
        return self.accepts is None or self.accepts(text)


class Windows:
    """At most one of each kind: an answer is awaited, or certain words are."""

    def __init__(self) -> None:
        self._follow_up: Window | None = None
        self._attend: Window | None = None

    def follow_up(self, until_ms: float) -> None:
        self._follow_up = Window(until_ms)

    def attend(self, until_ms: float, accepts: Accepts | None) -> None:
        """Replaces an earlier one; a time that is past ends it."""
        self._attend = Window(until_ms, accepts)

    def close(self) -> None:
        """What was asked for has come. What certain words are awaited for, such as a ring, goes on."""
        self._follow_up = None

    def lapsed(self, now_ms: float) -> bool:
        """Whether an answer was awaited in vain; said once."""
        lapsed = self._follow_up is not None and self._follow_up.until_ms <= now_ms
        if lapsed:
            self._follow_up = None
        return lapsed

    def engaged(self, now_ms: float) -> bool:
        return self._follow_up is not None and now_ms < self._follow_up.until_ms

    def at(self, now_ms: float) -> Window | None:
        """The window that is open, the one for any words first."""
        open_ones = (one for one in (self._follow_up, self._attend) if one is not None and now_ms < one.until_ms)
        return next(open_ones, None)


class Onset:
    """Has speech begun? So many loud frames in a row; the caller says how many, and what is loud."""

    KEPT_FRAMES = 8
    """More than anybody asks for."""

    def __init__(self) -> None:
        self._run: deque[float] = deque(maxlen=self.KEPT_FRAMES)

    def heard(self, probabilities: Iterable[float], frames: int, loud: float) -> list[float]:
        """The loud frames that began it, once there are `frames` of them; else []."""
        for probability in probabilities:
            if probability >= loud:
                self._run.append(probability)
            else:
                self._run.clear()
        if len(self._run) < frames:
            return []
        begun = list(self._run)
        self._run.clear()
        return begun

    def forget(self) -> None:
        self._run.clear()


class Evidence:
    """Does somebody speak while we do? A cumulative sum (E. S. Page, 1954): each frame adds its probability of speech
    less `doubt`, and nothing below zero is kept. One loud frame says as much as several faint ones, and a gap between
    two syllables is no new beginning."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._run: deque[float] = deque(maxlen=Onset.KEPT_FRAMES)

    def heard(self, probabilities: Iterable[float], doubt: float, enough: float) -> list[float]:
        """The last frames of what began it, once the sum is `enough`; else []."""
        for probability in probabilities:
            self._sum = max(self._sum + probability - doubt, 0.0)
            if self._sum:
                self._run.append(probability)
            else:
                self._run.clear()
        if self._sum < enough:
            return []
        begun = list(self._run)
        self.forget()
        return begun

    def forget(self) -> None:
        self._sum = 0.0
        self._run.clear()
