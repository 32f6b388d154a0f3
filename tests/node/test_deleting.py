"""Deleting, renaming and putting away conversations: on one node in its own process, and between two real ones, whose
files are then searched for the words, page by page, with the key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from jarvis.assistant.types import Reply, Request
from jarvis.core.errors import InvalidInput, NotFound
from jarvis.node.talk.dialogue import GONE
from jarvis.testing.processes import NodeProcess, agree, jarvis, linked, until
from tests.node.conftest import LINK_S, Home
from tests.node.test_dialogue import Kitchen, Says, play
from tests.store.pages import occurrences

WITHIN_S = 15.0


# --- on one node -------------------------------------------------------------------------------------------------


class Slow:
    """An assistant that goes on when it is told to; `source` says whether its pieces are given out as they come."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.go_on = asyncio.Event()

    async def answer(self, request: Request, home: Any) -> Reply:
        reply = Reply(cast(Any, self._source), "scripted", None, {}, pieces=cast(AsyncIterator[str], None))

        async def pieces() -> AsyncIterator[str]:
            reply.said.append("One. ")
            yield "One. "
            await self.go_on.wait()
            reply.said.append("Two.")
            yield "Two."

        reply.pieces = pieces()
        return reply


@pytest.mark.parametrize(("source", "said"), [("llm", ["One. ", "Two.", GONE]), ("intent", [GONE])])
def test_a_turn_whose_session_is_deleted_meanwhile_ends_with_a_sentence(source: str, said: list[str]) -> None:
    async def scene(kitchen: Kitchen) -> None:
        slow = Slow(source)
        turn = await kitchen.dialogue(slow).begin("Where is the spare key?")
        await kitchen.sessions.delete(turn.session_id)
        slow.go_on.set()
        assert [piece async for piece in turn.pieces()] == said
        assert turn.status == "deleted"
        assert await kitchen.sessions.list() == []

    play(scene)


def test_what_is_said_next_begins_another_session() -> None:
    async def scene(kitchen: Kitchen) -> None:
        dialogue = kitchen.dialogue(Says())
        first = await dialogue.begin("Where is the spare key?")
        await kitchen.sessions.delete(first.session_id[:8])
        second = await dialogue.begin("What time is it?")
        assert second.session_id != first.session_id
        with pytest.raises(NotFound):
            await dialogue.begin("And now?", session=first.session_id)

    play(scene)


def test_deleted_between_choosing_and_keeping() -> None:
    """The session that an utterance would continue goes at the last moment: the utterance is kept all the same."""

    async def scene(kitchen: Kitchen) -> None:
        dialogue = kitchen.dialogue(Says())
        first = await dialogue.begin("Where is the spare key?")
        honest = kitchen.sessions.add_turn

        async def late(session_id: str | None, text: str, room: str, **more: Any) -> Any:
            if session_id is not None:
                await kitchen.sessions.delete(session_id)
            return await honest(session_id, text, room, **more)

        kitchen.sessions.add_turn = late  # type: ignore[method-assign]
        second = await dialogue.begin("What time is it?")
        assert second.session_id != first.session_id
        assert [row["session_id"] for row in await kitchen.sessions.list()] == [second.session_id]
        third = await dialogue.begin("And now?")
        with pytest.raises(NotFound, match="deleted"):
            await dialogue.begin("And then?", session=third.session_id)

    play(scene)


def test_no_word_stays_in_memory_until_somebody_looks() -> None:
    async def scene(kitchen: Kitchen) -> None:
        turn = await kitchen.dialogue(Says()).begin("Where is the spare key?")
        await kitchen.sessions.list()
        assert "spare key" in repr(vars(kitchen.sessions))
        await kitchen.sessions.delete(turn.session_id)
        assert "spare key" not in repr(vars(kitchen.sessions))
        replica = await kitchen.journal.read(lambda _, replica: replica)
        assert "spare key" not in repr(replica._documents._loaded)

    play(scene)


