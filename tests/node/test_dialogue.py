"""A reply that nobody waits for any more: the model stops, and what was said until then is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from jarvis.assistant.types import Reply
from jarvis.crdt.dots import Dot
from jarvis.node.dialogue import OngoingTurn


def test_leaving_in_mid_reply_stops_the_model_and_keeps_the_rest() -> None:
    async def main() -> None:
        stopped: list[str] = []
        kept: list[tuple[str, list[str]]] = []

        async def model() -> AsyncIterator[str]:
            try:
                for piece in ("One. ", "Two. ", "Three. "):
                    reply.said.append(piece)
                    yield piece
            finally:
                stopped.append("model")

        async def keep(turn: OngoingTurn, status: str) -> None:
            kept.append((status, list(turn.reply.said)))

        reply = Reply("llm", "scripted", None, {}, pieces=model())
        turn = OngoingTurn("s", Dot(bytes(32), 1, 0), "hello", "kitchen", reply, 0.0, keep)
        pieces = turn.pieces()
        assert await anext(pieces) == "One. "
        await pieces.aclose()
        assert stopped == ["model"]
        assert kept == [("interrupted", ["One. "])]

    asyncio.run(main())
