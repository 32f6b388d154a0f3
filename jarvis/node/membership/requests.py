"""What one node asks of another on behalf of people: to sign an admission, to let it leave, to make an owner key. Small
questions with one answer, over the link that is there. A request that is not answered failed, and says so: nothing is
queued, and nothing is tried again behind anybody's back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from jarvis.core import errors
from jarvis.core.codec import Limits, pack, unpack
from jarvis.core.errors import DeadlineExceeded, InvalidBytes, JarvisError, Overloaded, Unreachable
from jarvis.sync.messages import Answer, Request

MAX_OPEN = 16
"""Of ours that wait for an answer; people ask one thing at a time."""
MAX_SENTENCE_CHARS = 500
_WHY = Limits(size_bytes=8 * 1024, depth=2, items=4)
_ERRORS: dict[str, type[JarvisError]] = {
    one.__name__: one
    for one in (
        errors.NotAllowed,
        errors.NotFound,
        errors.InvalidInput,
        errors.Overloaded,
        errors.StoreFailed,
        errors.Unreachable,
    )
}

Handler = Callable[[bytes, bytes], Awaitable[bytes]]
"""(who asks, body) -> the answer's body. A JarvisError that it raises is raised there, in the same words."""


class Hung(Unreachable):
    """The link ended before the answer came; `reason` is why, in the words of who ended it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The link ended before there was an answer ({reason}).", fix="Try again.")
        self.reason = reason


class Requests:
    """`post` sends to a linked peer and says whether there is one."""

    def __init__(self, post: Callable[[bytes, Request], bool]) -> None:
        self._post = post
        self._handlers: dict[str, Handler] = {}
        self._open: dict[tuple[bytes, int], asyncio.Future[bytes]] = {}
        self._nonce = 0

    def serve(self, topic: str, handler: Handler) -> None:
        """Requests of one link are handled one after another, in turn with its records: a handler must not wait for
        that peer."""
        self._handlers[topic] = handler

    async def ask(self, peer: bytes, topic: str, body: bytes, *, within_s: float) -> bytes:
        """Raises Unreachable where there is no link, Hung when it ends, DeadlineExceeded, or what the peer raised."""
        if len(self._open) >= MAX_OPEN:
            raise Overloaded("Too many things are being asked of other nodes.", fix="Try again in a moment.")
        self._nonce += 1
        key = (peer, self._nonce)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._open[key] = answer
        try:
            if not self._post(peer, Request(self._nonce, topic, body)):
                raise Unreachable("There is no link to that node.")
            async with asyncio.timeout(within_s):
                return await answer
        except TimeoutError:
            raise DeadlineExceeded(f"There was no answer within {within_s:g} s.", fix="Try again.") from None
        finally:
            del self._open[key]

    async def handle(self, peer: bytes, request: Request) -> Answer:
        """Our answer to a peer's request."""
        handler = self._handlers.get(request.topic)
        try:
            if handler is None:
                raise errors.NotAllowed("That node's Jarvis does not know this request.", fix="Bring both up to date.")
            return Answer(request.nonce, True, await handler(peer, request.body))
        except JarvisError as error:
            kind = next(one.__name__ for one in type(error).__mro__ if one.__name__ in _ERRORS or one is JarvisError)
            why = [kind, str(error)[:MAX_SENTENCE_CHARS], error.fix[:MAX_SENTENCE_CHARS]]
            return Answer(request.nonce, False, pack(why))

    def answered(self, peer: bytes, answer: Answer) -> None:
        """A peer's answer; one that nobody waits for is dropped."""
        waiting = self._open.get((peer, answer.nonce))
        if waiting is None or waiting.done():
            return
        if answer.done:
            waiting.set_result(answer.body)
        else:
            waiting.set_exception(_error_in(answer.body))

    def ended(self, peer: bytes, reason: str) -> None:
        """The link is gone: whoever waits need not wait longer."""
        for (asked, _), waiting in self._open.items():
            if asked == peer and not waiting.done():
                waiting.set_exception(Hung(reason))


def _error_in(body: bytes) -> JarvisError:
    try:
        value = unpack(body, _WHY)
    except InvalidBytes:
        value = None
    if not (isinstance(value, list) and len(value) == 3 and all(isinstance(one, str) for one in value)):
        return errors.NotAllowed("That node refused, and did not say why.")
    kind, sentence, fix = ("".join(char if char.isprintable() else " " for char in one) for one in value)
    return _ERRORS.get(kind, errors.NotAllowed)(sentence, fix=fix)
