"""Where members may be reached: addresses as text, and the book that remembers which belongs to whom. Every entry is
a hint that a handshake proves or disproves. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from jarvis.core.errors import InvalidInput

ADDRESSES_PER_NODE = 8
"""A device with two radios, a cable and both IP versions has six. Anybody may announce false ones over mDNS, so
there is a bound, and what a handshake has proven is never displaced by what was only heard."""
PROVEN_PER_NODE = 4
"""Addresses that once answered as this node, newest first."""


def split_address(text: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPv6]:PORT` as a pair. Raises InvalidInput."""
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise no_address(text)
    if len(host) > 253 or not host.isprintable() or any(char in " /@?#" for char in host) or not _is_name(host):
        raise no_address(text)
    return host, int(port)


def no_address(text: str) -> InvalidInput:
    """To be raised for what is none."""
    return InvalidInput(f"{text!r} is not an address.", fix="Write HOST:PORT, for example 192.168.1.20:7001.")


def _is_name(host: str) -> bool:
    try:
        return bool(host.encode("idna"))  # as the resolver will write it: no empty label, none over 63 characters
    except UnicodeError:
        return False


def join_address(host: str, port: int) -> str:
    """The text form of a host and a port, with brackets around IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class AddressBook:
    """Addresses of each member, best first."""

    def __init__(self, remembered: Mapping[bytes, Iterable[str]] | None = None) -> None:
        self._proven: dict[bytes, list[str]] = {}
        self._heard: dict[bytes, list[str]] = {}
        for node_id, addresses in (remembered or {}).items():
            self.hear(node_id, addresses)

    def hear(self, node_id: bytes, addresses: Iterable[str]) -> bool:
        """Take in hints, the last word first in line; whether anything was new."""
        new = False
        for address in reversed(list(addresses)[:ADDRESSES_PER_NODE]):
            known = address in self._heard.get(node_id, ()) or address in self._proven.get(node_id, ())
            # Put it first even when known: a node that returns to an old address is there now.
            if self._put(self._heard, node_id, address, ADDRESSES_PER_NODE) and not known:
                new = True
        return new

    def prove(self, node_id: bytes, address: str) -> bool:
        """`node_id` answered at `address`; whether that is news. Whoever had the address before has it no longer."""
        for other, addresses in self._proven.items():
            if other != node_id and address in addresses:
                addresses.remove(address)
        before = list(self._proven.get(node_id, ()))
        self._put(self._proven, node_id, address, PROVEN_PER_NODE)
        return self._proven.get(node_id) != before

    def owner(self, address: str) -> bytes | None:
        """Who last answered there."""
        return next((node_id for node_id, known in self._proven.items() if address in known), None)

    def addresses(self, node_id: bytes) -> list[str]:
        """Where to dial, in this order: the newest hint, what has answered before, older hints."""
        heard, proven = self._heard.get(node_id, []), self._proven.get(node_id, [])
        return list(dict.fromkeys([*heard[:1], *proven, *heard]))

    def best(self) -> dict[bytes, list[str]]:
        """What is worth remembering over a restart and telling others: at most ADDRESSES_PER_NODE each."""
        nodes = {*self._proven, *self._heard}
        best = {node_id: self.addresses(node_id)[:ADDRESSES_PER_NODE] for node_id in nodes}
        return {node_id: addresses for node_id, addresses in best.items() if addresses}

    def keep_only(self, node_ids: Iterable[bytes]) -> None:
        """Forget everybody else."""
        keep = set(node_ids)
        for table in (self._proven, self._heard):
            for node_id in set(table) - keep:
                del table[node_id]

    @staticmethod
    def _put(table: dict[bytes, list[str]], node_id: bytes, address: str, bound: int) -> bool:
        try:
            split_address(address)
        except InvalidInput:
            return False
        entries = table.setdefault(node_id, [])
        if address in entries:
            entries.remove(address)
        entries.insert(0, address)
        del entries[bound:]
        return True
