"""Signatures of peers' records, looked at in threads before the store's one thread takes them in: Ed25519 leaves the
interpreter to others while it works. Only a help: what was not looked at, or is not authentic, the replica judges
itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from jarvis.identity.membership import Chain
from jarvis.identity.record import SignedRecord, is_authentic

THREADS = 2
"""A small board has four cores, and the event loop and the store want theirs."""
WORTH_IT = 16
"""Records, some milliseconds of work; for fewer the way to another thread and back costs more."""


class Verifier:
    """Bounded by its callers: a link waits for one batch before it brings the next."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="jarvis-verify")

    async def look_at(self, records: Sequence[SignedRecord], chain: Chain) -> None:
        """Returns once those of members' records that are authentic know it."""
        loop = asyncio.get_running_loop()
        parts = [records[at::THREADS] for at in range(THREADS)]
        await asyncio.gather(*(loop.run_in_executor(self._threads, _verify, part, chain) for part in parts))


def _verify(records: Sequence[SignedRecord], chain: Chain) -> None:
    for record in records:
        member = chain.member(record.header.node_id)
        if member is not None:
            is_authentic(record, member.public_key)
