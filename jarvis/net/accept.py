"""The door to the network: a listening TCP port whose strangers can neither exhaust the node nor fill its log. It
finishes TLS handshakes under a deadline and hands over what came through; it never reads what they say."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from jarvis.core.errors import BadConfiguration

HALF_OPEN_PER_ADDRESS = 16
"""Connections of one address that are not through yet. An honest handshake takes milliseconds, so when there are
more, the oldest is somebody who stalls, and is cut to make room."""
HALF_OPEN = 128
"""The same for all addresses together: file descriptors are few (1,024 by default)."""
HANDSHAKE_S = 8.0
"""How long one may be half-open. A small board under load needs about 1 s."""
ACCEPT_AGAIN_S = 0.2
LOG_EVERY_S = 60.0
LOGGED_ADDRESSES = 256
"""Addresses whose refusal is remembered as logged; beyond, the oldest is forgotten."""
BACKLOG = 128

log = structlog.get_logger()


def bind_socket(bind: str, port: int) -> socket.socket:
    """A listening socket on `bind` (an IP address; `::` takes IPv4 too) and `port` (0 = any free one).

    Raises BadConfiguration, saying what stands in the way.
    """
    try:
        version = ipaddress.ip_address(bind.partition("%")[0]).version
    except ValueError:
        raise BadConfiguration(
            f"{bind!r} is not an IP address.", fix="Give --bind an address of this device."
        ) from None
    listener = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if version == 6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if bind == "::" else 1)
        listener.bind((bind, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise BadConfiguration(
                f"Port {port} is taken.", fix="Stop the program that uses it, or choose another port."
            ) from None
        if error.errno == errno.EACCES:
            raise BadConfiguration(f"Port {port} is reserved.", fix="Choose a port above 1023.") from None
        raise BadConfiguration(
            f"This device cannot listen on {bind} ({error.strerror}).", fix="Give --bind an address of this device."
        ) from None
    return listener


@dataclass(eq=False)
class Arrival:
    """A connection whose TLS handshake is done."""

    transport: asyncio.Transport
    protocol: asyncio.Protocol
    host: str
    """The remote IP address."""
    entered: Callable[[], None]
    """To be called once the connection has proven itself: it no longer counts as half-open."""


class RefusalLog:
    """Says once a minute for each address that somebody there was turned away."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last: dict[str, float] = {}

    def refused(self, host: str, why: str, hint: str = "perhaps not a member") -> None:
        last, now = self._last.get(host), self._now()
        if last is not None and now - last < LOG_EVERY_S:
            return
        self._last.pop(host, None)
        self._last[host] = now
        if len(self._last) > LOGGED_ADDRESSES:
            del self._last[next(iter(self._last))]
        log.warning("net.refused", address=host, why=why, hint=hint)


class Door:
    """Accepts on one socket and brings each connection through TLS."""

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        protocol: Callable[[], asyncio.Protocol],
        greet: Callable[[Arrival], Awaitable[None]],
    ) -> None:
        """`greet` runs for the whole life of an arrival, or for as long as it cares; it has its own deadlines."""
        self._listener = listener
        self._context = context
        self._protocol = protocol
        self._greet = greet
        self._half_open: dict[asyncio.Task[None], str] = {}
        self.refusals = RefusalLog()

    async def serve(self) -> None:
        """Accept until cancelled or closed."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while self._listener.fileno() != -1:
                try:
                    connection, remote = await loop.sock_accept(self._listener)
                except OSError as error:  # out of descriptors, or the connection was reset while it waited
                    code = errno.errorcode.get(error.errno or 0, "?")
                    self.refusals.refused("anybody", f"no connection can be taken ({code})", "see `ulimit -n`")
                    await asyncio.sleep(ACCEPT_AGAIN_S)
                    continue
                self._make_room(remote[0])
                task = group.create_task(self._bring_in(connection, remote[0]))
                self._half_open[task] = remote[0]
                task.add_done_callback(self._forget)

    def close(self) -> None:
        self._listener.close()

    def _make_room(self, host: str) -> None:
        same = [task for task, address in self._half_open.items() if address == host]
        if len(same) >= HALF_OPEN_PER_ADDRESS:
            victim = same[0]
        elif len(self._half_open) >= HALF_OPEN:
            victim = next(iter(self._half_open))
        else:
            return
        self.refusals.refused(self._half_open.pop(victim), "too many unfinished connections")
        victim.cancel()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._half_open.pop(task, None)

    async def _bring_in(self, connection: socket.socket, host: str) -> None:
        loop = asyncio.get_running_loop()
        me = asyncio.current_task()
        assert me is not None
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, protocol = await loop.connect_accepted_socket(
                self._protocol, connection, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError as error:  # ssl.SSLError and the handshake's time-out are among them
            self.refusals.refused(host, _why(error))
            return
        finally:
            if me.cancelling():
                # Its transport owns it, and closes it at the end of the stream. Closed under the transport, its number
                # would stay with the loop, which then fails whatever is dialled with that number.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        try:
            await self._greet(Arrival(transport, protocol, host, lambda: self._forget(me)))
        except BaseException:
            transport.abort()
            raise


def _why(error: OSError) -> str:
    """The library's short name for what was wrong with a handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return (error.reason or type(error).__name__).lower().replace("_", " ")
    return "the handshake was not finished"
