"""A node for the test with network namespaces: a connector and discovery that tell on stdout what happens, and end
with their stdin. Run as `python -m tests.net.namespace_node FOLDER SEED BIND HEARTBEAT_S`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import jarvis.net.dial
import jarvis.net.server
from jarvis.core.errors import Unreachable
from jarvis.net.connector import Connector
from jarvis.net.discovery import Discovery
from jarvis.net.link import Link
from jarvis.net.transport import TlsTransport
from tests.net.homes import Home, Identity


def tell(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main(folder: Path, seed: int, bind: str, heartbeat_s: str) -> None:
    # The real 15 s would only make the tests wait longer for the same.
    jarvis.net.dial.HEARTBEAT_S = jarvis.net.server.HEARTBEAT_S = float(heartbeat_s)
    identities = [Identity(folder, one) for one in (1, 2)]
    me, home = identities[seed - 1], Home(*identities)

    async def chat(link: Link) -> None:
        """A frame five times a second, so that an outage leaves something unanswered."""
        with contextlib.suppress(Unreachable):
            while True:
                await link.send(b"hello")
                await asyncio.sleep(0.2)

    async def on_link(link: Link) -> None:
        tell(event="linked", address=link.address)
        async with asyncio.TaskGroup() as group:
            chatting = group.create_task(chat(link))
            first = True
            while await link.receive() is not None:
                if first:
                    tell(event="frame")
                first = False
            chatting.cancel()
        tell(event="unlinked", reason=link.closed_reason)

    transport = TlsTransport(me=me.id, members=home, certificate=me.certificate_file, key=me.key_file, bind=bind)
    connector = Connector(transport, me=me.id, members=home, on_link=on_link)
    port = await connector.open()
    discovery = Discovery(
        me=me.id, home=b"h" * 16, port=port, bind=bind, found=connector.learn, network_changed=connector.network_changed
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(connector.run()), group.create_task(discovery.run())]
        tell(event="ready")
        await asyncio.to_thread(sys.stdin.read)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
