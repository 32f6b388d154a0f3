"""Is told by the system which files below some folders change. It reads none of them, and follows no link."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from jarvis.core.errors import StoreFailed, not_installed

QUIET_MS, LONGEST_MS = 250, 5_000
"""Changes are told together once it has been quiet for so long: who saves a file often writes it in several steps. But
they wait no longer than the longest."""


async def changes(folders: Sequence[Path], stop: asyncio.Event) -> AsyncGenerator[set[Path], None]:
    """What changed, appeared or went, until `stop`. It watches from its first step on. Raises Missing, and StoreFailed
    when the system watches no more."""
    try:
        from watchfiles import awatch
    except ImportError:
        raise not_installed("watchfiles", "knowledge") from None
    try:
        watched = awatch(
            *folders,
            watch_filter=None,
            debounce=LONGEST_MS,
            step=QUIET_MS,
            stop_event=stop,
            ignore_permission_denied=True,
        )
        async with contextlib.aclosing(watched):
            async for found in watched:
                yield {Path(path) for _, path in found}
    except (OSError, RuntimeError) as error:  # what its native part raises has no type of its own
        raise StoreFailed(
            f"The system does not tell of changes: {error}.",
            fix="Raise its limit: `sysctl fs.inotify.max_user_watches=524288`.",
        ) from None
