"""What goes between two nodes, seen by somebody on the network: TLS from the first byte to the last."""

from __future__ import annotations

from jarvis.testing.processes import agree, jarvis, linked, until
from tests.node.conftest import LINK_S, Home
from tests.node.liar import Recorder
from tests.node.test_nothing_readable import found_in

SPOKEN = ("zanzibar", "flowerpot")
VALUES = ("vermilion",)
CONTENT_TYPES = {20, 21, 22, 23}
APPLICATION_DATA = 23


def records_of(stream: bytes) -> list[tuple[int, int]]:
    """(content type, length) of every TLS record; fails on anything that is none. Source: RFC 8446, section 5.1."""
    found = []
    at = 0
    while at + 5 <= len(stream):
        kind, version, length = stream[at], stream[at + 1 : at + 3], int.from_bytes(stream[at + 3 : at + 5], "big")
        assert kind in CONTENT_TYPES and version in (b"\x03\x01", b"\x03\x03") and length <= 2**14 + 256
        found.append((kind, length))
        at += 5 + length
    return found


def test_a_recorder_between_two_nodes_sees_tls_only(home: Home) -> None:
    kitchen = home.node("kitchen")
    kitchen.start()
    recorder = Recorder(kitchen.peer_address)
    bedroom = home.node("bedroom", "--peer", recorder.address)
    bedroom.start()
    try:
        until(lambda: linked(kitchen, bedroom), LINK_S, "the link")
        session = kitchen.ask("Remember that the Zanzibar key is under the flowerpot.")["session_id"]
        bedroom.set_config("curtain.colour", "vermilion")
        until(lambda: agree(kitchen, bedroom), LINK_S, "agreement")
        assert "Zanzibar" in str(bedroom.get(f"/api/v2/sessions/{session}"))
        seen = [bytes(stream) for stream in recorder.streams]
    finally:
        recorder.close()
    assert len(seen) == 4, "a handshake to learn whose the address is, then one link; all of it went by the recorder"
    carried = [sum(length for kind, length in records_of(one) if kind == APPLICATION_DATA) for one in seen]
    assert max(carried[:2]) < 2_000 < min(carried[2:]), "the first carried certificates and no more"
    for stream in seen:
        assert not found_in(stream, SPOKEN + VALUES + ("kitchen", "bedroom"))
    secrets = [home.folder / "kitchen" / "keys" / "node.crt", home.folder / "bedroom" / "keys" / "node.crt"]
    from jarvis.net.tls import ssl

    for path in secrets:
        der = ssl.PEM_cert_to_DER_cert(path.read_text())
        assert not any(der[-64:] in stream for stream in seen), "TLS 1.3 hides the certificates too"


def test_a_pairing_seen_on_the_wire_shows_neither_code_nor_home(home: Home) -> None:
    kitchen = home.node("kitchen")
    kitchen.start()
    invitation = kitchen.post("/api/v2/nodes/invitations", {"name": "flowerpot", "room": "zanzibar"})
    recorder = Recorder(invitation["peer"])
    try:
        ran = jarvis(
            *("node", "join", invitation["code"], "--peer", recorder.address),
            data_dir=home.folder / "attic",
            env=home.env,
        )
        assert ran.json()["name"] == "flowerpot"
        seen = [bytes(stream) for stream in recorder.streams]
    finally:
        recorder.close()
    digits = "".join(filter(str.isdigit, invitation["code"]))
    for stream in seen:
        records_of(stream)
        assert not found_in(stream, ("flowerpot", "zanzibar", digits, invitation["code"]))
