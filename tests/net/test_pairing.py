"""Pairing by code, over real sockets: right codes, wrong ones, late ones, and people in between."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.codec import HELLO_LIMITS
from jarvis.core.errors import InvalidBytes, InvalidInput, StoreFailed, Unreachable
from jarvis.net.discovery import Discovery
from jarvis.net.frames import read_frame, write_frame
from jarvis.net.invitation import TRIES, Invitation
from jarvis.net.join import join
from jarvis.net.pairing import (
    ALPN,
    CodeWrong,
    InvitationExpired,
    InvitationSpent,
    InvitationUsed,
    InviterHandshake,
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
    new_code,
    read_message,
)
from jarvis.testing.waiting import until
from tests.net.homes import Home, Identity, Node, play, running

HOME_ID, HEAD = b"h" * 16, b"c" * 32


class Inviting:
    """A home that invites, and what it was asked."""

    def __init__(self, identity: Identity, **more: Any) -> None:
        self.identity = identity
        self.admitted: list[bytes] = []
        self.wishes: list[dict[str, Any]] = []
        self.refuse: Unreachable | None = None
        more.setdefault("bind", "127.0.0.1")
        self.invitation = Invitation(
            certificate=identity.certificate,
            certificate_file=identity.certificate_file,
            key_file=identity.key_file,
            home_id=HOME_ID,
            chain_head=lambda: HEAD,
            admit=self.admit,
            **more,
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.invitation.port}"

    @property
    def code(self) -> str:
        return self.invitation.code

    @property
    def wrong_code(self) -> str:
        return f"{(int(self.code.replace('-', '')) + 1) % 10**8:08}"

    async def admit(self, certificate: bytes, wishes: dict[str, Any]) -> Welcome:
        if self.refuse is not None:
            raise self.refuse
        self.admitted.append(certificate)
        self.wishes.append(wishes)
        return Welcome(
            [(b"founding entry" * 100, b"s" * 64)] * 200, "Our home", wishes.get("name", ""), "kitchen",
            ["127.0.0.1:7001"], self.identity.id,
        )  # fmt: skip


@asynccontextmanager
async def inviting(identity: Identity, **more: Any) -> AsyncIterator[Inviting]:
    home = Inviting(identity, **more)
    home.invitation.open()
    async with asyncio.TaskGroup() as group:
        group.create_task(home.invitation.run())
        try:
            yield home
        finally:
            home.invitation.close()


async def join_as(joiner: Identity, code: str, address: str | None, **more: Any) -> Welcome:
    return await join(code, joiner.key, joiner.certificate, address=address, **more)


def test_a_right_code_brings_the_welcome(identities: list[Identity]) -> None:
    async def main() -> None:
        saved: list[Welcome] = []

        async def save(welcome: Welcome, proven: Proven) -> None:
            assert proven == Proven(HOME_ID, HEAD)
            assert not home.invitation.joined, "the inviter waits until the joiner has saved"
            saved.append(welcome)

        async with inviting(identities[0]) as home:
            welcome = await join_as(
                identities[1], home.code, home.address, wishes={"name": "Küche", "room": "kitchen"}, save=save
            )
            assert saved == [welcome]
            assert welcome.home_name == "Our home" and welcome.name == "Küche" and len(welcome.chain) == 200
            assert welcome.inviter == identities[0].id
            assert home.admitted == [identities[1].certificate]
            assert home.wishes == [{"name": "Küche", "room": "kitchen"}]
            await until(lambda: home.invitation.joined == identities[1].id)

    play(main)


def test_a_code_may_be_typed_with_or_without_its_dash() -> None:
    for _ in range(50):
        code = new_code()
        assert len(code) == 9 and code[4] == "-"
        assert code_digits(code) == code_digits(code.replace("-", "")) == code_digits(" " + code.replace("-", " "))
    for bad in ("", "1234", "1234-56789", "abcd-efgh", "١٢٣٤-٥٦٧٨", "12 34 56 7x"):
        with pytest.raises(InvalidInput, match="eight digits"):
            code_digits(bad)


def test_a_wrong_code_costs_a_try_and_says_how_many_are_left(identities: list[Identity]) -> None:
    async def main() -> None:
        async with inviting(identities[0]) as home:
            for left in range(TRIES - 1, 0, -1):
                with pytest.raises(CodeWrong, match=rf"The code is not right; {left} tr(y is|ies are) left\."):
                    await join_as(identities[1], home.wrong_code, home.address)
            with pytest.raises(InvitationSpent, match="no tries are left"):
                await join_as(identities[1], home.wrong_code, home.address)
            with pytest.raises(InvitationSpent, match="too many wrong codes"):
                await join_as(identities[1], home.code, home.address)
            assert home.admitted == []

    play(main)


def test_mistyped_once_then_right(identities: list[Identity]) -> None:
    async def main() -> None:
        async with inviting(identities[0]) as home:
            with pytest.raises(CodeWrong):
                await join_as(identities[1], home.wrong_code, home.address)
            await join_as(identities[1], home.code, home.address)

    play(main)


def test_a_code_works_once(identities: list[Identity]) -> None:
    async def main() -> None:
        async with inviting(identities[0]) as home:
            await join_as(identities[1], home.code, home.address)
            with pytest.raises(InvitationUsed, match="works once"):
                await join_as(identities[2], home.code, home.address)
            assert home.admitted == [identities[1].certificate]

    play(main)


def test_a_late_joiner_is_told_that_it_is_late_then_nobody_listens(identities: list[Identity]) -> None:
    async def main() -> None:
        async with inviting(identities[0], lifetime_s=0.05, late_s=0.5) as home:
            await until(lambda: home.invitation.state == "expired")
            with pytest.raises(InvitationExpired, match="expired") as caught:
                await join_as(identities[1], home.code, home.address)
            assert "invite" in caught.value.fix

            await until(lambda: home.invitation._door is not None and home.invitation._door._listener.fileno() == -1)
            with pytest.raises(InviterUnreachable):
                await join_as(identities[1], home.code, home.address)

    play(main)


def test_no_invitation_and_nobody_there_are_told_apart(identities: list[Identity]) -> None:
    async def main() -> None:
        node = Node(identities[0], Home(*identities))
        async with running(node, introduce=False):
            with pytest.raises(NoInvitation, match="no invitation open"):
                await join_as(identities[1], "1234-5678", node.address)
        with pytest.raises(InviterUnreachable, match="Nobody answers at"):
            await join_as(identities[1], "1234-5678", node.address)
        with pytest.raises(NoInvitation, match="No invitation was found"):
            await join_as(identities[1], "1234-5678", None, find=_find_none)

    play(main)


async def _find_none(_within_s: float) -> list[list[str]]:
    return []


def test_the_peer_port_s_neighbour_is_tried(identities: list[Identity]) -> None:
    async def main() -> None:
        for _ in range(5):  # somebody else may have the neighbour of a port
            node = Node(identities[0], Home(*identities))
            async with running(node, introduce=False), inviting(identities[0], prefer_port=node.port + 1) as home:
                if home.invitation.port == node.port + 1:
                    assert (await join_as(identities[1], home.code, node.address)).home_name == "Our home"
                    return
        pytest.fail("five ports in a row had a taken neighbour")

    play(main)


def test_a_taken_port_is_not_the_end_of_an_invitation(identities: list[Identity]) -> None:
    async def main() -> None:
        async with inviting(identities[0]) as first, inviting(identities[0], prefer_port=first.invitation.port) as home:
            assert home.invitation.port not in (0, first.invitation.port)
            await join_as(identities[1], home.code, home.address)

    play(main)


def test_the_home_s_refusal_reaches_the_joiner_and_leaves_the_code_good(identities: list[Identity]) -> None:
    async def main() -> None:
        async with inviting(identities[0]) as home:
            home.refuse = Unreachable("The owner's node 'attic' cannot be reached.", fix="Turn it on.")
            with pytest.raises(JoinRefused, match="'attic' cannot be reached") as caught:
                await join_as(identities[1], home.code, home.address)
            assert caught.value.fix == "Turn it on."
            home.refuse = None
            await join_as(identities[1], home.code, home.address)

    play(main)


def test_who_has_saved_has_joined_whether_or_not_the_inviter_hears_of_it(
    identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cut(writer: asyncio.StreamWriter, frame: bytes) -> None:
        if read_message(frame)[0] == "saved":
            raise ConnectionResetError
        await write_frame(writer, frame)

    monkeypatch.setattr("jarvis.net.join.write_frame", cut)

    async def main() -> None:
        saved: list[Welcome] = []

        async def save(welcome: Welcome, _proven: Proven) -> None:
            saved.append(welcome)

        async with inviting(identities[0]) as home:
            assert [await join_as(identities[1], home.code, home.address, save=save)] == saved

    play(main)


def test_a_joiner_that_vanished_before_saving_joins_again_with_a_new_code(identities: list[Identity]) -> None:
    async def main() -> None:
        async def disk_full(_welcome: Welcome, _proven: Proven) -> None:
            raise OSError(28, "No space left on device")

        async with inviting(identities[0]) as home:
            with pytest.raises(StoreFailed, match="No space left"):
                await join_as(identities[1], home.code, home.address, save=disk_full)
            assert home.admitted and home.invitation.joined is None
            with pytest.raises(InvitationUsed):
                await join_as(identities[1], home.code, home.address)
        async with inviting(identities[0]) as home:
            await join_as(identities[1], home.code, home.address)

    play(main)


def test_a_certificate_without_its_key_is_not_admitted(identities: list[Identity]) -> None:
    async def main() -> None:
        async with inviting(identities[0]) as home:
            with pytest.raises(CodeWrong):
                await join(home.code, identities[2].key, identities[1].certificate, address=home.address)
            assert home.admitted == []

    play(main)


def test_somebody_in_between_without_the_code_is_found_out(identities: list[Identity]) -> None:
    """The joiner reaches another device, which guesses a code. It gets one guess and the joiner tells it nothing."""

    async def main() -> None:
        async with inviting(identities[2]) as impostor:
            with pytest.raises(CodeWrong):
                await join_as(identities[1], impostor.wrong_code, impostor.address, wishes={"name": "secret"})
            assert impostor.wishes == []

        # One that says "right" to any code: the joiner asks for proof before it says anything more.
        said: list[bytes] = []

        async def agree_to_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handshake = InviterHandshake(b"00000000", identities[2].certificate, HOME_ID, HEAD)
            _, hello = read_message(await read_frame(reader, HELLO_LIMITS.size_bytes))
            await write_frame(writer, handshake.challenge(hello))
            await read_frame(reader, HELLO_LIMITS.size_bytes)
            await write_frame(writer, handshake.proof())
            said.append(await reader.read())
            writer.close()

        async with _tls_server(identities[2], agree_to_all) as address:
            with pytest.raises(InviterNotProven, match="does not know this code; nothing was told"):
                await join_as(identities[1], "1234-5678", address, wishes={"name": "secret"})
            await until(lambda: said == [b""])

    play(main)


def test_a_relay_with_its_own_certificate_gains_nothing(identities: list[Identity]) -> None:
    """Both ends know the code, but TLS ends in between: the certificates in the transcript differ."""

    async def main() -> None:
        async with inviting(identities[0]) as home:

            async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                inner_reader, inner_writer = await asyncio.open_connection(*home.address.split(":"), ssl=_client())

                async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                    while data := await source.read(65536):
                        sink.write(data)
                    sink.close()

                await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer), return_exceptions=True)

            async with _tls_server(identities[2], relay) as address:
                with pytest.raises(CodeWrong):
                    await join_as(identities[1], home.code, address)
            assert home.admitted == []

    play(main)


def test_nothing_but_the_right_order_is_answered(identities: list[Identity]) -> None:
    async def main() -> None:
        good = JoinerHandshake(b"12345678", identities[1].key, identities[1].certificate).hello()
        _, (version, spake, certificate) = read_message(good)
        inviter_like = InviterHandshake(b"1" * 8, identities[0].certificate, HOME_ID, HEAD).challenge(
            [version, spake, certificate]
        )
        bad = [
            b"",
            b"\xc1",
            b"\x00" * 100,
            message("wishes", {}),
            message("confirm", b"x" * 32, b"y" * 64),
            message("hello", 1),
            message("hello", 2, spake, certificate),
            message("hello", True, spake, certificate),
            message("hello", 1, b"", certificate),
            message("hello", 1, b"A" + b"\xff" * 32, certificate),
            message("hello", 1, b"A" + bytes(32), certificate),
            message("hello", 1, b"A\x01" + bytes(31), certificate),
            message("hello", 1, b"B" + spake[1:], certificate),
            message("hello", 1, b"S" + spake[1:], certificate),
            message("hello", 1, spake, b"not a certificate"),
            message("hello", 1, spake, certificate * 50),
            inviter_like,
            message("hello", 1, read_message(inviter_like)[1][0], certificate),
        ]
        async with inviting(identities[0]) as home:
            for frame in bad:
                reader, writer = await asyncio.open_connection(*home.address.split(":"), ssl=_client())
                await write_frame(writer, frame)
                answer = await reader.read()
                assert b"refused" in answer and b"challenge" not in answer, frame
                writer.close()
            # A length that lies is not waited for.
            reader, writer = await asyncio.open_connection(*home.address.split(":"), ssl=_client())
            writer.write(b"\xff\xff\xff\xff")
            assert b"refused" in await reader.read()
            writer.close()
            assert home.invitation.tries_left == TRIES
            await join_as(identities[1], home.code, home.address)

    play(main)


def test_a_thousand_guesses_at_once_are_five(identities: list[Identity]) -> None:
    async def main() -> None:
        async with inviting(identities[0]) as home:
            errors = await asyncio.gather(
                *(join_as(identities[1], home.wrong_code, home.address) for _ in range(12)), return_exceptions=True
            )
            wrong = [error for error in errors if isinstance(error, CodeWrong)]
            assert len(wrong) == TRIES - 1
            assert sum(isinstance(error, InvitationSpent) for error in errors) == len(errors) - len(wrong)
            assert home.invitation.state == "spent"

    play(main)


def test_the_invitation_is_found_over_mdns(identities: list[Identity]) -> None:
    async def main() -> None:
        discovery = Discovery(
            me=identities[0].id, home=HOME_ID, port=7001, bind="127.0.0.1", found=lambda _node, _addresses: None
        )
        task = asyncio.create_task(discovery.run())
        await until(lambda: discovery.announcing)
        async with inviting(identities[0], announcer=discovery) as home:
            began = time.monotonic()
            welcome = await join_as(identities[1], home.code, None, find=_find_on_loopback)
            assert welcome.inviter == identities[0].id
            assert time.monotonic() - began < 8
        assert await _find_on_loopback(0.3) == [], "it is announced only as long as it is open"
        task.cancel()
        await asyncio.wait([task])

    play(main)


async def _find_on_loopback(within_s: float) -> list[list[str]]:
    from jarvis.net.discovery import find_invitations

    return await find_invitations(within_s, "127.0.0.1")


@given(st.binary(max_size=80))
def test_any_bytes_as_a_spake_message_are_refused_or_useless(noise: bytes) -> None:
    from jarvis.identity.certificate import make_certificate
    from jarvis.identity.keys import SigningKey

    key = SigningKey(b"k" * 32)
    inviter = InviterHandshake(b"12345678", make_certificate(key), HOME_ID, HEAD)
    try:
        inviter.challenge([1, noise, make_certificate(key)])
    except InvalidBytes:
        return
    assert not inviter.check([noise[:32].ljust(32), bytes(64)])


@given(st.recursive(st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=3) | st.binary(max_size=3),
                    lambda inner: st.lists(inner, max_size=3), max_leaves=6))  # fmt: skip
def test_a_welcome_of_any_shape_is_refused(value: Any) -> None:
    with pytest.raises(InvalidBytes):
        Welcome.from_fields(value if isinstance(value, list) else [value])


def test_expect_minds_exact_types() -> None:
    with pytest.raises(InvalidBytes):
        expect([True], int)
    assert expect([1, b""], int, bytes) == [1, b""]


def _client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ALPN])
    return context


@asynccontextmanager
async def _tls_server(identity: Identity, handler: Any) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate_file, identity.key_file)
    context.set_alpn_protocols([ALPN])
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
