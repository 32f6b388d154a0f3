"""A listener at a running node's events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
