"""sync: links to the other rooms, and whether all hold the same."""

from __future__ import annotations

import click

from jarvis_cli.failures import FAILED
from jarvis_cli.output import plain, say, table
from jarvis_cli.state import Group, State


@click.group(cls=Group)
def sync() -> None:
    """Links to the other rooms."""


@sync.command()
@click.pass_obj
def status(state: State) -> None:
    """Show each link, and what is still to be sent."""
    found = state.client().get("/api/v2/sync")

    def human() -> None:
        columns = ("name", "connected", "rtt_ms", "behind", "ahead", "node_id")
        table(found["peers"], columns, empty="This node knows no other.")
        say(f"{plain(found['records'])} records, {plain(found['documents'])} documents.")

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
