"""What was last heard in a room, over real sessions: of all conversations, of private ones only to who is in one."""

from __future__ import annotations

import asyncio
from typing import Any

from jarvis.assistant.types import Heard
from jarvis.core.time import SystemClock
from jarvis.node.talk.heard import HeardInRooms
from jarvis.node.talk.private_skills import PrivateSkills
from jarvis.node.talk.sessions import ASKED_MS, Sessions
from jarvis.testing.processes import NodeProcess, until
from tests.node.conftest import Home
from tests.node.test_sessions import home_with_sessions

HEARD_S = 20.0
REPLY = {"text": "Okay.", "room": "kitchen", "status": "answered", "source": "intent", "provider": "intents"}


class Clock(SystemClock):
    """The wall's clock, set forward by `ahead_ms`."""

    ahead_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.ahead_ms


async def say(sessions: Sessions, text: str, room: str = "kitchen", **more: Any) -> str:
    session_id, turn = await sessions.add_turn(None, text, room, **more)
    await sessions.add_reply(session_id, turn, REPLY)
    said_ms = SystemClock().wall_ms()
    while SystemClock().wall_ms() == said_ms:  # of two conversations in one millisecond none is the earlier
        pass
    return session_id


def texts(heard: Heard) -> list[str]:
    return [turn.heard for turn in heard.turns]


async def shares(room: str) -> bool:
    return room != "attic"


def test_the_last_of_all_conversations_that_count() -> None:
    async def main() -> None:
        sessions, clock = await home_with_sessions(0), Clock()
        rooms = HeardInRooms(sessions, clock, shares)
        assert await rooms.last("kitchen", 5) == Heard(before=False)
        for number in range(4):
            await say(sessions, f"number {number}")
        await say(sessions, "in the hall", "hall")
        await say(sessions, "between us", private=True)
        await say(sessions, "for one client", apart=True)
        gone = await say(sessions, "to be deleted")
        away = await say(sessions, "to be put away")
        await sessions.add_turn(None, "being answered", "kitchen")
        await sessions.delete(gone)
        await sessions.change(away, archived=True)

        heard = await rooms.last("The Kitchen", 3)
        assert (texts(heard), heard.count, heard.before) == (["number 1", "number 2", "number 3"], 4, True)
        assert texts(await rooms.last("hall", 3)) == ["in the hall"]
        assert texts(await rooms.last("kitchen", 1, private=True)) == ["between us"]
        assert not (await rooms.last("attic", 3)).shared

        clock.ahead_ms = ASKED_MS + 60_000
        assert await rooms.last("kitchen", 3) == Heard(before=True)

    asyncio.run(main())


def test_only_who_is_in_private_hears_what_was_said_in_private() -> None:
    told = []

    class Skills:
        async def heard(self, room: str, most: int, *, private: bool = False) -> Heard:
            told.append(private)
            return Heard()

    home: Any = Skills()
    asyncio.run(PrivateSkills(home).heard("kitchen", 5))
    assert told == [True]


def test_any_room_tells_what_another_heard_but_not_what_was_private(home: Home) -> None:
    kitchen, bedroom = home.pair()
    for text in ("What is two plus two?", "Are you there at all?"):
        kitchen.post("/api/v2/chat", {"text": text, "session": kitchen.post("/api/v2/sessions")["session_id"]})
    secret = kitchen.post("/api/v2/sessions", {"private": True})["session_id"]
    kitchen.ask("What is seven times eight?", secret)

    def told(node: NodeProcess, text: str) -> str:
        return str(node.ask(text, "new")["reply"])

    heard = until(
        lambda: (said := told(bedroom, "What did you hear in the kitchen?")).count('"') == 4 and said,
        HEARD_S,
        "both conversations of the kitchen",
    )
    assert heard.startswith('In the kitchen I heard in the last 24 hours: "What is two plus two?" at ')
    assert '"Are you there at all?"' in heard and "seven" not in heard
    assert told(bedroom, "What was the last thing said in the kitchen?") == (
        'In the kitchen you asked: "Are you there at all?"'
    )
    assert told(bedroom, "What did you hear in the cellar?") == "I don't know a room called cellar."
    kitchen.set_config("session.share", "room", node="kitchen")
    until(
        lambda: told(bedroom, "What did you hear in the kitchen?").endswith(
            "What is said in the kitchen now stays there."
        ),
        HEARD_S,
        "that the kitchen keeps to itself",
    )
