"""Who is not a member gets no link, one line in the log, and does no harm. Real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from jarvis.core.errors import JarvisError
from jarvis.core.ids import to_text
from jarvis.net import accept
from jarvis.net.accept import HALF_OPEN_PER_ADDRESS, LOG_EVERY_S, LOGGED_ADDRESSES, RefusalLog
from jarvis.net.link import FIRST_FRAME_BYTES, MAX_FRAME_BYTES
from jarvis.net.settle import Ticket
from jarvis.net.tls import Trust
from jarvis.net.transport import TlsTransport
from jarvis.net.websocket import LINK_PATH, TICKET_HEADER
from jarvis.testing.virtual_time import run_virtual
from jarvis.testing.waiting import until
from tests.net.homes import Home, Identity, Node, certificate_for, linked, play, running

TICKET = Ticket(b"i" * 8, 1)


def test_a_stranger_is_refused_and_logged_once_and_the_home_goes_on(
    identities: list[Identity], stranger: Identity
) -> None:
    async def main() -> None:
        nodes = [Node(one, Home(*identities)) for one in identities[:2]]
        with capture_logs() as logs:
            async with running(*nodes):
                await until(lambda: linked(*nodes))
                # The stranger trusts everybody; nobody trusts the stranger.
                foreign = TlsTransport(
                    me=stranger.id,
                    members=Home(*identities, stranger),
                    certificate=stranger.certificate_file,
                    key=stranger.key_file,
                    bind="127.0.0.1",
                )
                for _ in range(5):
                    with pytest.raises(JarvisError):
                        link = await foreign.dial(nodes[0].address, TICKET, nodes[0].id)
                        await link.send(b"let me in")
                        assert await link.receive() is None
                        raise JarvisError(link.closed_reason)
                await foreign.close()
                assert linked(*nodes) and set(nodes[0].links) == {nodes[1].id}
        refused = [line for line in logs if line["event"] == "net.refused"]
        assert len(refused) == 1
        assert refused[0]["hint"] == "perhaps not a member" and refused[0]["address"] == "127.0.0.1"

    play(main)


def test_a_member_s_name_on_another_key_is_refused(identities: list[Identity], tmp_path: Path) -> None:
    async def main() -> None:
        home = Home(*identities)
        node = Node(identities[0], home)
        thief_key = Identity(tmp_path, 77).key
        thief = Identity(tmp_path, 77, certificate_for(thief_key, to_text(identities[1].id)))
        async with running(node, introduce=False):
            assert await _tls_verdict(node, thief.certificate_file, thief.key_file) == "refused"
            assert await _tls_verdict(node, identities[1].certificate_file, identities[1].key_file) == "let in"
            assert node.links == {}

    play(main)


def test_tls_1_2_and_no_certificate_are_refused(identities: list[Identity]) -> None:
    async def main() -> None:
        node = Node(identities[0], Home(*identities))
        async with running(node, introduce=False):
            member = identities[1]
            old = await _tls_verdict(node, member.certificate_file, member.key_file, newest=ssl.TLSVersion.TLSv1_2)
            assert old == "refused"
            assert await _tls_verdict(node, None, None) == "refused"

    play(main)


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\nHost: jarvis\r\n\r\n",
        b"\x00" * 400,
        b"\x16\x03\x01\xff\xff" + b"\x01" * 300,
        os.urandom(4096),
        b"",
    ],
    ids=["http", "zeros", "almost TLS", "noise", "silence and hang up"],
)
def test_anything_but_tls_is_let_go(identities: list[Identity], noise: bytes) -> None:
    async def main() -> None:
        nodes = [Node(one, Home(*identities)) for one in identities[:2]]
        async with running(*nodes):
            reader, writer = await asyncio.open_connection("127.0.0.1", nodes[0].port)
            writer.write(noise)
            if not noise:
                writer.close()
            else:
                async with asyncio.timeout(5):
                    with contextlib.suppress(ConnectionResetError):
                        assert b"HTTP" not in await reader.read()
                writer.close()
            await until(lambda: linked(*nodes))

    play(main)


@pytest.mark.parametrize("half", ["silent", "almost TLS"])
def test_two_hundred_half_open_connections_do_not_lock_members_out(identities: list[Identity], half: str) -> None:
    async def main() -> None:
        nodes = [Node(one, Home(*identities)) for one in identities[:2]]
        sockets: list[socket.socket] = []
        async with running(*nodes, introduce=False):
            before = _descriptors()
            for _ in range(200):
                one = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", nodes[0].port), 5)
                if half == "almost TLS":
                    one.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
                sockets.append(one)
            door = nodes[0].transport._server._door
            assert door is not None
            await until(lambda: len(door._half_open) >= HALF_OPEN_PER_ADDRESS)
            nodes[1].connector.learn(nodes[0].id, [nodes[0].address])
            await until(lambda: linked(*nodes), 3)
            assert len(door._half_open) <= HALF_OPEN_PER_ADDRESS
            for one in sockets:
                one.close()
            await until(lambda: len(door._half_open) == 0)
            # Our own two ends of the one link are all that is left.
            await until(lambda: _descriptors() <= before + 4)

    play(main)


def test_who_is_pushed_out_leaves_no_trace_in_the_loop(tmp_path: Path) -> None:
    """A socket closed under its transport leaves its number with the loop, which then fails whatever is dialled with
    that number: more than sixteen handshakes at once from one address would end all links of a node."""
    identities = [Identity(tmp_path, number) for number in range(HALF_OPEN_PER_ADDRESS + 4)]

    async def main() -> None:
        home = Home(*identities)
        nodes = [Node(one, home) for one in identities]
        async with running(*nodes):
            await until(lambda: linked(*nodes), 20)

    play(main)


def test_a_member_that_never_asks_for_its_link_is_hung_up_on(
    identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jarvis.net.server.HANDSHAKE_S", 0.2)

    async def main() -> None:
        node, member = Node(identities[0], Home(*identities)), identities[1]
        async with running(node, introduce=False):
            context = _client(member.certificate_file, member.key_file)
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=context)
            async with asyncio.timeout(3):
                assert await reader.read() == b""
            writer.close()

    play(main)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {TICKET_HEADER: TICKET.to_text()}, 400),
        (LINK_PATH, {}, 400),
        (LINK_PATH, {TICKET_HEADER: "0123456789abcdef.-1"}, 400),
        (LINK_PATH, {TICKET_HEADER: "x" * 4000}, 400),
        (LINK_PATH, {TICKET_HEADER: TICKET.to_text()}, 400),  # no WebSocket
    ],
)
def test_a_member_s_odd_request_is_answered_and_forgotten(
    identities: list[Identity], path: str, headers: dict[str, str], status: int
) -> None:
    async def main() -> None:
        node, member = Node(identities[0], Home(*identities)), identities[1]
        async with running(node, introduce=False), aiohttp.ClientSession() as session:
            context = _client(member.certificate_file, member.key_file)
            async with session.get(f"https://{node.address}{path}", headers=headers, ssl=context) as answer:
                assert answer.status == status
            assert node.links == {}

    play(main)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\x82\x7f" + struct.pack(">Q", MAX_FRAME_BYTES + 1), "a frame was too long"),
        (b"\x82\x7f" + struct.pack(">Q", 2**62), "a frame was too long"),
        (b"\x82\x7e" + struct.pack(">H", FIRST_FRAME_BYTES + 1) + bytes(FIRST_FRAME_BYTES + 1), "a frame was too long"),
        (b"\x81\x02hi", "a frame was not binary"),
        (b"\x83\x00", "not a valid WebSocket frame"),
        (b"\xc2\x01x", "not a valid WebSocket frame"),
    ],
    ids=["too long", "absurdly long", "first too long", "text", "unknown opcode", "compressed"],
)
def test_a_bad_frame_ends_that_link_only(identities: list[Identity], frame: bytes, reason: str) -> None:
    async def main() -> None:
        nodes = [Node(one, Home(*identities)) for one in identities[:2]]
        liar = identities[2]
        async with running(*nodes):
            await until(lambda: linked(*nodes))
            context = _client(liar.certificate_file, liar.key_file)
            _reader, writer = await asyncio.open_connection("127.0.0.1", nodes[0].port, ssl=context)
            writer.write(
                f"GET {LINK_PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n"
                f"{TICKET_HEADER}: {TICKET.to_text()}\r\n\r\n".encode()
            )
            await until(lambda: liar.id in nodes[0].links)
            masked = bytes([frame[0], frame[1] | 0x80]) + frame[2:]
            lengths = {0x7E: 2, 0x7F: 8}.get(frame[1], 0)
            writer.write(masked[: 2 + lengths] + bytes(4) + masked[2 + lengths :])
            await until(lambda: nodes[0].ended == [reason])
            writer.close()
            assert linked(*nodes)

    play(main)


def test_what_goes_over_the_wire_shows_nothing(identities: list[Identity]) -> None:
    """A recorder between two nodes sees neither frames nor node ids nor the path."""

    async def main() -> None:
        nodes = [Node(one, Home(*identities)) for one in identities[:2]]
        seen = bytearray()

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                seen.extend(data)
                sink.write(data)
            sink.close()

        async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", nodes[0].port)
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer), return_exceptions=True)

        recorder = await asyncio.start_server(record, "127.0.0.1", 0)
        async with running(*nodes, introduce=False):
            port = recorder.sockets[0].getsockname()[1]
            nodes[1].connector.learn(nodes[0].id, [f"127.0.0.1:{port}"])
            await until(lambda: linked(*nodes))
            secret = b"what time is it in the kitchen"
            await nodes[1].links[nodes[0].id].send(secret * 100)
            await nodes[0].links[nodes[1].id].send(secret * 100)
            await until(lambda: all(any(secret in frame for _, frame in node.received) for node in nodes))
            assert len(seen) > 6000
            for plain in (secret, LINK_PATH.encode(), *(one.id for one in identities), b"hello from"):
                assert plain not in seen
            for one in identities:
                assert to_text(one.id).encode() not in seen, "TLS 1.3 hides the certificates too"
        recorder.close()

    play(main)


def test_the_refusal_log_is_quiet_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    log = RefusalLog(lambda: now)
    lines: list[Any] = []
    monkeypatch.setattr(accept.log, "warning", lambda *_args, **line: lines.append(line), raising=False)
    for _ in range(100):
        log.refused("10.0.0.1", "why")
    log.refused("10.0.0.2", "why")
    assert [line["address"] for line in lines] == ["10.0.0.1", "10.0.0.2"]
    now += LOG_EVERY_S
    log.refused("10.0.0.1", "why")
    assert len(lines) == 3
    for index in range(2 * LOGGED_ADDRESSES):
        log.refused(f"host{index}", "why")
    assert len(log._last) == LOGGED_ADDRESSES


def test_a_door_without_descriptors_says_so_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[dict[str, object]] = []
    monkeypatch.setattr(accept.log, "warning", lambda _event, **fields: logged.append(fields), raising=False)

    async def main() -> None:
        tries = 0

        async def sock_accept(_listener: socket.socket) -> None:
            nonlocal tries
            tries += 1
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(asyncio.get_running_loop(), "sock_accept", sock_accept)
        with socket.socket() as listener:
            door = accept.Door(listener, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), asyncio.Protocol, _never)
            serving = asyncio.create_task(door.serve())
            await asyncio.sleep(30)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        assert tries > 100 and len(logged) == 1 and "EMFILE" in str(logged[0]["why"])

    run_virtual(main)


async def _never(_arrival: accept.Arrival) -> None:
    raise AssertionError("nobody came")


def test_a_damaged_member_certificate_leaves_the_others_reachable(identities: list[Identity], tmp_path: Path) -> None:
    trust = Trust(identities[0].certificate_file, identities[0].key_file)
    other_key = Identity(tmp_path, 55).key
    members = {one.id: one.certificate for one in identities}
    members[b"n" * 16] = b"not a certificate"
    members[identities[2].id] = certificate_for(other_key, to_text(identities[2].id))
    trust.update(members)
    assert trust.member_of(identities[1].certificate) == identities[1].id
    assert trust.member_of(members[identities[2].id]) is None
    assert trust.member_of(None) is None
    assert len(trust.client.get_ca_certs(binary_form=True) or []) <= 2


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _client(certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


async def _tls_verdict(
    node: Node, certificate: Path | None, key: Path | None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> str:
    """Whether the door lets this certificate through TLS: a member hears the HTTP answer, others nothing."""
    context = _client(certificate, key)
    context.maximum_version = newest
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", node.port, ssl=context)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await reader.read(100)
            writer.close()
    except OSError:
        return "refused"
    return "let in" if answer.startswith(b"HTTP/1.1 400") else "refused"


def test_removal_reaches_the_trust_store_of_a_listening_socket(identities: list[Identity]) -> None:
    """Not only the comparison after the handshake: TLS itself refuses, without a new listener."""

    async def main() -> None:
        home = Home(*identities)
        node, member = Node(identities[0], home), identities[1]
        async with running(node, introduce=False):
            assert await _tls_verdict(node, member.certificate_file, member.key_file) == "let in"
            del home.members[member.id]
            node.connector.members_changed()
            with capture_logs() as logs:
                assert await _tls_verdict(node, member.certificate_file, member.key_file) == "refused"
            assert [line["why"] for line in logs] == ["certificate not trusted (self-signed certificate)"]
            home.members[member.id] = member.certificate
            node.connector.members_changed()
            assert await _tls_verdict(node, member.certificate_file, member.key_file) == "let in"

    play(main)


def test_the_comparison_refuses_what_the_trust_store_lets_through(
    identities: list[Identity], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        node, member = Node(identities[0], Home(*identities)), identities[1]
        async with running(node, introduce=False):
            monkeypatch.setattr(node.transport._trust, "member_of", lambda _certificate: None)
            with capture_logs() as logs:
                assert await _tls_verdict(node, member.certificate_file, member.key_file) == "refused"
            assert [line["why"] for line in logs] == ["not a member's certificate"]

    play(main)


def test_no_session_is_resumed_past_the_trust_store(identities: list[Identity]) -> None:
    async def main() -> None:
        node, member = Node(identities[0], Home(*identities)), identities[1]

        def has_ticket() -> bool:
            context = _client(member.certificate_file, member.key_file)
            with (
                socket.create_connection(("127.0.0.1", node.port), 5) as tcp,
                context.wrap_socket(tcp) as connection,
            ):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 400")  # tickets come before the first answer
                session = connection.session
                return session is not None and session.has_ticket

        async with running(node, introduce=False):
            assert not await asyncio.to_thread(has_ticket)

    play(main)
