"""What a node tells besides what its voice tells: frozen events for the dashboard, the CLI and plugins."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from jarvis.core.events import Event


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Event):
    name: ClassVar[str] = "decision"
    source: str
    """`intent` or `llm`."""
    provider: str
    intent: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TurnCommitted(Event):
    name: ClassVar[str] = "turn.committed"
    session_id: str
    status: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PeerLinked(Event):
    name: ClassVar[str] = "peer.linked"
    node_id: str
    connected: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TimerRang(Event):
    name: ClassVar[str] = "timer.rang"
    timer_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NodeJoined(Event):
    name: ClassVar[str] = "node.joined"
    node_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DocumentsChanged(Event):
    name: ClassVar[str] = "documents.changed"
    documents: tuple[str, ...]
    from_peer: str
    """Node id of the peer the records came from; "" for this node's own."""
