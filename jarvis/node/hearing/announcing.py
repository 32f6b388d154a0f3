"""Things to say that nobody asked a question for: `say` in this room, another or all of them, and what other rooms
have said here. One at a time, no more waiting than anybody wants to hear, and not in a room's quiet hours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime
from typing import Any

import structlog

from jarvis.assistant.types import Announced
from jarvis.core.codec import Limits, Value
from jarvis.core.errors import InvalidBytes, InvalidInput, JarvisError, NotFound
from jarvis.node.hearing.quiet_hours import KEY as QUIET_HOURS
from jarvis.node.hearing.quiet_hours import QuietHours
from jarvis.node.hearing.speech import Speech
from jarvis.node.links.topics import Topics
from jarvis.node.membership.members import Members
from jarvis.node.timing.known_time import KnownTime

TOPIC = "say"
"""A room, "" for all of them, and a text; then True where it disturbs quiet hours."""
LIMITS = Limits(size_bytes=9_000, depth=2, items=4)
MAX_CHARS = 2_000
MAX_WAITING = 4
"""A peer could send them without end."""

log = structlog.get_logger()


class Announcing:
    """`connected` gives the peers that have a link, `value` a config value of a node."""

    def __init__(
        self,
        node_id: bytes,
        members: Members,
        topics: Topics,
        speech: Speech,
        *,
        connected: Callable[[], Collection[bytes]],
        value: Callable[[str, bytes], Awaitable[str]],
        time: KnownTime,
    ) -> None:
        self._node_id = node_id
        self._members = members
        self._topics = topics
        self._speech = speech
        self._connected = connected
        self._value = value
        self._time = time
        self._waiting: asyncio.Queue[tuple[str, bool]] = asyncio.Queue(MAX_WAITING)
        topics.serve(TOPIC, self._told, LIMITS)

    async def run(self) -> None:
        """Speak what other rooms send, one after another, until cancelled."""
        while True:
            text, urgent = await self._waiting.get()
            # The teller has asked what it knows of our hours; our own file or environment may say otherwise.
            if urgent or not await self._quiet([self._node_id]):
                await self._speech.announce(text)

    async def say(
        self, text: str, *, room: str | None, everywhere: bool, urgent: bool = False
    ) -> tuple[dict[str, Any], bytes]:
        """Speak here, in another room, or everywhere. The others begin when this node has made the first sound: when it
        cannot, nobody speaks. A room in its quiet hours stays silent unless it is `urgent`, and stands in `quiet`.
        Raises NotFound when no node of that room is connected, InvalidInput for a long text."""
        _check(text)
        nodes = await self._nodes(room, everywhere)
        quiet = set() if urgent else await self._quiet(nodes)
        speaking, silent = self._rooms(one for one in nodes if one not in quiet), self._rooms(quiet)
        said: list[str] = []
        problems: list[str] = []

        def begin() -> None:
            said[:] = speaking
            self._tell(nodes, quiet, room, text, urgent)

        wav, here = b"", self._node_id in nodes and self._node_id not in quiet
        try:
            wav = await self._speech.say(text, aloud=here, begins=begin)
        except JarvisError as error:
            if not said or set(nodes) - quiet == {self._node_id}:
                raise
            problems.append(str(error))
        return {"rooms": said, "quiet": [one for one in silent if one not in speaking], "problems": problems}, wav

    async def announce(self, text: str, room: str | None) -> Announced:
        """In one room, or in all but this one, on the word of somebody here: they have said it aloud themselves. Raises
        like `say`."""
        _check(text)
        nodes = await self._nodes(room, room is None)
        if room is None:
            nodes = [one for one in nodes if one != self._node_id]
        quiet = await self._quiet(nodes)
        self._tell(nodes, quiet, room, text, urgent=False)
        if self._node_id in nodes and self._node_id not in quiet and not self._waiting.full():
            self._waiting.put_nowait((text, False))
        speaking = self._rooms(one for one in nodes if one not in quiet)
        return Announced(speaking, [one for one in self._rooms(quiet) if one not in speaking])

    async def _nodes(self, room: str | None, everywhere: bool) -> list[bytes]:
        """Those within reach that are asked to speak: this one first, then by room."""
        await self._members.refresh()
        reach = [self._node_id, *sorted(self._connected(), key=lambda one: (self._members.room_of(one), one))]
        if everywhere or room is None:
            return reach if everywhere else reach[:1]
        wanted = self._members.in_room(room)
        nodes = [one for one in reach if one in wanted]
        if not nodes:
            raise NotFound(f"No node in {room!r} is connected.", fix="`jarvis node list` shows who is.")
        return nodes

    def _rooms(self, nodes: Iterable[bytes]) -> list[str]:
        return list(dict.fromkeys(map(self._members.room_of, nodes)))

    async def _quiet(self, nodes: Iterable[bytes]) -> set[bytes]:
        """Those that have their quiet hours now. Who does not know the time, disturbs."""
        wall_ms = self._time.wall_ms()
        if wall_ms is None:
            return set()
        now, found = datetime.fromtimestamp(wall_ms / 1000).time(), set()
        for node_id in nodes:
            hours = QuietHours.parse(await self._value(QUIET_HOURS, node_id))
            if hours is not None and hours.holds(now):
                found.add(node_id)
        return found

    def _tell(self, nodes: Iterable[bytes], quiet: set[bytes], room: str | None, text: str, urgent: bool) -> None:
        body = ["" if room is None else room.strip().lower(), text, *([True] if urgent else [])]
        for node_id in nodes:
            if node_id != self._node_id and node_id not in quiet:
                self._topics.tell(node_id, TOPIC, body)

    def _told(self, peer: bytes, value: Value) -> None:
        """Spoken when those before it were; one too many is left out."""
        match value:
            case [str(room), str(text)]:
                urgent = False
            case [str(room), str(text), True]:
                urgent = True
            case _:
                raise InvalidBytes("not a room and a text")
        mine = room in ("", self._members.room_of(self._node_id).lower())
        if mine and len(text) <= MAX_CHARS and not self._waiting.full():
            self._waiting.put_nowait((text, urgent))


def _check(text: str) -> None:
    if len(text) > MAX_CHARS:
        raise InvalidInput(
            f"At most {MAX_CHARS} characters are spoken, these are {len(text)}.", fix="Say it in several parts."
        )
