"""sync: links to the other rooms, what goes over them, and whether all hold the same."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli import watching
from jarvis_cli.failures import FAILED
from jarvis_cli.output import plain, say, table
from jarvis_cli.state import Group, State


@click.group(cls=Group)
def sync() -> None:
    """Links to the other rooms."""


@sync.command()
@click.option("--watch", is_flag=True, help="Again every second, with rates, until Ctrl-C.")
@click.pass_obj
def status(state: State, watch: bool) -> None:
    """Show each link, and what is still to be sent."""
    client = state.client()
    if watch:
        watching.watch(lambda: client.get("/api/v2/sync"), as_json=state.as_json)
    found = client.get("/api/v2/sync")

    def human() -> None:
        columns = ("name", "connected", "rtt_ms", "behind", "ahead", "lag_ms", "node_id")
        table(found["peers"], columns, empty="This node knows no other.")
        say(f"{plain(found['records'])} records, {plain(found['documents'])} documents.")
        if found.get("commit", {}).get("count"):
            say(f"Commits: {watching.commits(found)}.")

    state.show(found, human)


@sync.command()
@click.pass_context
def verify(ctx: click.Context) -> None:
    """Compare what this node holds with every peer it can reach; exit code 1 when they differ."""
    verdict = ctx.obj.client().get("/api/v2/sync/verification")

    def human() -> None:
        say("All agree." if verdict["agree"] else "They differ.")
        rows = [{"node_id": node, **one} for node, one in verdict["peers"].items()]
        table(rows, ("node_id", "agree", "digest"), empty="No peer is linked; there is nobody to compare with.")

    ctx.obj.show(verdict, human)
    if not verdict["agree"]:
        ctx.exit(FAILED)


@sync.command()
@click.argument("peer")
@click.pass_obj
def trace(state: State, peer: str) -> None:
    """Print every message to and from a peer as it goes, until Ctrl-C. Never what records hold."""
    import json

    from jarvis.api.client import segment
    from jarvis.core.errors import Unreachable

    for row in state.client().stream(f"/api/v2/sync/peers/{segment(peer)}/trace"):
        click.echo(json.dumps(row) if state.as_json else plain(_line(row)))  # at once, in a pipe too
    raise Unreachable("The node stopped.", fix="Start it with `jarvis run`.")


def _line(row: dict[str, Any]) -> str:
    if row["event"] == "tracing":
        return f"Messages with {row['name']}" + (":" if row["connected"] else ", who is not connected now:")
    if row["event"] == "lost":
        return f"... {row['count']} messages were too fast to show."
    arrow = "->" if row["direction"] == "sent" else "<-"
    return f"{row['at_ms'] / 1000:12.3f} {arrow} {row['message']:<10} {row['size_bytes']:>7,} B  {row['detail']}"
