"""Finding one another with mDNS: announces this node, hears of others, follows the device's interfaces. Whatever it
hears is a hint from anybody on the network: it must never be believed, only tried."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import structlog
from zeroconf import Error as ZeroconfError
from zeroconf import InterfaceChoice, IPVersion, ServiceStateChange
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from jarvis.core.errors import InvalidInput
from jarvis.core.ids import NODE_ID_BYTES, from_text, to_text
from jarvis.net.addresses import ADDRESSES_PER_NODE, join_address
from jarvis.net.interfaces import POLL_S, NetworkWatch, local_addresses

PEER_SERVICE = "_jarvis-peer._tcp.local."
PAIR_SERVICE = "_jarvis-pair._tcp.local."
TXT_VERSION = "1"
RESOLVE_MS = 3_000
"""How long one name may take to resolve; the answer normally comes with the announcement."""
RESOLVERS = 4
"""Names resolved at once: some that never answer must not hold up the rest."""
PENDING_NAMES = 256
"""Names waiting to be resolved. A home has a few; anybody can announce more, and those beyond are dropped."""
KNOWN_NODES = 128
"""Nodes of this home whose last announcement is kept, for members admitted after it was heard."""
GOODBYE_S = 1.5
FOUND_GRACE_S = 0.4
"""After the first invitation was heard: time for others to be heard too."""
MAX_INVITERS = 8
"""Invitations one search returns. Each costs a joiner one guess at most, so more would only cost time."""

Found = Callable[[bytes, list[str]], None]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Service:
    """What is to be announced, and where it is reached."""

    type: str
    name: str
    port: int
    txt: tuple[tuple[str, str], ...]
    addresses: tuple[str, ...] = ()

    def info(self, server: str) -> AsyncServiceInfo:
        packed = [ipaddress.ip_address(address.partition("%")[0]).packed for address in self.addresses]
        properties = dict(self.txt)
        return AsyncServiceInfo(
            self.type, self.name, port=self.port, addresses=packed, properties=properties, server=server
        )


class Discovery:
    """`run()` in a task of the owner's group, until cancelled."""

    def __init__(
        self,
        *,
        me: bytes,
        home: bytes,
        port: int,
        bind: str,
        found: Found,
        network_changed: Callable[[], None] = lambda: None,
        mdns: bool = True,
    ) -> None:
        """`port` is the peer port, `bind` the address it listens on. `found(node_id, addresses)` is called for each
        announcement of a node that says it is of this `home`; `network_changed()` when the device got an address
        or a cable. With `mdns=False` only the latter works."""
        self._me, self._home, self._bind = me, home, bind
        self._found, self._network_changed, self._mdns = found, network_changed, mdns
        txt = (("txtvers", TXT_VERSION), ("home", to_text(home)), ("node", to_text(me)))
        self._wanted = {PEER_SERVICE: _Service(PEER_SERVICE, f"{to_text(me)}.{PEER_SERVICE}", port, txt)}
        self._announced: dict[str, _Service] = {}
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._pending: dict[str, None] = {}
        self._more = asyncio.Event()
        self._announcing = asyncio.Lock()
        self._known: dict[bytes, list[str]] = {}

    @property
    def announcing(self) -> bool:
        """Whether mDNS is at work: False when it is off, and while the device has no address."""
        return PEER_SERVICE in self._announced

    def repeat(self) -> None:
        """Tell `found` again of every node heard of: after a member was admitted."""
        for node_id, addresses in self._known.items():
            self._found(node_id, addresses)

    async def run(self) -> None:
        watch = NetworkWatch()
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(RESOLVERS):
                    group.create_task(self._resolve())
                await self._follow(watch)
        finally:
            watch.close()
            await self._close()

    @asynccontextmanager
    async def announce_invitation(self, port: int) -> AsyncIterator[None]:
        """Announce that a joiner may come to `port`, for as long as the context lasts."""
        txt = (("txtvers", TXT_VERSION), ("home", to_text(self._home)))
        name = f"{secrets.token_hex(6)}.{PAIR_SERVICE}"
        self._wanted[PAIR_SERVICE] = _Service(PAIR_SERVICE, name, port, txt)
        try:
            await self._announce()
            yield
        finally:
            self._wanted.pop(PAIR_SERVICE, None)
            await self._announce()

    # Announcing

    async def _follow(self, watch: NetworkWatch) -> None:
        """Start mDNS as soon as there is an address, and follow whatever the network does."""
        addresses: list[str] = []
        told = False
        while True:
            before, addresses = addresses, local_addresses(self._bind)
            moved = addresses != before
            if (moved and before) or told:
                log.info("net.network_changed", addresses=len(addresses))
                self._network_changed()
            if self._mdns:
                await self._refresh(again=told)
            told = await watch.changed(POLL_S)

    async def _refresh(self, *, again: bool) -> None:
        try:
            if self._zeroconf is None:
                self._zeroconf = await _open(self._bind)
                self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, PEER_SERVICE, handlers=[self._heard])
            else:
                await self._zeroconf.async_update_interfaces()
        except (OSError, RuntimeError, ZeroconfError) as error:
            # No address yet, or it has just gone: the next look tries again.
            log.debug("net.mdns_not_ready", error=type(error).__name__)
        await self._announce(again=again)

    async def _announce(self, *, again: bool = False) -> None:
        """Make what is announced equal to what is wanted; `again` repeats it for whoever missed it."""
        async with self._announcing:
            try:
                if self._zeroconf is not None:
                    await self._send_announcements(self._zeroconf, again)
            except (OSError, RuntimeError, ZeroconfError) as error:
                log.debug("net.mdns_not_announced", error=type(error).__name__)

    async def _send_announcements(self, zeroconf: AsyncZeroconf, again: bool) -> None:
        addresses = tuple(local_addresses(self._bind))
        server = f"{to_text(self._me)}.local."
        for kind in set(self._announced) - set(self._wanted):
            service = self._announced.pop(kind)
            await (await zeroconf.async_unregister_service(service.info(server)))
        for kind, wanted in list(self._wanted.items()):
            service, current = replace(wanted, addresses=addresses), self._announced.get(kind)
            if not addresses or (service == current and not again):
                continue
            self._announced[kind] = service
            if current is None:
                # The name holds the node's id or is random: there is nobody to probe for.
                sent = await zeroconf.async_register_service(service.info(server), cooperating_responders=True)
            else:
                sent = await zeroconf.async_update_service(service.info(server))
            await sent

    async def _close(self) -> None:
        if self._zeroconf is None:
            return
        with contextlib.suppress(TimeoutError, OSError, ZeroconfError):
            async with asyncio.timeout(GOODBYE_S):
                if self._browser is not None:
                    await self._browser.async_cancel()
                await self._zeroconf.async_close()

    # Hearing

    def _heard(self, *, name: str, state_change: ServiceStateChange, **_other: object) -> None:
        """zeroconf's callback, in this event loop."""
        if state_change is not ServiceStateChange.Removed and len(self._pending) < PENDING_NAMES:
            self._pending[name] = None
            self._more.set()

    async def _resolve(self) -> None:
        while True:
            await self._more.wait()
            if not self._pending:
                self._more.clear()
                continue
            name = next(iter(self._pending))
            del self._pending[name]
            if self._zeroconf is None:
                continue
            try:
                announced = await _read(self._zeroconf, PEER_SERVICE, name)
            except (OSError, ZeroconfError, asyncio.InvalidStateError) as error:
                log.debug("net.mdns_unresolved", error=type(error).__name__)
                continue
            if announced is not None:
                self._take(*announced)

    def _take(self, txt: dict[str, str], addresses: list[str]) -> None:
        node_id = _node_id(txt.get("node", ""))
        if txt.get("home") != to_text(self._home) or node_id is None or node_id == self._me or not addresses:
            return
        self._known.pop(node_id, None)
        self._known[node_id] = addresses
        if len(self._known) > KNOWN_NODES:
            del self._known[next(iter(self._known))]
        self._found(node_id, addresses)


