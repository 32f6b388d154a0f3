"""demo: the main job, shown. Two real nodes on this machine found a home, pair by a code and find each other; one hears
an utterance as its microphone would and answers aloud; then the other room is asked what was asked, and answers from
its own store. Whatever fails is said in a sentence; whatever was started is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from jarvis_cli import failures
from jarvis_cli.output import console, note, plain
from jarvis_cli.state import Command, State
from jarvis_cli.talk import keep_sound, read_sound

if TYPE_CHECKING:
    from jarvis_cli.demo_timeline import Timeline

FOLLOW_UP = "What did I just ask you?"
FIND_S = 20.0
"""For two nodes on one network to find each other and link."""
AGREE_S = 20.0
HEAR_S = 700.0
"""The longest file a node hears plays ten minutes."""
_POLL_S = 0.1


@click.command(cls=Command)
@click.option("--wav", type=click.Path(path_type=Path), metavar="FILE", help="What is said; default: Piper says it.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Where reply.wav goes.")
@click.option("--keep", is_flag=True, help="Keep both data directories, and say where.")
@click.pass_context
def demo(ctx: click.Context, wav: Path | None, out: Path | None, keep: bool) -> None:
    """Show two nodes hearing, answering and sharing, with real models."""
    from jarvis_cli.fetching import fetch_missing
    from jarvis_cli.logs import set_up

    state: State = ctx.obj
    set_up("debug" if state.debug else "error")
    audio = read_sound(wav) if wav else None
    reply_wav = _writable(out or Path.cwd()) / "reply.wav"
    fetch_missing(note=note)
    with _place(keep) as place:
        story = Story(place, audio, reply_wav, aloud=not state.as_json)
        asyncio.run(_until_told(story.tell))
    if keep:
        note(f"The nodes' data directories are in {place}")
    state.show(story.result, lambda: None)
    if not story.result["ok"]:
        note(f"jarvis: {story.result['problem']}")
        ctx.exit(failures.FAILED)
    story.step(f"It works. The spoken reply is in {reply_wav}")


class Story:
    """One demo. `result` is what `--json` prints, whole from the start and filled as the story goes."""

    def __init__(self, place: Path, audio: bytes | None, reply_wav: Path, *, aloud: bool) -> None:
        from jarvis_cli.demo_nodes import DemoNode
        from jarvis_cli.demo_timeline import Timeline

        self.kitchen, self.bedroom = DemoNode("kitchen", place), DemoNode("bedroom", place)
        self._audio = audio
        self._reply_wav = reply_wav
        self._aloud = aloud
        self._began_s = time.monotonic()
        self.timeline: Timeline = Timeline()
        self.result: dict[str, Any] = {
            "ok": False,
            "wake": None,
            "heard": "",
            "reply": "",
            "reply_wav": None,
            "followup": {"heard": FOLLOW_UP, "reply": ""},
            "timings_ms": {},
            "nodes": [],
            "session_id": None,
            "converged": False,
            "digest": None,
            "found_by": "mdns",
            "timeline": [],
            "problem": "",
        }

    def step(self, text: str) -> None:
        console(stderr=not self._aloud).print(plain(text), style="bold")

    async def tell(self) -> None:
        """The whole of it. A part that fails ends it, and is told in `result`."""
        from jarvis.core.errors import JarvisError

        try:
            await self._found_a_home()
            await self._find_each_other()
            await self._hear()
            if not self.result["problem"]:
                await self._agree("converged")
                await self._ask_next_door()
                await self._agree("converged_again")
        except JarvisError as error:
            self._fail(" ".join(filter(None, (str(error), error.fix))))
        finally:
            self._lap("demo", self._began_s)
            await asyncio.gather(self.kitchen.stop(), self.bedroom.stop())
        self.result["timeline"] = self.timeline.as_json()
        self.result["ok"] = not self.result["problem"]

    async def _found_a_home(self) -> None:
        began = time.monotonic()
        self.step("Two rooms found a home: the kitchen begins it, the bedroom joins by a code.")
        await self.kitchen.command("init", "--name", "kitchen", "--room", "kitchen", "--home-name", "Demo")
        await self.kitchen.start()
        made = await self.kitchen.post("/api/v2/nodes/invitations", {"name": "bedroom", "room": "bedroom"})
        await self._join(made)
        await self.bedroom.start(*self._peers())
        self._lap("founded", began)

    async def _join(self, made: dict[str, Any]) -> None:
        """By the code alone if the network lets rooms find each other, else with the address too."""
        from jarvis.core.errors import JarvisError

        try:
            await self.bedroom.command("node", "join", made["code"])
        except JarvisError as error:  # none found, or only those of other homes nearby
            self._no_multicast(str(error))
            again = await self.kitchen.post("/api/v2/nodes/invitations", {"name": "bedroom", "room": "bedroom"})
            await self.bedroom.command("node", "join", again["code"], "--peer", again["peer"])

    async def _find_each_other(self) -> None:
        from jarvis.core.errors import Unreachable

        began = time.monotonic()
        if not await self._within(FIND_S, self._both_online):
            if self.result["found_by"] == "mdns":
                self._no_multicast(f"In {FIND_S:g} s they did not find each other.")
                await self.bedroom.stop()
                await self.bedroom.start(*self._peers())
            if not await self._within(FIND_S, self._both_online):
                raise Unreachable("The two nodes did not link.", fix="See what `jarvis doctor` says.")
        rows = await self.kitchen.get("/api/v2/nodes")
        self.result["nodes"] = [{name: row[name] for name in ("node_id", "name", "room")} for row in rows]
        self._lap("linked", began)
        how = "by mDNS" if self.result["found_by"] == "mdns" else "by address"
        self.step(f"They found each other {how} and are linked.")

    async def _hear(self) -> None:
        """Play the utterance into the kitchen, while both rooms' events fill the timeline."""
        from jarvis_cli.demo_timeline import following
        from jarvis_cli.demo_voice import spoken

        audio = self._audio or await spoken()
        self.step("The kitchen hears, as its microphone would:")
        with self.timeline.live(console(stderr=not self._aloud)) as draw:
            async with (
                following(self.kitchen.client(), "kitchen", self.timeline, draw),
                following(self.bedroom.client(), "bedroom", self.timeline, draw),
            ):
                self.timeline.begin()
                turn = await self.kitchen.hear(audio, HEAR_S)
                if turn["heard"]:  # the bedroom's line in the timeline
                    await self._within(AGREE_S, self._bedroom_knows)
        self._keep(turn)

    def _keep(self, turn: dict[str, Any]) -> None:
        """The kitchen's part of the result, and what is wrong with it."""
        reply = b64decode(turn.pop("reply_audio"))
        kept = {name: turn[name] for name in ("wake", "heard", "reply", "session_id")}
        self.result.update(kept, reply_wav=keep_sound(reply, self._reply_wav))
        self.result["timings_ms"].update(turn["timings_ms"])
        moments = ("wake", "endpoint", "text", "decision", "first audio", "saved", "knows")
        self.result["moments_ms"] = {name.replace(" ", "_"): self.timeline.first(name) for name in moments}
        if not turn["wake"]:
            self._fail("The wake word was not heard. Say “Hey Jarvis”, then the question.")
        elif not turn["heard"] or not turn["reply"] or not reply:
            problems = " ".join(turn.get("problems") or [])
            self._fail(f"The kitchen heard its name, but nothing it could answer aloud. {problems}".strip())
        else:
            self.step(f"Kitchen heard: “{turn['heard']}”   and said: “{turn['reply']}”")

    async def _ask_next_door(self) -> None:
        began = time.monotonic()
        turn = await self.bedroom.post("/api/v2/chat", {"text": FOLLOW_UP})
        self._lap("followup", began)
        self.result["followup"] = {"heard": FOLLOW_UP, "reply": turn["reply"]}
        self.step(f"Bedroom is asked: “{FOLLOW_UP}”   and says: “{turn['reply']}”")
        if self.result["heard"].lower() not in turn["reply"].lower():
            self._fail("The bedroom does not know what the kitchen was asked.")

    async def _agree(self, lap: str) -> None:
        """Wait until both stores hold the same, byte for byte."""
        began = time.monotonic()
        self.result["converged"] = await self._within(AGREE_S, self._digests_agree)
        self._lap(lap, began)
        if not self.result["converged"]:
            self._fail("The two nodes do not hold the same.")

    async def _digests_agree(self) -> bool:
        verdicts = [await node.get("/api/v2/sync/verification") for node in (self.kitchen, self.bedroom)]
        self.result["digest"] = verdicts[0]["digest"]
        same = len({verdict["digest"] for verdict in verdicts}) == 1
        return same and all(verdict["agree"] and verdict["peers"] for verdict in verdicts)

    async def _both_online(self) -> bool:
        lists = [await node.get("/api/v2/nodes") for node in (self.kitchen, self.bedroom)]
        return all(len(rows) == 2 and all(row["online"] for row in rows) for rows in lists)

    async def _bedroom_knows(self) -> bool:
        return self.timeline.first("knows") is not None

    async def _within(self, seconds: float, holds: Callable[[], Awaitable[bool]]) -> bool:
        end = time.monotonic() + seconds
        while not await holds():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    def _no_multicast(self, reason: str) -> None:
        self.result["found_by"] = "peer"
        self.step(f"{reason} Multicast may not work here, so they are given each other's address (--peer).")

    def _peers(self) -> tuple[str, ...]:
        found = self.result["found_by"] == "mdns"
        return () if found else ("--peer", f"127.0.0.1:{self.kitchen.ready['peer_port']}")

    def _lap(self, name: str, began_s: float) -> None:
        self.result["timings_ms"][name] = round((time.monotonic() - began_s) * 1000, 1)

    def _fail(self, problem: str) -> None:
        self.result["problem"] = self.result["problem"] or problem


@contextlib.contextmanager
def _place(keep: bool) -> Iterator[Path]:
    """A directory for both nodes, gone afterwards unless it is to be kept."""
    place = Path(tempfile.mkdtemp(prefix="jarvis-demo-"))
    try:
        yield place
    finally:
        if not keep:
            shutil.rmtree(place, ignore_errors=True)


async def _until_told(tell: Callable[[], Awaitable[None]]) -> None:
    """Run it so that TERM and a closed terminal end it as Ctrl-C does: in order, with nothing left behind."""
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        loop.add_signal_handler(number, this.cancel)
    try:
        await tell()
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _writable(out: Path) -> Path:
    from jarvis.core.errors import StoreFailed

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreFailed(f"{out} cannot be made: {error.strerror}.", fix="Give another --out.") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise StoreFailed(f"{out} cannot be written.", fix="Give another --out.")
    return out.absolute()
