"""Joining a home with a code: finds the inviter, proves the code, hands over the welcome. It sends nothing but SPAKE2
and its public certificate to anybody who has not proven the same code."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from jarvis.core.codec import HELLO_LIMITS
from jarvis.core.errors import DeadlineExceeded, InvalidBytes, JarvisError, StoreFailed
from jarvis.identity.keys import SigningKey
from jarvis.net.addresses import join_address, split_address
from jarvis.net.discovery import find_invitations
from jarvis.net.frames import read_frame, write_frame
from jarvis.net.pairing import (
    ALPN,
    WELCOME_LIMITS,
    CodeWrong,
    InvitationExpired,
    InvitationSpent,
    InvitationUsed,
    InviterNotProven,
    InviterUnreachable,
    JoinerHandshake,
    JoinRefused,
    NoInvitation,
    Proven,
    Welcome,
    code_digits,
    expect,
    message,
    read_message,
)

CONNECT_S = 5.0
SEARCH_S = 5.0
"""How long to listen for invitations; one that is open answers within 2 s."""
MESSAGE_S = 10.0
WELCOME_S = 40.0
"""The inviter has 30 s to sign and keep the admission."""
INVITE_AGAIN = "Run `jarvis node invite` on a node of the home and use the new code."

Find = Callable[[float], Awaitable[list[list[str]]]]
Save = Callable[[Welcome, Proven], Awaitable[None]]


async def join(
    code: str,
    key: SigningKey,
    certificate: bytes,
    *,
    address: str | None = None,
    wishes: dict[str, Any] | None = None,
    save: Save | None = None,
    find: Find = find_invitations,
    home_id: bytes | None = None,
    deadline_s: float = 60.0,
) -> Welcome:
    """Join the home whose node shows `code`, as the node of `key` and `certificate` (DER).

    `address` is HOST:PORT of the inviter's peer port or of its invitation; without it, every invitation announced
    on the network is tried. `wishes` may hold `name` and `room`. `save` checks that the welcome is the proven home's
    and keeps it; it is awaited before the inviter is told that all went well. When it fails, or this process ends
    before, joining again with a new code works.

    Raises CodeWrong, InvitationExpired, InvitationUsed, InvitationSpent, NoInvitation, InviterUnreachable,
    InviterNotProven, JoinRefused, DeadlineExceeded, InvalidInput; each says what to do.
    """
    digits = code_digits(code)
    attempt = _Attempt(digits, key, certificate, wishes or {}, save, home_id)
    try:
        async with asyncio.timeout(deadline_s):
            return await attempt.anywhere(await _candidates(address, find))
    except TimeoutError:
        raise DeadlineExceeded(f"Joining took longer than {deadline_s:.0f} s.", fix=INVITE_AGAIN) from None


async def _candidates(address: str | None, find: Find) -> list[list[str]]:
    """Where an invitation may be: one list of equal addresses for each place, likeliest first."""
    if address is not None:
        host, port = split_address(address)
        # The invitation prefers the port after the peer port.
        return [[address], [join_address(host, port + 1)]] if port < 65535 else [[address]]
    found = await find(SEARCH_S)
    if not found:
        raise NoInvitation(
            "No invitation was found on this network.",
            fix="Run `jarvis node invite` on a node of the home, or name the node with --peer HOST:PORT.",
        )
    return found


class _Attempt:
    def __init__(
        self,
        digits: bytes,
        key: SigningKey,
        certificate: bytes,
        wishes: dict[str, Any],
        save: Save | None,
        home_id: bytes | None,
    ) -> None:
        self._digits, self._key, self._certificate = digits, key, certificate
        self._wishes, self._save, self._home_id = wishes, save, home_id

    async def anywhere(self, places: list[list[str]]) -> Welcome:
        """The first place that welcomes us; else the error that says most."""
        errors: list[JarvisError] = []
        for addresses in places:
            try:
                return await self._at(addresses)
            except (CodeWrong, *_LESSER) as error:
                errors.append(error)
        raise max(errors, key=_weight)

    async def _at(self, addresses: list[str]) -> Welcome:
        for address in addresses:
            try:
                reader, writer = await _connect(address)
            except InviterUnreachable:
                if address == addresses[-1]:
                    raise
                continue
            try:
                return await self._converse(reader, writer, address)
            except InvalidBytes:
                raise InviterNotProven(
                    f"The answer from {address} is not that of an inviting node.", fix=INVITE_AGAIN
                ) from None
            except (OSError, EOFError, TimeoutError):
                raise InviterUnreachable(
                    f"The connection to {address} broke off while joining.", fix=INVITE_AGAIN
                ) from None
            finally:
                writer.close()
                with contextlib.suppress(OSError, TimeoutError):
                    async with asyncio.timeout(1):
                        await writer.wait_closed()
        raise InviterUnreachable("The invitation names no address.", fix=INVITE_AGAIN)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, address: str) -> Welcome:
        connection = writer.get_extra_info("ssl_object")
        if connection.selected_alpn_protocol() != ALPN:
            raise NoInvitation(f"The node at {address} has no invitation open.", fix=INVITE_AGAIN)
        handshake = await asyncio.to_thread(JoinerHandshake, self._digits, self._key, self._certificate)
        await write_frame(writer, handshake.hello())
        challenge = await _receive(reader, "challenge")
        seen = connection.getpeercert(binary_form=True) or b""
        await write_frame(writer, await asyncio.to_thread(handshake.confirm, challenge, seen))
        proven = handshake.check(await _receive(reader, "proof"))
        if proven is None:
            raise InviterNotProven(
                "Whoever answered does not know this code; nothing was told to it.",
                fix="Check that the code is of this home's inviting node; somebody may be in between.",
            )
        if self._home_id not in (None, proven.home_id):
            raise JoinRefused(
                "That code is another home's than this data directory's.", fix="Join it with an empty --data-dir."
            )
        await write_frame(writer, message("wishes", self._wishes))
        welcome = Welcome.from_fields(await _receive(reader, "welcome", WELCOME_S))
        await self._keep(welcome, proven)
        with contextlib.suppress(OSError):  # we have joined, whether or not the inviter hears of it
            await write_frame(writer, message("saved"))
        return welcome

    async def _keep(self, welcome: Welcome, proven: Proven) -> None:
        if self._save is None:
            return
        try:
            await self._save(welcome, proven)
        except OSError as error:  # told apart from a broken connection
            raise StoreFailed(f"What the home gave could not be saved ({error.strerror}).", fix=INVITE_AGAIN) from None


async def _receive(reader: asyncio.StreamReader, kind: str, within_s: float = MESSAGE_S) -> list[Any]:
    """The next message's fields; a refusal is raised as its error."""
    limits = WELCOME_LIMITS if kind == "welcome" else HELLO_LIMITS
    async with asyncio.timeout(within_s):
        frame = await read_frame(reader, limits.size_bytes)
    got, fields = read_message(frame, limits)
    if got != kind:
        _raise(got, fields)
    return fields


