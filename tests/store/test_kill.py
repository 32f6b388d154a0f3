"""`kill -9` at any moment: every write that was acknowledged is there afterwards, whole, in an unbroken chain. (Whether
the fsync itself works cannot be seen this way; the kernel survives the kill.)"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from jarvis.store.sqlcipher import SqlCipherStore
from tests.store.support import KEY

KILLS = 12
DEADLINE_S = 20.0
WRITERS = 6

WRITER = """
import asyncio, os, sys
from pathlib import Path
from jarvis.store.protocol import Head
from jarvis.store.sqlcipher import SqlCipherStore
from tests.store.support import KEY, make_record, putting

async def write(store, name):
    author = bytes([name]) * 32
    heads = await store.read(lambda t: t.heads())
    seq = heads[author].seq if author in heads else 0
    while True:
        seq += 1
        await store.write(putting(make_record(seq, author=author, payload=os.urandom(600))))
        os.write(1, f"{name} {seq}\\n".encode())

async def main():
    store = await SqlCipherStore.open(Path(sys.argv[1]), KEY)
    async with asyncio.TaskGroup() as group:
        for name in range(int(sys.argv[2])):
            group.create_task(write(store, name))

asyncio.run(main())
"""


def test_what_was_acknowledged_survives_kill_9(database: Path) -> None:
    chance = random.Random(1)
    acknowledged = dict.fromkeys(range(WRITERS), 0)
    for _ in range(KILLS):
        for name, seq in killed_after(database, lines=chance.randint(1, 400)):
            acknowledged[name] = max(acknowledged[name], seq)
        asyncio.run(check(database, acknowledged))
    assert sum(acknowledged.values()) > KILLS


def killed_after(database: Path, *, lines: int) -> list[tuple[int, int]]:
    """Start the writer, kill it in the middle of its work; every acknowledgement that it managed to send."""
    command = [sys.executable, "-c", WRITER, str(database), str(WRITERS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    output, deadline = b"", time.monotonic() + DEADLINE_S
    try:
        while output.count(b"\n") < lines:
            assert select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0], "it hangs"
            piece = os.read(process.stdout.fileno(), 4_096)
            assert piece, "the writer ended by itself"
            output += piece
    finally:
        process.send_signal(signal.SIGKILL)
        output += process.stdout.read()
        process.wait(DEADLINE_S)
        process.stdout.close()
    whole = output[: output.rfind(b"\n") + 1].decode()
    return [(int(name), int(seq)) for name, seq in (line.split() for line in whole.splitlines())]


async def check(database: Path, acknowledged: dict[int, int]) -> None:
    store = await SqlCipherStore.open(database, KEY)
    heads = await store.read(lambda t: t.heads())
    for name, seq in acknowledged.items():
        author = bytes([name]) * 32
        held = await store.read(lambda t, author=author: t.records(author, 1, 2**40, 10**9))
        if not held and seq == 0:
            continue
        assert [one.seq for one in held] == list(range(1, len(held) + 1)), "the chain has a gap"
        assert len(held) >= seq, "an acknowledged write is gone"
        assert heads[author].seq == len(held) and heads[author].hash == held[-1].hash, "half a work was kept"
    await store.close()
