"""run: this node in this process, until Ctrl-C or TERM. It ends within five seconds whatever its parts do: what was
acknowledged is durable before it is, so the last resort costs nothing but the goodbye."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from jarvis_cli.failures import FAILED, INTERRUPTED
from jarvis_cli.output import note, plain, say
from jarvis_cli.state import Command, State

if TYPE_CHECKING:
    from jarvis.core.settings import Settings

STOP_S = 4.5
"""Of the five a stop may take."""
SAY_S = 0.3
"""Of the rest: whoever holds stderr and does not read it must not keep the process."""
_PORT = click.IntRange(0, 65535)


@click.command(cls=Command)
@click.option("--api-port", type=_PORT, help="Of the local API; 0 takes any free one.")
@click.option("--peer-port", type=_PORT, help="For links from other nodes; 0 takes any free one.")
@click.option("--bind", metavar="ADDR", help="Address the peer port listens on.")
@click.option("--audio", metavar="none|device[:NAME]|wav:FILE", help="What it hears with.")
@click.option("--no-mdns", is_flag=True, help="Neither announce this node nor look for others.")
@click.option("--peer", multiple=True, metavar="HOST:PORT", help="A node to link with besides those found; repeatable.")
@click.pass_context
def run(
    ctx: click.Context,
    api_port: int | None,
    peer_port: int | None,
    bind: str | None,
    audio: str | None,
    no_mdns: bool,
    peer: tuple[str, ...],
) -> None:
    """Run this node until Ctrl-C."""
    from jarvis.core.settings import load
    from jarvis_cli.fetching import fetch_missing
    from jarvis_cli.logs import set_up

    state: State = ctx.obj
    settings = load(
        data_dir=state.data_dir,
        api_port=api_port,
        peer_port=peer_port,
        bind=bind,
        audio=audio,
        mdns=False if no_mdns else None,
        peer=peer or None,
    )
    if settings.audio != "none":
        fetch_missing(note=note)

    def log_at(level: str) -> None:
        set_up("debug" if state.debug else level)

    log_at(settings.log_level)
    stopped_by = asyncio.run(_until_told(settings, lambda ready: _announce(state, ready), log_at))
    if stopped_by == signal.SIGINT:
        ctx.exit(INTERRUPTED)
    if stopped_by is None:
        note("This node has left its home, and its data directory is empty.")


def _announce(state: State, ready: dict[str, Any]) -> None:
    line = {"event": "ready", **ready}
    sentence = f"Jarvis is ready at {line['api_url']} (links: port {line['peer_port']}). Ctrl-C ends it."
    state.show(line, lambda: say(sentence))
    sys.stdout.flush()


async def _until_told(
    settings: Settings, on_ready: Callable[[dict[str, Any]], None], log_at: Callable[[str], None]
) -> signal.Signals | None:
    """Runs the node; the signal that ended it, None when it ended by itself."""
    from jarvis.app import run_node

    told: list[signal.Signals] = []
    loop, this = asyncio.get_running_loop(), asyncio.current_task()
    assert this is not None

    def stop(number: signal.Signals) -> None:
        if told:  # asked twice: the user has waited enough
            _give_up(loop)
        told.append(number)
        guard = threading.Timer(STOP_S, _give_up, (loop,))
        guard.daemon = True
        guard.start()
        this.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    try:
        await run_node(settings, on_ready=on_ready, log_at=log_at)
    except asyncio.CancelledError:
        if not told:
            raise
    return told[0] if told else None


def _give_up(loop: asyncio.AbstractEventLoop) -> None:
    """End this process whatever it does, and say which of its parts had not ended: nothing else could tell later."""
    try:
        saying = threading.Thread(target=lambda: click.echo(plain(_not_ended(loop)), err=True), daemon=True)
        saying.start()
        saying.join(SAY_S)
    finally:
        os._exit(FAILED)


def _not_ended(loop: asyncio.AbstractEventLoop) -> str:
    """A sentence. Only tasks that were given a name are parts; where there is none, work in a thread holds it up."""
    names = sorted({task.get_name() for task in asyncio.all_tasks(loop)})
    parts = [name for name in names if not name.startswith("Task-")]
    return f"jarvis: This node was ended before all of it had stopped. At work still: {', '.join(parts) or 'threads'}."