def test_renamed_and_put_away() -> None:
    async def scene(kitchen: Kitchen) -> None:
        dialogue = kitchen.dialogue(Says())
        turn = await dialogue.begin("What goes into a pancake?")
        changed = await kitchen.sessions.change(turn.session_id, title="Pancakes", archived=True)
        assert changed == {"session_id": turn.session_id, "title": "Pancakes", "archived": True, "private": False}
        assert await kitchen.sessions.list() == []
        assert [row["title"] for row in await kitchen.sessions.list(archived=True)] == ["Pancakes"]
        assert (await dialogue.begin("What time is it?")).session_id != turn.session_id
        assert (await dialogue.begin("And eggs?", session=turn.session_id)).session_id == turn.session_id
        assert not (await kitchen.sessions.change(turn.session_id, archived=False))["archived"]
        assert (await kitchen.sessions.show(turn.session_id))["title"] == "Pancakes"
        with pytest.raises(InvalidInput):
            await kitchen.sessions.change(turn.session_id, title=" ")
        await kitchen.sessions.delete(turn.session_id)
        for attempt in (kitchen.sessions.show, kitchen.sessions.delete, kitchen.sessions.change):
            with pytest.raises(NotFound):
                await attempt(turn.session_id)

    play(scene)


def test_the_audit_tells_of_a_deletion_and_still_verifies() -> None:
    async def scene(kitchen: Kitchen) -> None:
        dialogue = kitchen.dialogue(Says())
        turn = await dialogue.begin("Where is the spare key?")
        await kitchen.sessions.delete(turn.session_id)
        audit = dialogue._audit
        (row,) = await audit.list(action="session.deleted")
        assert (row["target"], row["actor"]) == (turn.session_id, "user")
        assert (await audit.verify())["ok"]

    play(scene)


# --- between two real nodes --------------------------------------------------------------------------------------

WORDS = "marzipan rhinoceros"


def holds(node: NodeProcess) -> int:
    """How often the words stand in the node's store file and log."""
    key = (node.data_dir / "keys" / "store.key").read_bytes()
    return occurrences(node.data_dir / "store" / "jarvis.db", key, WORDS.encode())


def sessions(node: NodeProcess) -> list[str]:
    return [row["session_id"] for row in node.get("/api/v2/sessions")]


def test_deleted_words_are_in_no_file_of_either_node(home: Home, tmp_path: Path) -> None:
    kitchen, bedroom = home.pair()
    kept = kitchen.ask("what time is it", "new")["session_id"]
    session = kitchen.ask(f"tell me about the {WORDS}", "new")["session_id"]
    for node in (bedroom, kitchen, bedroom):
        until(lambda node=node: session in sessions(node), WITHIN_S, "the session")
        node.ask(f"what else of the {WORDS}", session)
    until(lambda: agree(kitchen, bedroom), WITHIN_S, "agreement")
    assert holds(kitchen) > 0 and holds(bedroom) > 0
    gone = jarvis("session", "delete", session[:10], "--yes", "--json", data_dir=kitchen.data_dir, env=home.env).json()
    assert gone == {"session_id": session, "deleted": True}
    assert holds(kitchen) == 0
    until(lambda: holds(bedroom) == 0, WITHIN_S, "the words to leave the bedroom")
    until(lambda: agree(kitchen, bedroom), WITHIN_S, "agreement")
    for node in (kitchen, bedroom):
        assert sessions(node) == [kept]
        assert node.get("/api/v2/audit/verification")["ok"]
        assert WORDS not in node.stderr


def test_a_node_that_was_away_erases_what_it_said_meanwhile(home: Home) -> None:
    """The bedroom goes on with the session while it is alone; what it says there never comes to stay anywhere."""
    kitchen, bedroom = home.pair()
    session = kitchen.ask(f"tell me about the {WORDS}", "new")["session_id"]
    until(lambda: session in sessions(bedroom), WITHIN_S, "the session")
    until(lambda: agree(kitchen, bedroom), WITHIN_S, "agreement")
    kitchen.stop()
    bedroom.ask(f"what else of the {WORDS}", session)
    bedroom.stop()
    kitchen.start()
    kitchen.call("DELETE", f"/api/v2/sessions/{session}")
    assert holds(kitchen) == 0 < holds(bedroom)
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), LINK_S, "the link")
    until(lambda: holds(bedroom) == 0 and session not in sessions(bedroom), WITHIN_S, "the words to leave the bedroom")
    until(lambda: agree(kitchen, bedroom), WITHIN_S, "agreement")
    assert holds(kitchen) == 0
    hall = home.node("hall", "--peer", home.address("kitchen"), "--peer", home.address("bedroom"))
    hall.start()  # it has seen neither the words nor the deletion
    until(lambda: linked(kitchen, bedroom, hall), LINK_S, "the links")
    until(lambda: agree(kitchen, bedroom, hall), WITHIN_S, "agreement")
    assert holds(hall) == 0
