"""Says in the log which plugin keeps the event loop to itself, while it does: nothing on the loop can say so then. One
thread, from the first time that a plugin is called; it only looks and tells."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog

STUCK_S = 10.0
"""At a stretch: what takes so long may never end."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """What a plugin does on the event loop right now, without having given it back."""

    plugin: str
    what: str
    began_s: float


class Watch:
    def __init__(self, stuck_s: float = STUCK_S) -> None:
        self._stuck_s = stuck_s
        self._step: Step | None = None
        self._thread: threading.Thread | None = None

    def begins(self, plugin: str, what: str) -> None:
        self._step = Step(plugin, what, time.monotonic())
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="plugin watch", daemon=True)
            self._thread.start()

    def over(self) -> None:
        self._step = None

    def _look(self) -> None:
        told: Step | None = None
        while True:
            time.sleep(self._stuck_s / 4)
            step = self._step
            if step is not None and step is not told and time.monotonic() - step.began_s >= self._stuck_s:
                told = step
                log.error("a plugin holds the whole node up", plugin=step.plugin, what=step.what)


WATCH = Watch()
"""Of this process, which has one event loop that matters."""
