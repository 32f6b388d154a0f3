"""A data directory becomes a node whole, or stays empty."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import BadConfiguration, InvalidInput
from jarvis.identity.certificate import key_pem, make_certificate
from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.net.invitation import Invitation
from jarvis.net.pairing import Welcome
from jarvis.node.membership.founding import join_home

OWNER, INVITER = SigningKey(bytes([1]) * 32), SigningKey(bytes([2]) * 32)
CERTIFICATE = make_certificate(INVITER)


@pytest.mark.parametrize("wish", [{"name": "x" * 65, "room": None}, {"name": None, "room": "\x1b[31m"}])
def test_a_name_nobody_can_bear_is_refused_before_a_home_admits_it(tmp_path: Path, wish: dict[str, str | None]) -> None:
    """Nobody listens on port 1: had it asked, the error were another one."""
    with pytest.raises(InvalidInput):
        asyncio.run(join_home(tmp_path / "node", "1234-5678", "127.0.0.1:1", deadline_s=5, **wish))
    assert not (tmp_path / "node").exists()


def home(nonce: int) -> Chain:
    return Chain.found(OWNER, OWNER.public, CERTIFICATE, nonce=bytes([nonce]) * 16, at_ms=1)


async def join_from(folder: Path, proven: Chain, shown: Chain) -> dict[str, Any]:
    """Join where the code is proven for one chain and the welcome brings another, grown by the joiner."""
    certificate_file, key_file = folder / "node.crt", folder / "node.key"
    certificate_file.write_text(ssl.DER_cert_to_PEM_cert(CERTIFICATE))
    key_file.write_bytes(key_pem(INVITER))

    async def admit(certificate: bytes, _wishes: dict[str, Any]) -> Welcome:
        grown = shown.admit(OWNER, certificate, at_ms=2)
        return Welcome(list(grown.entries), "Home", "hall", "hall", [], INVITER.node_id)

    invitation = Invitation(
        certificate=CERTIFICATE,
        certificate_file=certificate_file,
        key_file=key_file,
        home_id=proven.home_id,
        chain_head=lambda: proven.head,
        admit=admit,
        bind="127.0.0.1",
    )
    code = invitation.open()
    async with asyncio.TaskGroup() as group:
        group.create_task(invitation.run())
        try:
            peer = f"127.0.0.1:{invitation.port}"
            return await join_home(folder / "node", code, peer, name=None, room=None, deadline_s=20)
        finally:
            invitation.close()


def test_the_home_of_the_welcome_is_the_home_of_the_code(tmp_path: Path) -> None:
    joined = asyncio.run(join_from(tmp_path, home(1), home(1)))
    assert joined["name"] == "hall" and (tmp_path / "node").exists()


def test_a_welcome_of_another_home_or_another_past_is_refused(tmp_path: Path) -> None:
    third = make_certificate(SigningKey(bytes([3]) * 32))
    for proven, shown in ((home(1), home(2)), (home(1).admit(OWNER, third, at_ms=2), home(1))):
        with pytest.RaisesGroup(pytest.RaisesExc(BadConfiguration, match="not that of the home which the code")):
            asyncio.run(join_from(tmp_path, proven, shown))
        assert not (tmp_path / "node" / "keys" / "node.key").exists()
