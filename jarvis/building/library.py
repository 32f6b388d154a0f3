"""The library: what this node was given to know, its indexes, and how any room asks for it."""

from __future__ import annotations

from jarvis.building.links import Links
from jarvis.building.minds import Minds
from jarvis.building.plugins import Added
from jarvis.building.records import Records
from jarvis.knowledge.files.reading import Reading
from jarvis.knowledge.vectors import vectors_worker
from jarvis.node.directory import DataDirectory
from jarvis.node.library.answering import Answering
from jarvis.node.library.copies import Copies
from jarvis.node.library.describing import Describing
from jarvis.node.library.face import Library
from jarvis.node.library.giving import Giving
from jarvis.node.library.index import Index
from jarvis.node.library.pinning import Pinning
from jarvis.node.library.search import Search
from jarvis.node.library.shelf import Shelf
from jarvis.node.library.watching import Watching
from jarvis.node.minds.transcribing import transcriber
from jarvis.node.talk.privacy import Privacy


def library(
    directory: DataDirectory, kept: Records, linked: Links, thinking: Minds, privacy: Privacy, added: Added
) -> Library:
    peering, config = linked.peering, kept.config
    index = Index(
        kept.journal,
        thinking.embedding,
        thinking.engines.add("vectors", "vectors", vectors_worker()),
        form=lambda: config.value("knowledge.index"),
        folder=directory.index,
        follow=config.follow,
    )
    captions = thinking.captions(lambda: config.value("knowledge.captions"))

    def reading() -> Reading:
        return Reading(
            others=added.plugins.file_processors(), transcribe=transcriber(thinking.own_stt), describes=captions
        )

    shelf = Shelf(
        kept.journal,
        kept.members,
        kept.audit,
        index,
        kept.node_id,
        reading=reading,
        wall_ms=kept.clock.wall_ms,
        connected=peering.connected,
    )
    search = Search(
        kept.journal,
        kept.members,
        shelf,
        index,
        peering.requests,
        kept.clock,
        kept.node_id,
        near=peering.nearest,
        may_leave=lambda: not privacy.closed(),
    )
    copies = Copies(kept.journal, kept.members, shelf, peering.requests, kept.node_id, near=peering.nearest)
    pinning = Pinning(
        kept.journal,
        kept.members,
        kept.audit,
        shelf,
        copies,
        peering.requests,
        kept.node_id,
        connected=peering.connected,
    )
    answering = Answering(search, shelf, kept.node_id, kept.members.room_of)
    watching = Watching(kept.journal, shelf, kept.clock.wall_ms)
    giving = Giving(kept.journal, shelf, peering.requests, kept.clock)
    describing = Describing(shelf, reading, config.follow, thinking.follow)
    return Library(shelf, index, copies, giving, pinning, search, answering, watching, describing)
