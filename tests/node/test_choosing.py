"""Which conversation an utterance continues, by the words of the specification; with clocks that stand still."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jarvis.core.errors import NotAllowed
from jarvis.identity.certificate import make_certificate
from jarvis.identity.keys import SEED_BYTES, SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.records.audit import Audit
from jarvis.node.records.journal import Journal
from jarvis.node.talk.choosing import Choosing, Chosen, Wanted
from jarvis.node.talk.private import PrivateSessions
from jarvis.node.talk.sessions import Sessions
from jarvis.replica.replica import Replica
from jarvis.store.memory import MemoryStore

ROOMS = ("kitchen", "bedroom", "hall")
MINUTE_MS = 60_000


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def mono_ms(self) -> float:
        return float(self.now_ms)


class Home:
    """One node's conversations, with utterances from any room."""

    def __init__(self) -> None:
        key, owner = SigningKey(os.urandom(SEED_BYTES)), SigningKey(os.urandom(SEED_BYTES))
        self.clock, self.store, self.node_id = Clock(), MemoryStore(), key.node_id
        replica = Replica(key, entropy=os.urandom, wall_ms=self.clock.wall_ms)
        chain = Chain.found(owner, owner.public, make_certificate(key), nonce=bytes(16), at_ms=0)
        self.store.transact(lambda tx: replica.found(tx, chain))
        self.journal = Journal(self.store, replica)
        self.busy: set[str] = set()
        self.dead: set[bytes] = set()
        self.shares = True
        self.sessions = self.opened()
        self.choosing = Choosing(self.sessions, shared=self._shared, rooms=lambda: ROOMS)

    def opened(self) -> Sessions:
        return Sessions(
            self.journal,
            Audit(self.journal, self.clock),
            self.clock,
            PrivateSessions(self.journal, self.clock, self.node_id),
            busy=lambda room: room in self.busy,
            reachable=lambda node_id: node_id not in self.dead,
        )

    async def _shared(self) -> bool:
        return self.shares

    async def choose(self, room: str, text: str = "What is it?", **more: Any) -> Chosen:
        return await self.choosing.choose(Wanted(text, room, **more), "Jarvis")

    async def say(self, room: str, text: str = "What is it?", *, answer: bool = True, **more: Any) -> str:
        """One turn of a second; the id of its session."""
        self.clock.now_ms += 1_000
        chosen = await self.choose(room, text, **more)
        session_id, turn = await self.sessions.add_turn(
            chosen.session_id, text, room, private=chosen.private, apart=bool(more.get("apart"))
        )
        if answer:
            reply = {"text": "That.", "room": room, "status": "answered"}
            await self.sessions.add_reply(session_id, turn, reply)
        return session_id

    async def records(self) -> bytes:
        """Everything that could ever leave this node."""
        return await self.journal.read(
            lambda tx, _: b"".join(one.header + (one.payload or b"") for one in tx.records_in_order(0))
        )


