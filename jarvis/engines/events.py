"""What happens to engines, told on the node's event bus. Nothing here holds a word of what was said or written."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jarvis.core.events import Event


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineDown(Event):
    """It ended, hung or answered nonsense. It may have been started again and the call repeated already."""

    name: ClassVar[str] = "engine.failed"
    engine: str
    kind: str
    reason: str
    breaker: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineReady(Event):
    """Its model is loaded, for the first time or again."""

    name: ClassVar[str] = "engine.ready"
    engine: str
    kind: str
    restarts: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineReleased(Event):
    """Nobody used it for a while, so its memory was given back. The next call loads it again."""

    name: ClassVar[str] = "engine.released"
    engine: str
    kind: str
    freed_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineHelped(Event):
    """Another engine answered in place of the first one of its kind."""

    name: ClassVar[str] = "engine.helped"
    kind: str
    by: str
    """Its name; for a peer's, `ROOM's KIND`."""
    reason: str
    """Why the first one did not."""
