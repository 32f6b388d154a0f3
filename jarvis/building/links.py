"""How a node reaches its home: discovery, links, the protocol over them, and what is told beside records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jarvis.building.records import Records
from jarvis.core.settings import Settings
from jarvis.net.connector import Connector
from jarvis.net.discovery import Discovery
from jarvis.net.transport import TlsTransport
from jarvis.node.directory import DataDirectory
from jarvis.node.links.copies import CopyWatch
from jarvis.node.links.peering import Peering
from jarvis.node.links.topics import Topics
from jarvis.node.membership.members import load_addresses
from jarvis.node.node import Node
from jarvis.sync.machine import Sync


@dataclass(frozen=True)
class Links:
    peering: Peering
    topics: Topics
    connector: Connector
    copies: CopyWatch
    discovery: Callable[[int], Discovery]
    """Made once the peer port is known."""


async def links(settings: Settings, directory: DataDirectory, kept: Records, node: Callable[[], Node]) -> Links:
    """`node` gives the finished node; it is first asked when a link comes."""
    members, chain = kept.members, kept.branches.chain
    peering = Peering(
        kept.journal,
        Sync(kept.node_id, chain.entries, kept.heads, bounds=kept.bounds, branches=kept.branches),
        kept.clock,
        deliver=lambda peer, message: topics.deliver(peer, message),
        linked=lambda peer, connected: node().linked(peer, connected),
        members_changed=lambda branches: node().members_changed(branches),
        met=lambda link, addresses: connector.greeted(link, addresses),
    )
    topics = Topics(peering.tell, peering.broadcast)
    copies = CopyWatch(kept.node_id, kept.clock, members.name_of, topics)
    remembered = await load_addresses(kept.journal)
    connector = Connector(
        TlsTransport(
            me=kept.node_id,
            members=members.certificates,
            certificate=directory.certificate,
            key=directory.node_key,
            bind=settings.bind,
            port=settings.peer_port,
        ),
        me=kept.node_id,
        members=members.certificates,
        on_link=peering.on_link,
        peers=settings.peer,
        load=lambda: remembered,
        save=lambda addresses: node().remember_addresses(addresses),
        on_copy=lambda peer, of_us: copies.of_us(peer) if of_us else copies.of_peer(peer),
    )

    def discovery(port: int) -> Discovery:
        return Discovery(
            me=kept.node_id,
            home=chain.home_id,
            port=port,
            bind=settings.bind,
            found=connector.learn,
            network_changed=lambda: node().network_changed(),
            mdns=settings.mdns,
        )

    return Links(peering, topics, connector, copies, discovery)
