"""Tells people that a node and a copy of it run at the same time, wherever one of the two or a peer of theirs is asked
for its status. What to do about it is theirs to say: nothing here stops a node."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from jarvis.core.codec import Limits
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.node.links.topics import Topics

TOPIC = "copy"
"""An ephemeral message without a body: you are not the only one of you."""
LIMITS = Limits(size_bytes=16, depth=1, items=1)
SHOWN_MS = 90_000
"""A copy tries to link every 30 s at least, and each attempt is told; three missed ones, and it is gone."""

log = structlog.get_logger()


class CopyWatch:
    def __init__(self, node_id: bytes, clock: Clock, name_of: Callable[[bytes], str], topics: Topics) -> None:
        self._node_id = node_id
        self._clock = clock
        self._name_of = name_of
        self._topics = topics
        topics.serve(TOPIC, lambda peer, _: self.of_us(peer), LIMITS)
        self._noticed: dict[bytes, tuple[float, bytes]] = {}
        """Node that there are two of -> when that was last noticed, and who noticed; of members only."""

    def of_peer(self, peer: bytes) -> None:
        """This node sees two of a peer: the one that is linked hears of it, the other was told why it was refused."""
        self._notice(peer, self._node_id)
        self._topics.tell(peer, TOPIC, None)

    def of_us(self, noticed_by: bytes) -> None:
        """A peer sees two of this node."""
        self._notice(self._node_id, noticed_by)

    def _notice(self, node_id: bytes, noticed_by: bytes) -> None:
        if node_id not in self._shown():
            log.error("two copies of a node run", node=to_text(node_id), noticed_by=to_text(noticed_by))
        self._noticed[node_id] = (self._clock.mono_ms(), noticed_by)

    def _shown(self) -> dict[bytes, bytes]:
        now = self._clock.mono_ms()
        return {node_id: by for node_id, (at_ms, by) in self._noticed.items() if now - at_ms < SHOWN_MS}

    def state(self) -> dict[str, str]:
        shown = self._shown()
        if self._node_id in shown:
            return {
                "state": "failed",
                "detail": f"Another copy of this node runs; {self._name_of(shown[self._node_id])} sees both. "
                "Stop one of them; to keep both, let one join with an empty --data-dir.",
            }
        if shown:
            names = ", ".join(sorted(self._name_of(one) for one in shown))
            return {"state": "degraded", "detail": f"Two copies run of: {names}. Stop one of each."}
        return {"state": "ok", "detail": "no copy of a node was seen"}
