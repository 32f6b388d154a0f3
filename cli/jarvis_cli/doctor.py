"""doctor: what this machine needs, and how to mend it. Needs no running node."""

from __future__ import annotations

from dataclasses import asdict

import click

from jarvis_cli.failures import FAILED
from jarvis_cli.output import note, say
from jarvis_cli.state import Command, State


@click.command(cls=Command)
@click.option(
    "--mic",
    type=click.FloatRange(1, 600),
    is_flag=False,
    flag_value=5,
    metavar="[SECONDS]",
    help="Listen instead, show how loud it is, and say whether the microphone will do.",
)
@click.option("--device", metavar="NAME", default="", help="With --mic: the device, by any part of its name.")
@click.option("--loopback", is_flag=True, help="With --mic: play a tone too, and listen for it.")
@click.pass_context
def doctor(ctx: click.Context, mic: float | None, device: str, loopback: bool) -> None:
    """Check what this machine needs, and say how to mend it; exit code 1 when something needed is broken."""
    if mic is not None:
        _microphone(ctx, mic, device, loopback)
        return
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


def _microphone(ctx: click.Context, seconds: float, device: str, loopback: bool) -> None:
    from jarvis_cli import microphone
    from jarvis_cli.logs import set_up

    state: State = ctx.obj
    set_up("debug" if state.debug else "error")
    note(f"Speak for {seconds:g} seconds, from where you usually will.")
    found = microphone.test(device, seconds, loopback=loopback)
    levels = found["levels"]

    def human() -> None:
        say(f"{found['device']}: {found['detail']}", style="green" if found["ok"] else "red")
        if found["fix"]:
            say(found["fix"])
        say(f"Peak {levels['peak_db']} dB, speech {levels['loud_db']} dB, noise {levels['noise_db']} dB.")
        if found["loopback"] is not None and found["loopback"]["heard"]:
            say(f"It hears the loudspeaker, after {found['loopback']['delay_ms']:.0f} ms with opening it.")

    state.show(found, human)
    if not found["ok"]:
        ctx.exit(FAILED)
