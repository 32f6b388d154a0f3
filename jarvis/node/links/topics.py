"""What nodes tell one another beside records: claims, things to say, partial results. Nothing here is kept and losing
one harms nothing. Bodies are measured before they are parsed; who talks nonsense is named once and not listened to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from jarvis.core.codec import Limits, Value, pack, unpack
from jarvis.core.errors import InvalidBytes
from jarvis.core.ids import to_text
from jarvis.sync.messages import Ephemeral

Handler = Callable[[bytes, Value], None]
"""(the peer that tells it, what it tells). Raises InvalidBytes for what makes no sense. It must not wait."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Served:
    handler: Handler
    limits: Limits


class Topics:
    """`post` sends to one linked peer, `spread` to all that are linked."""

    def __init__(self, post: Callable[[bytes, str, bytes], None], spread: Callable[[str, bytes], None]) -> None:
        self._post, self._spread = post, spread
        self._served: dict[str, _Served] = {}
        self._nonsense: set[tuple[bytes, str]] = set()
        """(peer, topic) already named; of members and served topics only, so it cannot grow beyond them."""

    def serve(self, topic: str, handler: Handler, limits: Limits) -> None:
        """A newer peer's other topics are passed over in silence."""
        self._served[topic] = _Served(handler, limits)

    def deliver(self, peer: bytes, message: Ephemeral) -> None:
        served = self._served.get(message.topic)
        if served is None:
            return
        try:
            served.handler(peer, unpack(message.body, served.limits) if message.body else None)
        except InvalidBytes as error:
            if (peer, message.topic) not in self._nonsense:
                self._nonsense.add((peer, message.topic))
                log.warning(
                    "peer sent a message without sense", peer=to_text(peer), topic=message.topic, reason=str(error)
                )

    def tell(self, peer: bytes, topic: str, value: Value) -> None:
        """To one peer, if it is linked."""
        self._post(peer, topic, b"" if value is None else pack(value))

    def broadcast(self, topic: str, value: Value) -> None:
        self._spread(topic, b"" if value is None else pack(value))
