"""The engines, ours and those that other rooms lend, and the assistant that thinks with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.language.captions import Captions
from jarvis.assistant.language.model import LanguageModel
from jarvis.assistant.language.tools import Toolbox
from jarvis.building.links import Links
from jarvis.building.models import Served, served_models
from jarvis.building.plugins import Added
from jarvis.building.records import Records
from jarvis.core.settings import Settings
from jarvis.engines.engine import Engine
from jarvis.engines.ranked import Ranked
from jarvis.engines.worker import Worker
from jarvis.knowledge.embedding import embedding_worker
from jarvis.node.hearing.lending import Lending, PeersEngine
from jarvis.node.minds.engines import Engines
from jarvis.node.minds.language import BorrowedModel, EmbeddedModel, embedded_worker
from jarvis.node.minds.offered import OfferedEngines
from jarvis.node.talk.privacy import Privacy
from jarvis.plugins.kinds import ModelProvider


@dataclass
class Minds:
    engines: Engines
    offered: OfferedEngines
    lending: Lending
    assistant: Assistant
    ears: Engine
    embedding: Engine
    stt: Ranked
    tts: Ranked
    _own: tuple[Engine, Engine, Engine]
    _behind: Sequence[LanguageModel]
    """Asked when no server can be."""
    _providers: Callable[[], Sequence[ModelProvider]]
    _served: Served = field(default_factory=dict)
    _followers: list[Callable[[], None]] = field(default_factory=list)

    def serve(self, settings: Settings) -> Callable[[], None]:
        """What has the servers of `settings` asked from then on. Raises BadConfiguration."""
        served = served_models(settings, self._providers, self._served)

        def take() -> None:
            self._served = served
            self.assistant.models.rank([*served.values(), *self._behind])
            for follower in self._followers:
                follower()

        return take

    def follow(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever other servers are asked."""
        self._followers.append(changed)

    def captions(self, allowed: Callable[[], Awaitable[str]]) -> Captions:
        """What the models that see say of pictures; `allowed` as there."""

        def seeing() -> list[LanguageModel]:
            return [model for wanted, model in self._served.items() if wanted.vision]

        return Captions(seeing, self.assistant.models.spending, allowed)

    def rouse(self) -> None:
        """Load what an answer will need: somebody has begun to speak."""
        stt, tts, llm = self._own
        for own in (stt, tts) if any(model.answered for model in self._served.values()) else (stt, tts, llm):
            for engine in self.offered.of_kind(own.kind) or (own,):
                engine.want()

    @property
    def own_stt(self) -> Engine:
        """This node's own recogniser, whoever else would lend one."""
        return self._own[0]

    def able(self) -> bool:
        """Whether this room can hear and answer with its own engines, or its plugins'."""
        return all(
            any(one.component()["state"] != "failed" for one in (*self.offered.of_kind(own.kind), own))
            for own in self._own[:2]
        )


def minds(settings: Settings, kept: Records, linked: Links, privacy: Privacy, added: Added) -> Minds:
    config = kept.config
    engines = Engines(kept.events, kept.clock, lambda: config.value("engine.idle_minutes"), config.follow)
    ears = engines.add("ears", "ears", Worker("ears", "jarvis.voice.hearing.ears_engine:EarsEngine", {}))
    stt = engines.add("stt", "stt", Worker("stt", "jarvis.voice.hearing.stt:WhisperEngine", {}))
    tts = engines.add("tts", "tts", Worker("tts", "jarvis.voice.speaking.tts:PiperEngine", {}))
    embedding = engines.add("embedding", "embedding", embedding_worker())
    llm = engines.add("llm", "llm", embedded_worker())
    lending = Lending(
        linked.peering.requests,
        kept.journal,
        kept.audit,
        kept.clock,
        engines={engine.kind: engine for engine in (stt, tts, llm)},
        near=linked.peering.nearest,
        room_of=kept.members.room_of,
        may_leave=lambda: not privacy.closed(),
    )

    offered = OfferedEngines(engines, added.plugins.engines, added.plugins.follow)

    def lent(own: Engine) -> Ranked:
        peers = PeersEngine(lending, own.kind)
        return engines.ranked(own.kind, own, peers, first=lambda: offered.of_kind(own.kind))

    embedded = EmbeddedModel(llm)

    async def used(tool: str, outcome: str) -> None:
        await kept.journal.write(kept.audit.entry("tool.used", tool, outcome=outcome))

    made = Minds(
        engines,
        offered,
        lending,
        Assistant(toolbox=Toolbox(added.plugins.tools, used)),
        ears,
        embedding,
        lent(stt),
        lent(tts),
        (stt, tts, llm),
        (embedded, BorrowedModel(lending, embedded.well)),
        added.plugins.model_providers,
    )
    made.serve(settings)()
    return made
