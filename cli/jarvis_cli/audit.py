"""audit: who did what, and whether the log holds."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli.failures import FAILED
from jarvis_cli.output import say, table
from jarvis_cli.state import Group, State


@click.group(cls=Group)
def audit() -> None:
    """Who did what, and whether the log holds."""


@audit.command("list")
@click.option("--since", metavar="TIME", help="From then on, as ISO 8601: 2026-01-31 or 2026-01-31T18:00Z.")
@click.option("--action", help="Only this action.")
@click.pass_obj
def listing(state: State, since: str | None, action: str | None) -> None:
    """List the audit log of every node of the home."""
    rows = state.client().get("/api/v2/audit", since=since, action=action)
    columns = ("at", "actor", "action", "target", "outcome", "detail")
    state.show(rows, lambda: table([_told(row) for row in rows], columns, empty="There is no such entry."))


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """Where the detail has a sentence for a person, that is all a person needs."""
    detail = row["detail"]
    return row | {"detail": detail["sentence"]} if isinstance(detail, dict) and "sentence" in detail else row


@audit.command()
@click.pass_context
def verify(ctx: click.Context) -> None:
    """Check every record's signature and chain; exit code 1 when something does not hold."""
    verdict = ctx.obj.client().call("GET", "/api/v2/audit/verification", deadline_s=300)

    def human() -> None:
        say(f"{verdict['records']} records: " + ("every signature and chain holds." if verdict["ok"] else "NOT whole."))
        for problem in verdict["problems"]:
            say(str(problem))

    ctx.obj.show(verdict, human)
    if not verdict["ok"]:
        ctx.exit(FAILED)
