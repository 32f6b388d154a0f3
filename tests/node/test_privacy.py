"""The one predicate before everything that would carry words out of a room: what it does not know counts as private."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from jarvis.core.errors import StoreFailed
from jarvis.node.talk.privacy import RETRY_S, Privacy
from jarvis.testing.virtual_time import run_virtual


class Settings:
    """A configuration that changes, and tells so."""

    def __init__(self) -> None:
        self.values = {"session.share": "home", "node.room": "kitchen"}
        self.followers: list[Callable[[], None]] = []
        self.open_private: set[str] = set()
        self.broken = False
        self.privacy = Privacy(self.value, self.followers.append, lambda room: room in self.open_private)

    async def value(self, key: str) -> str:
        await asyncio.sleep(0.01)
        if self.broken:
            raise StoreFailed("The disk is gone.")
        return self.values[key]

    def set(self, key: str, value: str) -> None:
        self.values[key] = value
        for changed in self.followers:
            changed()


def play(scene: Callable[[Settings], Awaitable[None]]) -> None:
    async def main() -> None:
        settings = Settings()
        running = asyncio.create_task(settings.privacy.run())
        try:
            await scene(settings)
        finally:
            running.cancel()

    run_virtual(main)


def test_a_room_is_closed_until_it_is_known_to_share() -> None:
    async def scene(home: Settings) -> None:
        assert home.privacy.closed()
        await asyncio.sleep(1)
        assert not home.privacy.closed() and home.privacy.room == "kitchen"
        home.set("session.share", "room")
        assert home.privacy.closed(), "at once"
        await asyncio.sleep(1)
        assert home.privacy.closed()
        home.set("session.share", "home")
        assert home.privacy.closed(), "not before it was read"
        await asyncio.sleep(1)
        assert not home.privacy.closed()
        home.set("session.share", "whatever a file says")
        await asyncio.sleep(1)
        assert home.privacy.closed()

    play(scene)


def test_an_open_private_conversation_closes_its_room() -> None:
    async def scene(home: Settings) -> None:
        await asyncio.sleep(1)
        home.open_private = {"hall"}
        assert not home.privacy.closed()
        home.open_private = {"kitchen"}
        assert home.privacy.closed()
        home.open_private = set()
        with home.privacy.keep(), home.privacy.keep():
            assert home.privacy.closed(), "a client's"
        assert not home.privacy.closed()

    play(scene)


def test_a_change_while_it_is_read_counts() -> None:
    async def scene(home: Settings) -> None:
        await asyncio.sleep(1)
        home.set("node.room", "hall")
        await asyncio.sleep(0.015)  # the room is read, the sharing not yet
        home.set("session.share", "room")
        await asyncio.sleep(1)
        assert home.privacy.closed() and home.privacy.room == "hall"

    play(scene)


def test_a_store_that_fails_keeps_it_closed_until_it_works() -> None:
    async def scene(home: Settings) -> None:
        home.broken = True
        await asyncio.sleep(1)
        assert home.privacy.closed()
        home.broken = False
        await asyncio.sleep(RETRY_S + 1)
        assert not home.privacy.closed()

    play(scene)
