"""After the disk refused a write: tries again until it takes one, so that `status` tells the truth also where nobody
writes. It must never run while writes work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from jarvis.core.errors import JarvisError
from jarvis.node.records.journal import Journal

TRY_EVERY_S = 2.0
ROOM_BYTES = 128 * 1024
"""Room for this much counts as recovered: two of the largest records, so that the next write does not fail at once."""
_TRIED = "store/tried"


async def recover(journal: Journal, recovered: Callable[[], None]) -> None:
    """Until cancelled. `recovered` is called each time that a write works again."""
    while True:
        await journal.troubled.wait()
        await asyncio.sleep(TRY_EVERY_S)
        try:
            # Random bytes in a commit of their own: what is deleted within one need never reach the disk.
            await journal.change_local(lambda tx: tx.put(_TRIED, os.urandom(ROOM_BYTES)))
            await journal.change_local(lambda tx: tx.delete(_TRIED))
        except JarvisError:
            continue  # the journal knows why
        recovered()
