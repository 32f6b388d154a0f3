"""PORT read|write ROOM COUNT GAP_S: one client of pycrdt-websocket. Says `ready`, then the list of times in ns."""

import asyncio
import json
import sys
import time

import websockets
from pycrdt import Array, Doc, YMessageType, create_sync_message, create_update_message, handle_sync_message

PORT, ROLE, ROOM, COUNT, GAP_S = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
TEXT = "x" * 100


async def main() -> None:
    doc = Doc()
    doc["log"] = log = Array()
    times = []
    synced, done = asyncio.Event(), asyncio.Event()

    def changed(_: object) -> None:
        times.extend([time.monotonic_ns()] * (len(log) - len(times)))
        if len(times) >= COUNT:
            done.set()

    async with websockets.connect(f"ws://127.0.0.1:{PORT}/{ROOM}", compression=None, max_queue=None) as socket:

        async def receive() -> None:
            async for message in socket:
                if message[0] == YMessageType.SYNC:
                    reply = handle_sync_message(message[1:], doc)
                    if reply is not None:
                        await socket.send(reply)
                    if message[1] == 1:
                        synced.set()

        receiving = asyncio.create_task(receive())
        await socket.send(create_sync_message(doc))
        await synced.wait()
        if ROLE == "read":
            subscription = log.observe(changed)
            print("ready", flush=True)
            await done.wait()
            log.unobserve(subscription)
        else:
            updates = []
            doc.observe(lambda event: updates.append(event.update))
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            for _ in range(COUNT):
                times.append(time.monotonic_ns())
                log.append(TEXT)
                await socket.send(create_update_message(updates.pop()))
                if GAP_S:
                    await asyncio.sleep(GAP_S)
        print(json.dumps(times), flush=True)
        if ROLE == "write":
            await receiving  # until the bench ends it: what was sent must still leave


asyncio.run(main())
