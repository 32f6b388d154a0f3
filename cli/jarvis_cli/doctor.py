"""doctor: what this machine needs, and how to mend it. Needs no running node."""

from __future__ import annotations

from dataclasses import asdict

import click

from jarvis_cli.failures import FAILED
from jarvis_cli.output import say
from jarvis_cli.state import Command, State


@click.command(cls=Command)
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Check what this machine needs, and say how to mend it; exit code 1 when something needed is broken."""
    from jarvis_cli.checks import all_checks
    from jarvis_cli.logs import set_up

    state: State = ctx.obj
    set_up("debug" if state.debug else "error")
    checks = list(all_checks(state.data_dir))
    ok = all(check.ok or check.optional for check in checks)

    def human() -> None:
        for check in checks:
            mark, style = ("ok", "green") if check.ok else ("less", "yellow") if check.optional else ("BAD", "red")
            say(f"{mark:<5} {check.name:<28} {check.detail}", style=style)
            if check.fix:
                say(f"      {'':<28} {check.fix}")
        say("Everything that is needed is in order." if ok else "Something needed is broken: see BAD above.")

    state.show({"ok": ok, "checks": [asdict(check) for check in checks]}, human)
    if not ok:
        ctx.exit(FAILED)
