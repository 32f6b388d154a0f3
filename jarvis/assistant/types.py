"""What goes into the assistant and what comes out: requests, the home it may touch, replies. Plain data and
protocols; this file must never know a concrete node, store or engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Protocol

from jarvis.assistant.language.model import Usage
from jarvis.home_assistant.things import Devices


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One earlier turn of the session, from whichever room it was spoken in."""

    heard: str
    """What the person said, as transcribed or typed."""
    reply: str
    """What was answered; empty when nothing was."""
    room: str
    at_ms: int
    """Wall clock, milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Request:
    text: str
    room: str
    """The room that asks now."""
    assistant_name: str = "Jarvis"
    turns: Sequence[PastTurn] = ()
    """This session's earlier turns, oldest first."""
    rooms: Sequence[str] = ()
    """The home's."""
    private: bool = False
    """What is said stays on this node."""
    always_private: bool = False
    """This room shares nothing, whatever is asked."""
    session: str = ""
    """The conversation's id."""
    guesses: bool = False
    """A small model may answer what asks for a fact, too."""


@dataclass(frozen=True, slots=True)
class TimerInfo:
    timer_id: str
    name: str
    """Empty when the person gave it none."""
    seconds: int
    """The length it was set to."""
    remaining_s: float
    node_id: str = ""
    room: str = ""
    """Where it was set, and rings."""
    alarm: bool = False
    """It was set for a time of day."""
    paused: bool = False
    rings: bool = False
    overdue_s: float = 0.0
    due_ms: int | None = None
    """Milliseconds since 1970; None while it is paused, or when nobody knows the time."""
    every: tuple[str, ...] = ()
    """The days of the week on which it comes again, of `mon` to `sun`."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in one room, whichever conversations it belonged to."""

    turns: Sequence[PastTurn] = ()
    """The last of them, oldest first."""
    count: int = 0
    """How many there were in these hours."""
    hours: int = 24
    """How far back was looked."""
    before: bool = False
    """Something was heard there at some time."""
    shared: bool = True
    """False when what is said there stays there, so that it cannot be known here."""


@dataclass(frozen=True, slots=True)
class Announced:
    rooms: list[str]
    """Where it is spoken."""
    quiet: list[str]
    """Where it is not, because of their quiet hours."""


@dataclass(frozen=True, slots=True)
class RoomInfo:
    name: str
    online: bool
    """This one, or one with which there is a link."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How this node is."""

    version: str
    problems: list[str]
    """A sentence for each part that does not work as it should."""


@dataclass(frozen=True, slots=True)
class Quotation:
    """What a document says, word for word."""

    document: str
    title: str
    place: str
    """Such as "page 3" or "Chapter > Section"; may be empty."""
    text: str
    room: str
    """Of the node that holds the document."""
    here: bool
    """That is this one."""
    chunk: int = 0
    """From 0, in the order of the document."""
    copy: bool = False
    """The room has a copy, and nobody could ask who holds the document."""
    as_of: date | None = None
    """The day on which it was read (UTC), where what its file holds now could not be."""


@dataclass(frozen=True, slots=True)
class Findings:
    documents: int
    """How many the home knows of."""
    quotations: list[Quotation] = field(default_factory=list)
    """Those that fit the question, the best first; none when nothing does."""
    silent: list[str] = field(default_factory=list)
    """Rooms that hold documents and could not be asked."""
    meant: list[str] = field(default_factory=list)
    """Titles of the documents that were asked for by name; empty when all were looked in."""


class Home(Protocol):
    """The part of the home that skills may touch. Every method may raise a JarvisError, which is spoken."""

    @property
    def clock_is_set(self) -> bool:
        """False when the device does not know the time, such as a board without a battery that booted in 1970."""

    def now(self) -> datetime:
        """Local time, with its zone."""

    async def set_timer(self, seconds: int, name: str) -> TimerInfo: ...

    async def list_timers(self) -> list[TimerInfo]: ...

    async def cancel_timer(self, timer_id: str) -> bool:
        """False when it is gone already."""

    async def add_time(self, timer_id: str, seconds: int) -> TimerInfo:
        """Or take it away, when negative."""

    async def pause_timer(self, timer_id: str, paused: bool) -> TimerInfo: ...

    async def set_alarm(self, at: datetime, name: str, every: Sequence[str] = ()) -> TimerInfo:
        """`every`: it comes again on these days of the week, `at` being the first time."""

    async def stop_ringing(self) -> list[TimerInfo]:
        """In every room within reach: what rang."""

    async def announce(self, text: str, room: str | None) -> Announced:
        """Have it spoken in that room, or in all others."""

    async def volume(self) -> int:
        """Of this room, 0 to 100."""

    async def set_volume(self, percent: int) -> None: ...

    async def remember(self, text: str) -> None: ...

    async def look_up(self, question: str, source: str, *, here: bool = False) -> Findings:
        """In the home's documents: in the one that `source` names, if it does; in every room, unless only `here`."""

    async def remembered(self) -> list[str]:
        """Oldest first."""

    async def forget(self, texts: Sequence[str]) -> int:
        """What was remembered in exactly these words: how many there were."""

    async def lists(self) -> dict[str, list[str]]:
        """What is on each list, by its name; those with nothing on them are none."""

    async def on_list(self, name: str) -> list[str]:
        """In the order it was put there."""

    async def add_to_list(self, name: str, items: Sequence[str]) -> None: ...

    async def take_off_list(self, name: str, items: Sequence[str]) -> list[str]:
        """Those that were on it, as they stood there."""

    async def rooms(self) -> list[RoomInfo]:
        """By their names, this one included."""

    async def heard(self, room: str, most: int) -> Heard:
        """What was last said in that room, up to so many."""

    async def condition(self) -> Condition: ...

    @property
    def devices(self) -> Devices:
        """Lights, doors, heaters."""


@dataclass(slots=True)
class Reply:
    """One answer. `pieces` may be iterated once; `provider`, `model` and `ok` are final when it is exhausted, since
    a model that fails before its first word is replaced by the next one."""

    source: Literal["intent", "llm"]
    provider: str
    """`intents` or `guard` for code, a language model's name such as `ollama`, or `none`."""
    intent: str | None
    slots: dict[str, Any]
    pieces: AsyncIterator[str]
    """Sentences, or stretches of one, to be joined as they are."""
    closes: bool = False
    """The person is done: stop playback, ringing and the follow-up window."""
    asks: bool = False
    """The reply asks something back: open a follow-up window."""
    moves_to: str = ""
    """The room in which the conversation goes on."""
    ok: bool = True
    """False when the reply is an apology for something that broke."""
    model: str = ""
    """The language model's own name, such as `llama3.2:1b`."""
    citations: Sequence[dict[str, Any]] = ()
    """What documents the answer was taken from: document_id, title, place, chunk, text, holder."""
    usage: Usage | None = None
    """What the model's answer cost, estimated where it does not say; None when no model wrote anything."""
    said: list[str] = field(default_factory=list)
    """The pieces given out so far."""