async def find_invitations(within_s: float, bind: str = "::") -> list[list[str]]:
    """Addresses of the invitations announced on this network, one list for each inviter; [] when nobody is heard
    within `within_s`. For a device that belongs to no home yet."""
    names: dict[str, None] = {}
    heard = asyncio.Event()

    def on_change(*, name: str, state_change: ServiceStateChange, **_other: object) -> None:
        if state_change is ServiceStateChange.Added and len(names) < MAX_INVITERS:
            names[name] = None
            heard.set()

    found: list[list[str]] = []
    try:
        zeroconf = await _open(bind)
    except (OSError, RuntimeError):
        return found
    browser = AsyncServiceBrowser(zeroconf.zeroconf, PAIR_SERVICE, handlers=[on_change])
    try:
        async with asyncio.timeout(within_s):
            await heard.wait()
        await asyncio.sleep(FOUND_GRACE_S)
        for announced in await asyncio.gather(*(_read(zeroconf, PAIR_SERVICE, name) for name in names)):
            if announced is not None and announced[1]:
                found.append(announced[1])
    except TimeoutError:
        pass  # nobody: the empty list says so
    finally:
        await browser.async_cancel()
        await zeroconf.async_close()
    return found


async def _open(bind: str) -> AsyncZeroconf:
    """mDNS on every interface that a socket bound to `bind` hears. Raises OSError or RuntimeError without any."""
    host = ipaddress.ip_address(bind.partition("%")[0])
    if not host.is_unspecified:
        return AsyncZeroconf(interfaces=[str(host)])
    if host.version == 6 and socket.has_ipv6:
        try:
            return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.All)
        except (OSError, RuntimeError):
            pass  # the kernel has no IPv6, or the interfaces have not: IPv4 alone, then
    return AsyncZeroconf(interfaces=InterfaceChoice.All, ip_version=IPVersion.V4Only)


async def _read(zeroconf: AsyncZeroconf, kind: str, name: str) -> tuple[dict[str, str], list[str]] | None:
    """TXT and addresses behind a name; None when nobody answers."""
    info = AsyncServiceInfo(kind, name)
    if not await info.async_request(zeroconf.zeroconf, RESOLVE_MS) or not info.port:
        return None
    hosts = info.parsed_scoped_addresses()[:ADDRESSES_PER_NODE]
    txt = {key: value or "" for key, value in info.decoded_properties.items()}
    return txt, [join_address(host, info.port) for host in hosts]


def _node_id(text: str) -> bytes | None:
    try:
        raw = from_text(text)
    except InvalidInput:
        return None
    return raw if len(raw) == NODE_ID_BYTES else None
