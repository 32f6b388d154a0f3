"""Things to say that nobody asked a question for: `say` in this room, another or all of them, and what other rooms
have said here. One at a time, and no more waiting than anybody wants to hear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from jarvis.core.codec import Limits, Value
from jarvis.core.errors import InvalidBytes, InvalidInput, JarvisError, NotFound
from jarvis.node.members import Members
from jarvis.node.speech import Speech
from jarvis.node.topics import Topics

TOPIC = "say"
LIMITS = Limits(size_bytes=9_000, depth=2, items=4)
MAX_CHARS = 2_000
MAX_WAITING = 4
"""A peer could send them without end."""


class Announcing:
    """`connected` gives the peers that have a link."""

    def __init__(
        self,
        node_id: bytes,
        members: Members,
        topics: Topics,
        speech: Speech,
        *,
        connected: Callable[[], Collection[bytes]],
    ) -> None:
        self._node_id = node_id
        self._members = members
        self._topics = topics
        self._speech = speech
        self._connected = connected
        self._waiting: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        topics.serve(TOPIC, self._told, LIMITS)

    async def run(self) -> None:
        """Speak what other rooms send, one after another, until cancelled."""
        while True:
            await self._speech.announce(await self._waiting.get())

    async def say(self, text: str, *, room: str | None, everywhere: bool) -> tuple[dict[str, Any], bytes]:
        """Speak here, in another room, or everywhere. The others begin when this node has made the first sound: when it
        cannot, nobody speaks. Raises NotFound when no node of that room is connected, InvalidInput for a long text."""
        if len(text) > MAX_CHARS:
            raise InvalidInput(
                f"At most {MAX_CHARS} characters are spoken, these are {len(text)}.", fix="Say it in several parts."
            )
        members = self._members
        await members.refresh()
        here = members.room_of(self._node_id)
        reachable = {members.room_of(one): one for one in self._connected()}
        rooms = [here]
        if everywhere:
            rooms += sorted(reachable)
        elif room is not None:
            wanted = {members.room_of(one) for one in members.in_room(room)}
            rooms = sorted(one for one in wanted if one == here or one in reachable)
            if not rooms:
                raise NotFound(f"No node in {room!r} is connected.", fix="`jarvis node list` shows who is.")
        speaking: list[str] = []
        problems: list[str] = []

        def begin() -> None:
            speaking[:] = dict.fromkeys(rooms)
            if everywhere or rooms[0] != here:
                self._topics.broadcast(TOPIC, ["" if everywhere else rooms[0].lower(), text])

        wav = b""
        try:
            wav = await self._speech.say(text, aloud=here in rooms, begins=begin)
        except JarvisError as error:
            if speaking in ([], [here]):
                raise
            problems.append(str(error))
        return {"rooms": speaking, "problems": problems}, wav

    def _told(self, peer: bytes, value: Value) -> None:
        """Spoken when those before it were; one too many is left out."""
        if not (isinstance(value, list) and len(value) == 2 and all(isinstance(one, str) for one in value)):
            raise InvalidBytes("not a room and a text")
        room, text = value
        mine = room in ("", self._members.room_of(self._node_id).lower())
        if mine and len(text) <= MAX_CHARS and not self._waiting.full():
            self._waiting.put_nowait(text)
