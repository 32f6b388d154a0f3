"""An open invitation: for two minutes a port of its own, where whoever knows the code may join. No other port of the
node ever listens to strangers, and this one never says more than `net.pairing` lets it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

import structlog

from jarvis.core.codec import HELLO_LIMITS
from jarvis.core.errors import BadConfiguration, InvalidBytes, JarvisError
from jarvis.core.ids import to_text
from jarvis.core.time import Clock, SystemClock
from jarvis.identity.certificate import public_key_of
from jarvis.identity.keys import node_id_of
from jarvis.net.accept import Arrival, Door, bind_socket
from jarvis.net.frames import read_frame, write_frame
from jarvis.net.pairing import ALPN, InviterHandshake, Welcome, code_digits, expect, message, new_code, read_message
from jarvis.net.tls import show_certificate

LIFETIME_S = 120.0
LATE_S = 60.0
"""How long after its end the port still answers, only to say why nobody can join there any more."""
TRIES = 5
MESSAGE_S = 10.0
"""How long the joiner may take for one message; it never waits for a person."""
SAVE_S = 30.0
"""How long the joiner may take to save its welcome: a small board's card may be slow."""
ADMIT_S = 30.0
"""How long signing and keeping the admission may take, on a small board's card, also when the owner's node is another
one and must be asked."""

Admit = Callable[[bytes, dict[str, Any]], Awaitable[Welcome]]
"""Takes the joiner's certificate (DER, its key proven) and its wishes (`name`, `room`; unchecked). Idempotent: a
joiner that vanished before it saved comes again. Raises a JarvisError, whose sentence the joiner is told."""

State = Literal["open", "joined", "expired", "spent", "closed"]

log = structlog.get_logger()


class Announcer(Protocol):
    def announce_invitation(self, port: int) -> AbstractAsyncContextManager[None]: ...


