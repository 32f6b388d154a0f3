"""Listeners at running nodes' events."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp

from jarvis.api import runtime
from jarvis.testing.processes import NodeProcess


def heard(
    node: NodeProcess, name: str, within_s: float, *, count: int = 1, act: Callable[[], object] = lambda: None
) -> list[dict[str, Any]]:
    """Subscribe, do `act`, and return the first `count` events of this name. Raises AssertionError after `within_s`."""

    async def main() -> list[dict[str, Any]]:
        found = runtime.read(node.data_dir)
        assert found is not None
        events: list[dict[str, Any]] = []
        headers = {"Authorization": f"Bearer {found.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(f"{found.api_url}/api/v2/events") as socket,
        ):
            assert (await socket.receive_json())["event"] == "subscribed"
            await asyncio.to_thread(act)
            try:
                async with asyncio.timeout(within_s):
                    while len(events) < count:
                        event = await socket.receive_json()
                        events += [event] if event["event"] == name else []
            except TimeoutError:
                raise AssertionError(f"{name} came {len(events)} of {count} times in {within_s:g} s") from None
        return events

    return asyncio.run(main())


SUBSCRIBED_S = 20.0


@contextmanager
def following(name: str, *nodes: NodeProcess) -> Iterator[list[list[dict[str, Any]]]]:
    """The events of this name that each of `nodes` tells within the block: lists that grow meanwhile."""
    found: list[list[dict[str, Any]]] = [[] for _ in nodes]
    waiting = threading.Semaphore(0)
    loop = asyncio.new_event_loop()

    async def follow(node: NodeProcess, into: list[dict[str, Any]]) -> None:
        running = runtime.read(node.data_dir)
        assert running is not None
        headers = {"Authorization": f"Bearer {running.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.ws_connect(f"{running.api_url}/api/v2/events") as socket,
        ):
            assert (await socket.receive_json())["event"] == "subscribed"
            waiting.release()
            async for message in socket:
                event = message.json()
                into += [event] if event["event"] == name else []

    async def main() -> None:
        await asyncio.gather(*map(follow, nodes, found), return_exceptions=True)

    task = loop.create_task(main())

    def run() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        for node in nodes:
            assert waiting.acquire(timeout=SUBSCRIBED_S), f"{node.data_dir.name} tells no events"
        yield found
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        thread.join(SUBSCRIBED_S)
