"""What people write in a simulation: something in every kind of document, made as the node's own parts make it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jarvis.core.codec import Value
from jarvis.core.ids import from_text
from jarvis.crdt import accessors
from jarvis.crdt.counter import Counters
from jarvis.crdt.gset import GSet
from jarvis.crdt.lifecycle import Lifecycle
from jarvis.crdt.registry import CONFIG, KNOWLEDGE, MEMORY, METRICS, SESSION_PREFIX, SESSIONS
from jarvis.crdt.session import Session
from jarvis.crdt.text import SharedText, TextState
from jarvis.testing.machine import Machine

AUDIT = "audit/2027-01"
NOTE = "notes/aaaaaaaaaaaaaaaa"
MAX_NOTE_CHARS = 60
"""What lies beyond is deleted, so that people also delete."""


def _burst(machine: Machine, count: int) -> None:
    """Several writes at once: they share a commit."""
    for number in range(count):
        machine.say(CONFIG, lambda state, _, number=number: [state.put("burst", number)])  # type: ignore[misc]


def _reply(machine: Machine, session: int, number: int) -> None:
    def operations(state: Session, _: bytes) -> list[Value]:
        turns = state.in_order()
        text = {"text": str(number)}
        return [state.add_reply(turns[-1].at.dot, text) if turns else state.add_turn(text)]

    machine.say(_session(session), operations)


def _edit(machine: Machine, place: float, text: str) -> None:
    """Writes at a place between the note's beginning and end; a long note loses its second half there."""

    def operations(state: TextState, author: bytes) -> list[Value]:
        copy = SharedText(author, NOTE, state)
        at = int(place * len(copy.text))
        gone = (len(copy.text) - at) // 2 if len(copy.text) > MAX_NOTE_CHARS else 0
        return [copy.replace(at, gone, text).operation]

    machine.say(NOTE, operations)


def _count(machine: Machine, name: int, by: int) -> None:
    def operations(state: Counters, author: bytes) -> list[Value]:
        return [state.count(f"c{name}", by, author)]

    machine.say(METRICS, operations)


def _file(machine: Machine, name: int, size: int) -> None:
    """Metadata of a document; size 0 takes it away."""

    def operations(state: Any, _: bytes) -> list[Value]:
        files = accessors.or_map(state)
        return [files.put(f"d{name}", {"size": size}) if size else files.remove(f"d{name}")]

    machine.say(KNOWLEDGE, operations)


def _session(number: int) -> str:
    return SESSION_PREFIX + chr(ord("a") + number) * 16


def _session_id(number: int) -> bytes:
    return from_text(_session(number).removeprefix(SESSION_PREFIX))


WRITERS: dict[str, Callable[..., None]] = {
    "put": lambda machine, key, value: machine.say(CONFIG, lambda state, _: [state.put(f"k{key}", value)]),
    "unset": lambda machine, key: machine.say(CONFIG, lambda state, _: [state.delete(f"k{key}")]),
    "remember": lambda machine, key, value: machine.say(MEMORY, lambda state, _: [state.put(f"k{key}", value)]),
    "file": _file,
    "count": _count,
    "edit": _edit,
    "log": lambda machine, value: machine.say(AUDIT, lambda _, __: [GSet.add({"value": value})]),
    "turn": lambda machine, session, number: machine.say(
        _session(session), lambda state, _: [state.add_turn({"text": str(number)})]
    ),
    "reply": _reply,
    "add": lambda machine, one: machine.say(SESSIONS, lambda _, __: [Lifecycle.add(_session_id(one))]),
    "delete": lambda machine, one: machine.say(SESSIONS, lambda _, __: [Lifecycle.delete(_session_id(one))]),
    "burst": _burst,
}
"""By the kind of step."""
