"""The public events: what a plugin may be told, under names and with fields that stay, whatever the node's own events
are called. Every event carries `at` (when, ISO 8601) and `turn` (ties together what belongs to one utterance; "" for
none) besides its own fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublicEvent:
    origin: str
    """What the node calls it inside."""
    summary: str
    fields: Mapping[str, str]
    """Each with what it holds."""
    words: bool = False
    """It holds what somebody said. Of a conversation that stays in its room it is not told."""


EVENTS: Mapping[str, PublicEvent] = {
    "wake.heard": PublicEvent("wake", "The wake word was heard.", {"score": "How sure the detector was, 0 to 1."}),
    "utterance.heard": PublicEvent(
        "heard",
        "Something was said or typed, and kept.",
        {"session_id": "The conversation.", "room": "Where.", "text": "What was said."},
        words=True,
    ),
    "reply.decided": PublicEvent(
        "decision",
        "It is known who answers.",
        {"source": "`intent` or `llm`.", "provider": "Such as `intents` or `ollama`.", "intent": "Or null."},
    ),
    "reply.spoken": PublicEvent(
        "spoken",
        "A reply or an announcement was spoken to its end, or interrupted.",
        {"text": "What was heard of it.", "audio_ms": "Its length.", "interrupted": "True or false."},
        words=True,
    ),
    "turn.committed": PublicEvent(
        "turn.committed",
        "A turn is over and durable.",
        {"session_id": "The conversation.", "status": "Such as `answered` or `failed`."},
    ),
    "timer.rang": PublicEvent("timer.rang", "A timer or an alarm rang here, once.", {"timer_id": "Which."}),
    "node.joined": PublicEvent("node.joined", "A node has become a member of the home.", {"node_id": "Which."}),
    "peer.linked": PublicEvent(
        "peer.linked",
        "A link to another node is there, or gone.",
        {"node_id": "Which.", "connected": "True or false."},
    ),
    "documents.changed": PublicEvent(
        "documents.changed",
        "Something that the home holds is another now.",
        {"documents": "Their names.", "from_peer": 'The node it came from; "" for this one.'},
    ),
    "engine.failed": PublicEvent(
        "engine.failed",
        "A model's process ended, hung or answered nonsense.",
        {"engine": "Its name.", "kind": "Such as `stt`.", "reason": "A sentence."},
    ),
    "mute.changed": PublicEvent("mute", "The node was muted, or may hear again.", {"on": "True when it is muted."}),
}

BY_ORIGIN: Mapping[str, str] = {event.origin: name for name, event in EVENTS.items()}