def _raise(kind: str, fields: list[Any]) -> NoReturn:
    """What the inviter said instead of going on, as an error."""
    if kind == "wrong":
        (left,) = expect(fields, int)
        if left > 0:
            tries = "1 try is" if left == 1 else f"{left} tries are"
            raise CodeWrong(f"The code is not right; {tries} left.", fix="Type it as the inviting node shows it.")
        raise InvitationSpent("The code is not right, and no tries are left.", fix=INVITE_AGAIN)
    if kind == "refused":
        sentence, fix = expect(fields, str, str)
        raise JoinRefused(sentence or "The home refused.", fix=fix)
    if kind == "over":
        (state,) = expect(fields, str)
        if state == "expired":
            raise InvitationExpired("The invitation has expired.", fix=INVITE_AGAIN)
        if state == "joined":
            raise InvitationUsed("The invitation was used already; a code works once.", fix=INVITE_AGAIN)
        if state == "spent":
            raise InvitationSpent("The invitation ended after too many wrong codes.", fix=INVITE_AGAIN)
        raise NoInvitation("The invitation was withdrawn.", fix=INVITE_AGAIN)
    raise InvalidBytes("A message of pairing came out of turn.")


_LESSER = (InviterUnreachable, NoInvitation, InviterNotProven, InvitationExpired, InvitationUsed, InvitationSpent)
"""Errors after which another place may still be the right one, the least telling first."""


def _weight(error: JarvisError) -> int:
    """How much an error says about what to do, when several places were tried."""
    return _LESSER.index(type(error)) if type(error) in _LESSER else len(_LESSER)


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    # SPAKE2 proves the certificate that TLS showed.
    context.verify_mode = ssl.CERT_NONE  # nosec B501
    context.set_alpn_protocols([ALPN])
    host, port = split_address(address)
    try:
        async with asyncio.timeout(CONNECT_S):
            return await asyncio.open_connection(host, port, ssl=context, limit=HELLO_LIMITS.size_bytes)
    except ssl.SSLError:
        raise NoInvitation(f"What answers at {address} is not an inviting node.", fix=INVITE_AGAIN) from None
    except (OSError, TimeoutError):
        raise InviterUnreachable(
            f"Nobody answers at {address}.", fix="Check the address, and that both devices are on the same network."
        ) from None
