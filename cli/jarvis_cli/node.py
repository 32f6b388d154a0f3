"""node: this node, the home's nodes, inviting one more, and joining a home."""

from __future__ import annotations

import time
from typing import Any

import click

from jarvis_cli.output import console, fields, say, table, when
from jarvis_cli.state import Group, State

ENDS_WITHIN_S = 10.0
"""A node promises five."""
SPOKEN_S = 90.0
"""Dictating a code takes half a minute, after what is being said already."""
_DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


@click.group(cls=Group)
def node() -> None:
    """This node, the home's nodes, inviting and joining."""


@node.command()
@click.pass_obj
def info(state: State) -> None:
    """Show this node."""
    found = state.client().get("/api/v2/nodes/self")
    state.show(found, lambda: fields(found))


@node.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the home's nodes."""
    rows = state.client().get("/api/v2/nodes")
    columns = ("name", "room", "online", "rtt_ms", "last_seen", "roles", "node_id")
    state.show(rows, lambda: table(rows, columns, empty="There is no node."))


@node.command()
@click.option("--name", help="What the new node is called.")
@click.option("--room", help="The room it stands in.")
@click.option("--speak", is_flag=True, help="Say the code aloud too, in this node's room.")
@click.pass_obj
def invite(state: State, name: str | None, room: str | None, speak: bool) -> None:
    """Make a code with which one new node may join."""
    client = state.client()
    made = client.post("/api/v2/nodes/invitations", {"name": name, "room": room})

    def human() -> None:
        say(f"Code: {made['code']}   (for one node, until {when(made['expires_at'])})", style="bold")
        say(f"On the new device:  jarvis node join {made['code']}")
        if made.get("peer"):
            say(f"Where it does not find this home by itself, add:  --peer {made['peer']}")

    if speak and not state.as_json:
        human()  # whoever can read it need not wait for the voice
    if speak:
        body = {"text": spoken_code(made["code"]), "room": None, "everywhere": False, "urgent": True}
        made["spoken"] = client.post("/api/v2/voice/say", body, deadline_s=SPOKEN_S)["rooms"]
    state.show(made, (lambda: None) if speak else human)


def spoken_code(code: str) -> str:
    """The code as it is dictated: each digit a sentence of its own, so that there is time to type it, and all twice."""
    digits = " ".join(f"{_DIGITS[int(one)]}." for one in code if one.isdigit())
    return f"The code for the new device is: {digits} Once more: {digits} It is good for two minutes."


@node.command()
@click.argument("wanted", metavar="[NODE]", required=False)
@click.option("--name", help="What it is called from now on.")
@click.option("--room", help="The room it stands in from now on.")
@click.pass_obj
def rename(state: State, wanted: str | None, name: str | None, room: str | None) -> None:
    """Give a node, this one by default, another name or room. Needs no owner."""
    from jarvis.api.client import segment

    path = f"/api/v2/nodes/{segment(wanted) if wanted else 'self'}"
    named = state.client().patch(path, {"name": name, "room": room})
    state.show(named, lambda: say(f"The node {named['node_id'][:8]} is {named['name']}, in {named['room']}."))


@node.command()
@click.argument("wanted", metavar="NODE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(state: State, wanted: str, yes: bool) -> None:
    """Take a node out of the home for good, by its name or id."""
    from jarvis.api.client import segment

    state.make_sure(f"Remove {wanted} for good? It can only come back as a new node.", yes=yes)
    gone = state.client().delete(f"/api/v2/nodes/{segment(wanted)}")
    state.show(gone, lambda: say(f"{gone['name']} is out. What it says from now on counts nowhere in this home."))


@node.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def leave(state: State, yes: bool) -> None:
    """Take this node out of its home, end it, and empty its data directory."""
    state.make_sure(f"Leave the home and empty {state.data_dir}? What was said stays with the other nodes.", yes=yes)
    gone = _leave(state)
    state.show(
        gone, lambda: say("This node has left its home. What it wrote stays there; its data directory is empty.")
    )


def _leave(state: State) -> dict[str, Any]:
    from jarvis.api.client import Client
    from jarvis.core.errors import DeadlineExceeded, Unreachable

    try:
        client = Client(state.data_dir)
    except Unreachable:
        from jarvis.app import forget_home

        return forget_home(state.data_dir)
    gone: dict[str, Any] = client.post("/api/v2/home/departure")
    deadline = time.monotonic() + ENDS_WITHIN_S
    while (state.data_dir / "keys" / "node.key").exists():
        if time.monotonic() > deadline:
            raise DeadlineExceeded(
                "The home has let this node go, but it does not end.", fix="Stop it, and run `jarvis node leave` again."
            )
        time.sleep(0.05)
    return gone


@node.command()
@click.argument("code")
@click.option("--peer", metavar="HOST:PORT", help="What the invitation says, where mDNS does not reach.")
@click.option("--name", help="What this node is called; default: what the invitation says.")
@click.option("--room", help="The room it stands in; default: what the invitation says.")
@click.pass_obj
def join(state: State, code: str, peer: str | None, name: str | None, room: str | None) -> None:
    """Join a home with a code; founds the data directory, or brings its node back in. Needs no running node."""
    import asyncio

    from jarvis.app import join_home
    from jarvis_cli.logs import set_up

    set_up("debug" if state.debug else "error")
    with console(stderr=True).status("Looking for the home ..."):
        joined = asyncio.run(join_home(state.data_dir, code, peer, name=name, room=room))

    def human() -> None:
        say(f"Joined {joined['home_name']}. Start this node with `jarvis run`.")

    state.show(joined, human)
