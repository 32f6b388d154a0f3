"""How a node talks with people: what it hears and says, which room answers, timers, announcements, the microphone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from jarvis.assistant.types import TimerInfo
from jarvis.building.conversations import Conversations
from jarvis.building.links import Links
from jarvis.building.minds import Minds
from jarvis.building.records import Records
from jarvis.core.settings import Settings
from jarvis.node.directory import DataDirectory
from jarvis.node.hearing.announcing import Announcing
from jarvis.node.hearing.claim_account import explained
from jarvis.node.hearing.claims import RoomClaims, Surroundings
from jarvis.node.hearing.home_names import HomeNames
from jarvis.node.hearing.listening import Listening
from jarvis.node.hearing.mute import Mute
from jarvis.node.hearing.sound import Sound
from jarvis.node.hearing.speech import Speech
from jarvis.node.kept.lists import Lists
from jarvis.node.kept.memory import Memory
from jarvis.node.kept.notes import Notes
from jarvis.node.minds.house import HouseDevices
from jarvis.node.minds.skills import HomeSkills
from jarvis.node.minds.skills import Surroundings as HomeSurroundings
from jarvis.node.node import Node
from jarvis.node.talk.choosing import Choosing
from jarvis.node.talk.dialogue import Dialogue
from jarvis.node.talk.heard import HeardInRooms
from jarvis.node.talk.privacy import HOME, SHARE
from jarvis.node.talk.sessions import same_room
from jarvis.node.timing.known_time import KnownTime
from jarvis.node.timing.timers import Around, Timers


@dataclass(frozen=True)
class Talk:
    time: KnownTime
    timers: Timers
    dialogue: Dialogue
    speech: Speech
    mute: Mute
    claims: RoomClaims
    announcing: Announcing
    listening: Listening
    house: HouseDevices
    names: HomeNames


def talk(
    settings: Settings,
    directory: DataDirectory,
    kept: Records,
    linked: Links,
    held: Conversations,
    thinking: Minds,
    node: Callable[[], Node],
) -> Talk:
    journal, members, audit, config = kept.journal, kept.members, kept.audit, kept.config
    clock, events, me = kept.clock, kept.events, kept.node_id
    peering, topics, privacy, assistant = linked.peering, linked.topics, held.privacy, thinking.assistant

    def others() -> frozenset[bytes]:
        return frozenset(members.chain.members) - {me}

    async def ring(timer: TimerInfo) -> None:
        named = dialogue.private_home.called(timer)
        with privacy.keep() if named.name != timer.name else contextlib.nullcontext():
            await node().ring(named)

    async def shares(room: str) -> bool:
        there = [one for one in members.chain.members if same_room(members.room_of(one), room)]
        return all([await config.value(SHARE, one) == HOME for one in there])

    async def guesses() -> bool:
        return await config.value("assistant.guesses") == "yes"

    time = KnownTime(clock, lambda: {peer: peering.clock_offset_ms(peer) for peer in peering.connected()})
    around = Around(
        room_of=members.room_of,
        others=lambda: bool(others()),
        behind=lambda: any((peering.progress(peer) or (0, 0))[0] for peer in peering.connected()),
        aloud=lambda: speech.speaker is not None,
        attend=lambda ms: speech.attend(ms, assistant.hushes),
    )
    heard = HeardInRooms(held.sessions, clock, shares)
    timers = Timers(journal, clock, time, me, topics, ring, around)
    house = HouseDevices(config, journal, audit, directory.node_key.parent)
    home = HomeSkills(
        time,
        timers,
        Memory(journal),
        Lists(Notes(journal)),
        config,
        HomeSurroundings(
            announce=lambda text, room: announcing.announce(text, room),
            nodes=lambda: node().nodes(),
            status=lambda: node().status(),
            look_up=lambda question, source, here: node().knowledge.look_up(question, source, here=here),
            heard=lambda room, most, private: heard.last(room, most, private=private),
        ),
        house,
    )
    dialogue = Dialogue(
        journal,
        held.sessions,
        audit,
        assistant,
        home,
        events,
        clock,
        room=lambda: config.value("node.room"),
        assistant_name=lambda: config.value("assistant.name"),
        guesses=guesses,
        closes=timers.silence,
        choosing=Choosing(held.sessions, shared=privacy.shared, rooms=members.rooms),
        told=held.partials,
    )
    speech = Speech(
        dialogue,
        assistant,
        events,
        clock,
        ears=thinking.ears,
        stt=thinking.stt,
        tts=thinking.tts,
        partials=held.partials,
        privacy=privacy,
        arbiter=lambda: claims,
        rouse=thinking.rouse,
    )
    mute = Mute(journal, events, clock)
    claims = RoomClaims(
        me,
        topics,
        journal,
        audit,
        clock,
        Surroundings(
            peers=peering.connected,
            others=others,
            able=lambda: not mute.on and thinking.able(),
            private=privacy.closed,
        ),
    )
    explained(audit, members.room_of)
    announcing = Announcing(me, members, topics, speech, connected=peering.connected, value=config.value, time=time)
    sound = None if settings.audio == "none" else Sound(settings.audio, config.value, config.follow)
    listening = Listening(sound, mute, events, clock, listen=speech.listen, ready=speech.speak_through)
    names = HomeNames(assistant, events, home, members.rooms)
    return Talk(time, timers, dialogue, speech, mute, claims, announcing, listening, house, names)
