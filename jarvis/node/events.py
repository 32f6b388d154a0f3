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
class HeardText(Event):
    """An utterance, spoken or typed, that was kept."""

    name: ClassVar[str] = "heard"
    session_id: str
    room: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReplyText(Event):
    """The next piece of a reply as it is written."""

    name: ClassVar[str] = "reply.text"
    session_id: str
    room: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemotePartial(Event):
    """What another room understands so far of what is said there; `turn` is that room's."""

    name: ClassVar[str] = "remote.partial"
    node_id: str
    room: str
    text: str
    final: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemoteReply(Event):
    """The next stretch of a reply that another room gives."""

    name: ClassVar[str] = "remote.reply"
    node_id: str
    room: str
    start: int
    """Where it stands in the reply, in characters: something between was left out when that is not where the last
    one ended."""
    text: str
    over: bool
    """Nobody speaks there any more."""


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
class MuteChanged(Event):
    name: ClassVar[str] = "mute"
    on: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MicrophoneChanged(Event):
    """What became of the node's microphone."""

    name: ClassVar[str] = "microphone"
    state: str
    """`open`, `muted`, `failed`, or `ended` when a file was heard to its end."""
    reason: str
    """A sentence for a person, when it failed."""


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