class Invitation:
    """`open()`, then `run()` in a task of the owner's group; `run` ends by itself about three minutes later."""

    def __init__(
        self,
        *,
        certificate: bytes,
        certificate_file: Path,
        key_file: Path,
        home_id: bytes,
        chain_head: Callable[[], bytes],
        admit: Admit,
        bind: str,
        prefer_port: int = 0,
        announcer: Announcer | None = None,
        lifetime_s: float = LIFETIME_S,
        late_s: float = LATE_S,
        clock: Clock | None = None,
    ) -> None:
        """`certificate` (DER) and the two PEM files are the node's; `prefer_port` is tried first."""
        self._certificate, self._home_id, self._chain_head, self._admit = certificate, home_id, chain_head, admit
        self._context = _context(certificate_file, key_file)
        self._bind, self._prefer_port, self._announcer = bind, prefer_port, announcer
        self._lifetime_s, self._late_s = lifetime_s, late_s
        self.code = new_code()
        self.tries_left = TRIES
        self.state: State = "open"
        self.expires_at_ms = (clock or SystemClock()).wall_ms() + int(lifetime_s * 1000)
        """Wall-clock milliseconds; what counts is the monotonic clock."""
        self.port = 0
        self.joined: bytes | None = None
        """The node id of who joined and has saved."""
        self._admitting = False
        self._over = asyncio.Event()
        self._door: Door | None = None

    def open(self) -> str:
        """Take a port and return the code. Raises BadConfiguration."""
        try:
            listener = bind_socket(self._bind, self._prefer_port)
        except BadConfiguration:
            listener = bind_socket(self._bind, 0)
        self.port = listener.getsockname()[1]
        self._door = Door(listener, self._context, _Stream, self._greet)
        return self.code

    async def run(self) -> None:
        assert self._door is not None, "open first"
        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(self._door.serve())
                announce = self._announcer.announce_invitation(self.port) if self._announcer else None
                async with announce or contextlib.nullcontext():
                    await self._ended(self._lifetime_s)
                if self.state == "open":
                    self.state = "expired"  # whoever is being admitted just now still is
                    log.info("net.invitation_expired")
                if self.state != "closed":
                    self._over.clear()
                    await self._ended(self._late_s)
                serving.cancel()
        finally:
            self._door.close()

    def close(self) -> None:
        """Withdraw it; `run` ends at once."""
        self.state = "closed"
        self._over.set()

    async def _ended(self, within_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._over.wait()

    # One joiner

    async def _greet(self, arrival: Arrival) -> None:
        stream = arrival.protocol
        assert isinstance(stream, _Stream)
        loop = asyncio.get_running_loop()
        writer = asyncio.StreamWriter(arrival.transport, stream, stream.reader, loop)
        try:
            await self._converse(stream.reader, writer, arrival)
        except InvalidBytes as error:
            log.warning("net.pairing_refused", address=arrival.host, error=str(error))
            with contextlib.suppress(OSError, TimeoutError):
                await _send(writer, message("refused", str(error), ""))
        except (OSError, EOFError, TimeoutError) as error:
            log.info("net.pairing_broken_off", address=arrival.host, error=type(error).__name__)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, arrival: Arrival) -> None:
        hello = await _receive(reader, "hello")
        if self._answer_if_over():
            await _send(writer, self._answer_if_over())
            return
        handshake = InviterHandshake(code_digits(self.code), self._certificate, self._home_id, self._chain_head())
        await _send(writer, await asyncio.to_thread(handshake.challenge, hello))
        confirm = await _receive(reader, "confirm")
        verdict = self._judge(handshake, confirm)
        if verdict:
            await _send(writer, verdict)
            return
        arrival.entered()
        try:
            await _send(writer, handshake.proof())
            await self._let_in(reader, writer, handshake.joiner_certificate)
        finally:
            self._admitting = False

    def _judge(self, handshake: InviterHandshake, confirm: list[Any]) -> bytes:
        """Count this try; b"" when the joiner may come in. No await in here: a thousand guesses sent at once are
        judged one after another."""
        over = self._answer_if_over()
        if over:
            return over
        if handshake.check(confirm):
            self._admitting = True
            return b""
        self.tries_left -= 1
        log.warning("net.pairing_wrong_code", tries_left=self.tries_left)
        if self.tries_left <= 0:
            self.state = "spent"
            self._over.set()
        return message("wrong", max(self.tries_left, 0))

    def _answer_if_over(self) -> bytes:
        if self._admitting:
            return message("over", "joined")
        return b"" if self.state == "open" else message("over", self.state)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, certificate: bytes) -> None:
        (wishes,) = expect(await _receive(reader, "wishes"), dict)
        try:
            async with asyncio.timeout(ADMIT_S):
                welcome = await self._admit(certificate, wishes)
        except JarvisError as error:
            await _send(writer, message("refused", str(error)[:500], error.fix[:500]))
            return
        # From here on the home knows the joiner: this invitation is used, whatever becomes of the connection.
        self.state = "joined"
        await _send(writer, welcome.to_bytes())
        expect(await _receive(reader, "saved", SAVE_S))
        self.joined = node_id_of(public_key_of(certificate))
        log.info("net.joined", peer=to_text(self.joined))
        self._over.set()


class _Stream(asyncio.StreamReaderProtocol):
    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=HELLO_LIMITS.size_bytes)
        super().__init__(self.reader)


async def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    async with asyncio.timeout(MESSAGE_S):
        await write_frame(writer, frame)


async def _receive(reader: asyncio.StreamReader, kind: str, within_s: float = MESSAGE_S) -> list[Any]:
    async with asyncio.timeout(within_s):
        frame = await read_frame(reader, HELLO_LIMITS.size_bytes)
    got, fields = read_message(frame)
    if got != kind:
        raise InvalidBytes("A message of pairing came out of turn.")
    return fields


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS that asks no certificate: Python cannot ask for one that it does not know. The joiner's comes in its hello
    and is proven by a signature."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.set_alpn_protocols([ALPN])
    show_certificate(context, certificate, key)
    return context
