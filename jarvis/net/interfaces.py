"""The device's own addresses, and word of it when they or a cable change. It looks; it never configures."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket

import ifaddr

POLL_S = 5.0
"""How often to look without having been told. Reading the addresses takes well under 1 ms."""
QUIET_S = 0.3
"""Changes come in bursts (link, then address): wait this long for the rest."""
_GROUPS = 0x1 | 0x10 | 0x100  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR of linux/rtnetlink.h
_READ_BYTES = 64 * 1024


def local_addresses(bind: str) -> list[str]:
    """IP addresses where others reach a socket bound to `bind`, best first; with a zone (`%eth0`) for link-local.

    Loopback counts only when there is nothing else, link-local IPv6 likewise: every peer would have to guess the
    zone.
    """
    host = ipaddress.ip_address(bind.partition("%")[0])
    if not host.is_unspecified:
        return [bind]
    ordinary: list[str] = []
    link_local: list[str] = []
    loopback: list[str] = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text.partition("%")[0])
            if address.version == 6 and host.version == 4:
                continue
            if address.is_loopback:
                loopback.append(str(address))
            elif address.version == 6 and address.is_link_local:
                link_local.append(f"{address}%{adapter.name}")
            else:
                ordinary.append(str(address))
    # IPv4 first: home networks route it more reliably between cable and radio.
    ordinary.sort(key=lambda text: ":" in text)
    return ordinary or link_local or loopback


class NetworkWatch:
    """Waits for the kernel to say that a link or an address changed. Without Linux's netlink it only waits."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        with contextlib.suppress(OSError, AttributeError):
            # Some sandboxes forbid netlink; polling still finds every change of an address.
            watcher = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            watcher.setblocking(False)
            watcher.bind((0, _GROUPS))
            self._socket = watcher

    async def changed(self, within_s: float = POLL_S) -> bool:
        """Whether the kernel told of a change within `within_s`; bursts count as one."""
        if not await self._told(within_s):
            return False
        while await self._told(QUIET_S):
            pass
        return True

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _told(self, within_s: float) -> bool:
        if self._socket is None:
            await asyncio.sleep(within_s)
            return False
        try:
            async with asyncio.timeout(within_s):
                await asyncio.get_running_loop().sock_recv(self._socket, _READ_BYTES)
        except TimeoutError:
            return False
        except OSError:  # ENOBUFS: more was told than the socket holds
            return True
        return True