def play(scene: Callable[[Home], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(20):
            await scene(Home())

    asyncio.run(main())


def test_a_room_goes_on_with_its_own_open_session() -> None:
    async def scene(home: Home) -> None:
        kitchen = await home.say("kitchen")
        bedroom = await home.say("bedroom", session="new")
        assert kitchen != bedroom
        home.clock.now_ms += 4 * MINUTE_MS
        assert await home.say("kitchen") == kitchen, "its own, though another room's is newer"
        home.clock.now_ms += 2 * MINUTE_MS
        assert await home.say("kitchen") == kitchen
        home.clock.now_ms += 5 * MINUTE_MS
        assert await home.say("kitchen") not in (kitchen, bedroom), "five minutes are over"

    play(scene)


def test_a_new_conversation_is_one() -> None:
    async def scene(home: Home) -> None:
        kitchen = await home.say("kitchen")
        other = await home.say("kitchen", "Start a new conversation.")
        assert other != kitchen and await home.say("kitchen") == other
        assert (await home.choose("kitchen", "New conversation, please", session=kitchen)).session_id == kitchen
        private = await home.say("kitchen", "Let's keep this private.")
        another = await home.choose("kitchen", "Start a new conversation.")
        assert another == Chosen(None, None, True, False), f"{private} was private, and so is what follows it"

    play(scene)


def test_another_room_s_only_where_all_is_silent() -> None:
    async def scene(home: Home) -> None:
        kitchen = await home.say("kitchen")
        home.busy = {"kitchen"}
        assert (await home.choose("hall")).session_id is None, "somebody speaks or listens there"
        home.busy = {"bedroom"}
        assert (await home.choose("hall")).session_id == kitchen
        home.busy = set()
        home.clock.now_ms += 5 * MINUTE_MS
        assert (await home.choose("hall")).session_id is None, "its last turn is too old"

    play(scene)


def test_a_turn_without_reply_is_no_silence_while_its_node_lives() -> None:
    async def scene(home: Home) -> None:
        kitchen = await home.say("kitchen", answer=False)
        assert (await home.choose("hall")).session_id is None, "the kitchen is at it"
        home.dead = {home.node_id}
        assert (await home.choose("hall")).session_id == kitchen, "nobody is at it any more"
        home.dead = set()
        home.clock.now_ms += 30_000
        assert (await home.choose("hall")).session_id == kitchen, "something went wrong there"

    play(scene)


def test_of_others_the_newest_silent_one() -> None:
    async def scene(home: Home) -> None:
        kitchen = await home.say("kitchen")
        home.clock.now_ms += MINUTE_MS
        bedroom = await home.say("bedroom", session="new")
        assert (await home.choose("hall")).session_id == bedroom
        home.busy = {"bedroom"}
        assert (await home.choose("hall")).session_id == kitchen

    play(scene)


def test_when_asked_another_room_s_however_busy_and_old() -> None:
    async def scene(home: Home) -> None:
        kitchen = await home.say("kitchen")
        bedroom = await home.say("bedroom", session="new")
        home.busy = {"kitchen", "bedroom"}
        home.clock.now_ms += 60 * MINUTE_MS
        for text, wanted in (
            ("As I said in the kitchen, how far is it?", kitchen),
            ("Go back to what I said in the bedroom", bedroom),
            ("What did I ask you in the kitchen?", kitchen),
            ("Continue.", bedroom),
            ("Continue in the hall", bedroom),
            ("Continue in the kitchen", kitchen),
            ("Continue in the garage", None),
        ):
            assert (await home.choose("hall", text)).session_id == wanted, text
        home.clock.now_ms += 24 * 60 * MINUTE_MS
        assert (await home.choose("hall", "As I said in the kitchen, how far is it?")).session_id is None
        latest = await home.say("kitchen", session="new")
        assert (await home.choose("hall", "What did I just ask you?")).session_id == latest, "just now, though busy"
        home.clock.now_ms += 6 * MINUTE_MS
        assert (await home.choose("hall", "What did I just ask you?")).session_id is None
        assert (await home.choose("hall", "What did I ask you in the kitchen?")).session_id == latest

    play(scene)


def test_continue_in_a_room_takes_it_there() -> None:
    async def scene(home: Home) -> None:
        bedroom = await home.say("bedroom")
        kitchen = await home.say("kitchen", session="new")
        turn = (await home.sessions.turns(kitchen))[-1].turn
        home.clock.now_ms += MINUTE_MS
        reply = {"text": "Okay.", "room": "kitchen", "status": "answered"}
        await home.sessions.add_reply(kitchen, turn, reply, moved="bedroom")
        home.clock.now_ms += 4 * MINUTE_MS
        assert (await home.choose("bedroom")).session_id == kitchen, "not its own older one"
        assert bedroom != kitchen
        home.busy = {"bedroom"}
        assert (await home.choose("kitchen")).session_id is None, "whoever was here went along"
        assert [one.session_id for one in await home.opened().summaries() if "bedroom" in one.last_ms_by_room]

    play(scene)


def test_a_room_that_shares_nothing_writes_no_record_and_no_room_goes_on_with_it() -> None:
    async def scene(home: Home) -> None:
        shared = await home.say("bedroom", "Where is the zanzibar?")
        home.shares = False
        private = await home.say("bedroom", "Under the flowerpot.")
        assert private != shared and await home.say("bedroom", "The flowerpot, again.") == private
        with pytest.raises(NotAllowed):
            await home.choose("bedroom", session=shared)
        asked = await home.choose("bedroom", "As I said in the kitchen, what is it?")
        assert asked.private and asked.session_id != shared
        home.shares = True
        assert (await home.choose("kitchen")).session_id == shared, "another room does not see it"
        assert (await home.choose("bedroom")).session_id == private, "still open: it stays what it is"
        home.clock.now_ms += 5 * MINUTE_MS
        new = await home.choose("bedroom")
        assert (new.session_id, new.private) == (None, False)
        records = await home.records()
        assert b"zanzibar" in records and b"flowerpot" not in records
        assert private.encode() not in records and home.sessions.is_private(private)

    play(scene)


def test_private_sessions_are_seen_and_managed_like_others() -> None:
    async def scene(home: Home) -> None:
        home.shares = False
        private = await home.say("bedroom", "Under the flowerpot.")
        await home.say("bedroom", "And the key?")
        sessions = home.opened()  # as after a start
        (row,) = await sessions.list()
        assert (row["session_id"], row["private"], row["turns"]) == (private, True, 2)
        shown = await sessions.show(private[:6])
        assert shown["private"] and [turn["text"] for turn in shown["turns"]] == [
            *("Under the flowerpot.", "That.", "And the key?", "That.")
        ]
        assert len({turn["turn_id"] for turn in shown["turns"]}) == 2
        assert (await sessions.change(private, title="Keys"))["title"] == "Keys"
        assert (await sessions.change(private, archived=True))["archived"]
        assert not await sessions.list() and len(await sessions.list(archived=True)) == 1
        assert "this node only" in await sessions.export(private, "md")
        assert '"private": true' in await sessions.export(private, "json")
        await sessions.delete(private)
        assert not await sessions.list() and not await sessions.list(archived=True)
        assert not await home.journal.read(lambda tx, _: tx.keys("private/"))
        assert private.encode() not in await home.records()

    play(scene)


def test_a_single_session_is_kept_private_until_somebody_ends_it() -> None:
    async def scene(home: Home) -> None:
        shared = await home.say("kitchen", "Where is the zanzibar?")
        private = await home.say("kitchen", "Let's keep this private.")
        assert await home.say("kitchen", "It is under the flowerpot.") == private != shared
        assert (await home.choose("hall")).session_id == shared
        assert await home.say("kitchen", "Private mode") == private
        after = await home.choose("kitchen", "Turn off private mode")
        assert (after.session_id, after.private, after.always_private) == (None, False, False)
        assert (await home.choose("kitchen")).session_id == shared
        home.shares = False
        refused = await home.choose("kitchen", "Turn off private mode")
        assert refused.private and refused.always_private
        records = await home.records()
        assert b"flowerpot" not in records and b"keep this private" not in records

    play(scene)


def test_a_client_s_own_session_is_no_room_s() -> None:
    async def scene(home: Home) -> None:
        own = await home.say("kitchen", session="new", apart=True)
        assert (await home.choose("kitchen")).session_id is None
        assert (await home.choose("hall", "Continue")).session_id is None
        assert await home.say("kitchen", session=own, apart=True) == own
        kept = await home.say("kitchen", session="new", apart=True, private=True)
        assert home.sessions.is_private(kept)
        assert not home.sessions.private_in("kitchen"), "the room itself is as it was"
        turn = (await home.sessions.turns(own))[-1].turn
        reply = {"text": "Okay.", "room": "kitchen", "status": "answered"}
        await home.sessions.add_reply(own, turn, reply, moved="hall")
        assert (await home.choose("hall")).session_id == own, "unless its person says so"

    play(scene)


def test_two_writers_of_one_private_session_lose_nothing() -> None:
    async def scene(home: Home) -> None:
        home.shares = False
        first = await home.say("bedroom", "one")
        await asyncio.gather(*(home.say("bedroom", f"turn {number}", session=first) for number in range(20)))
        assert len(await home.sessions.turns(first)) == 21
        assert len({turn.turn for turn in await home.sessions.turns(first)}) == 21

    play(scene)
