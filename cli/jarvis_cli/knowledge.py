"""knowledge: the home's documents, and what they say."""

from __future__ import annotations

from typing import Any

import click

from jarvis_cli.output import note, plain, say, table
from jarvis_cli.state import Group, State

PATH = "/api/v2/knowledge"


@click.group(cls=Group)
def knowledge() -> None:
    """The home's documents, and what they say."""


@knowledge.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.pass_obj
def add(state: State, paths: tuple[str, ...]) -> None:
    """Add files and folders to this node's library.

    Reads text, Markdown, HTML, PDF, Word and source code, what pictures say of themselves, and what is said in
    recordings. Their text stays on this node; every room knows their titles and may ask."""
    from jarvis.core.errors import InvalidInput

    client, rows = state.client(), []
    for path in map(_absolute, paths):
        try:
            for row in client.stream(PATH, {"path": path}):
                rows.append(row)
                if not state.as_json:
                    _tell(row)
        except InvalidInput as error:
            if len(paths) == 1:
                raise
            names = {"path": path, "state": "refused", "document_id": None, "title": None, "chunks": 0}
            rows.append(names | {"reason": str(error)})
            note(f"refused    {error}")  # the others are added all the same
    refused = [row for row in rows if row["state"] == "refused"]
    state.show(rows, lambda: say("There was nothing to add.") if not rows else None)
    if refused and len(refused) == len(rows):
        raise InvalidInput("Nothing was added.", fix="The reasons stand beside the files.")


def _tell(row: dict[str, object]) -> None:
    if row["state"] == "refused":
        note(f"refused    {row['path']}: {row['reason']}")
    else:
        say(f"{row['state']:<9}  {row['title']}  ({row['chunks']} chunks, {plain(row['document_id'])[:8]})")
        if row["reason"]:
            note(f"           {row['reason']}")


@knowledge.command("list")
@click.pass_obj
def listing(state: State) -> None:
    """List the home's documents, and who holds them."""
    rows = state.client().get(PATH)
    columns = ["document_id", "title", "holder", "online", "copies", "chunks", "waiting", "at"]
    columns += ["outdated"] * any(row["outdated"] for row in rows)

    def human() -> None:
        told = [row | {"copies": ", ".join(map(_copy, row["copies"]))} for row in rows]
        table(told, columns, empty="There is no document yet.")
        for row in rows:
            if row["refused"]:
                note(f"{row['title']} is told as it was: what its file holds now is refused. {row['refused']}")
            for one in row["copies"]:
                if one["problem"]:
                    note(f"The copy of {row['title']} in {one['name']} waits. {one['problem']}")

    state.show(rows, human)


def _copy(one: dict[str, Any]) -> str:
    """Such as "study", once it is whole, or "study 43 %", or "study away"."""
    percent = "" if one["percent"] == 100 else " ?" if one["percent"] is None else f" {one['percent']} %"
    return plain(one["name"]) + (percent if one["online"] else " away")


@knowledge.command()
@click.argument("document_id", metavar="ID")
@click.option("--room", default="here", help="The room that keeps it; this node's without.")
@click.pass_obj
def pin(state: State, document_id: str, room: str) -> None:
    """Let a room keep a copy of a document, which answers when its holder is away."""
    kept = _wish(state, document_id, "pin", room)
    shown = ", ".join(map(_copy, kept["copies"]))
    state.show(kept, lambda: say(f"{kept['title']} is kept, besides its holder, by: {shown}."))


@knowledge.command()
@click.argument("document_id", metavar="ID")
@click.option("--room", default="here", help="The room that keeps it; this node's without.")
@click.pass_obj
def unpin(state: State, document_id: str, room: str) -> None:
    """Erase a room's copy of a document."""
    kept = _wish(state, document_id, "unpin", room)
    where = "here" if room == "here" else f"in {room}"
    state.show(kept, lambda: say(f"No copy of {kept['title']} is kept {where} any more."))


def _wish(state: State, document_id: str, wish: str, room: str) -> dict[str, Any]:
    from jarvis.api.client import segment

    _must_be_named(document_id)
    row: dict[str, Any] = state.client().post(f"{PATH}/{segment(document_id)}/{wish}", {"room": room})
    return row


def _must_be_named(document_id: str) -> None:
    from jarvis.core.errors import InvalidInput

    if not document_id:
        raise InvalidInput("A document's id has at least one letter.", fix="See `jarvis knowledge list`.")


@knowledge.command()
@click.argument("question", metavar="QUERY")
@click.option("-k", "most", default=5, type=click.IntRange(1, 16), help="How many passages at most.")
@click.option("--here", is_flag=True, help="Ask this node alone.")
@click.pass_obj
def search(state: State, question: str, most: int, here: bool) -> None:
    """Find what the documents say, in every room."""
    found = state.client().get(f"{PATH}/search", q=question, k=most, here=here)
    if found["silent"]:
        note(f"Not all could be asked: {', '.join(map(plain, found['silent']))} did not answer.")
    if not found["by_meaning"]:
        note("Found by words alone: the index by meaning is not ready.")

    def human() -> None:
        if not found["results"]:
            say("Nothing was found.")
        for row in found["results"]:
            where = f", {row['place']}" if row["place"] else ""
            holder = f"copy in {row['holder']}" if row["copy"] else row["holder"]
            since = f", as of {row['read_at'][:10]}, its file could not be read since" if row["outdated"] else ""
            say(f"{row['title']}{where} ({holder}{since})", style="bold")
            say(row["text"])
            say()

    state.show(found["results"], human)


@knowledge.command()
@click.argument("document_id", metavar="ID")
@click.pass_obj
def remove(state: State, document_id: str) -> None:
    """Erase a document in every room."""
    from jarvis.api.client import segment

    _must_be_named(document_id)
    gone = state.client().delete(f"{PATH}/{segment(document_id)}")
    state.show(gone, lambda: say(f"Erased {gone['title']}."))


@knowledge.command()
@click.argument("folder", metavar="FOLDER")
@click.pass_obj
def watch(state: State, folder: str) -> None:
    """Read a folder now, and whatever changes in it from now on."""
    row = state.client().post(f"{PATH}/watch", {"path": _absolute(folder)})
    state.show(row, lambda: say(f"{row['path']} is followed. `jarvis knowledge watched` tells how far reading it is."))


@knowledge.command()
@click.pass_obj
def watched(state: State) -> None:
    """List the folders that this node follows, and how far it has read them."""
    rows = state.client().get(f"{PATH}/watched")

    def human() -> None:
        table(rows, ("path", "state", "done", "files", "documents", "read_at"), empty="No folder is followed.")
        for row in rows:
            if row["problem"]:
                note(f"{row['path']}: {row['problem']}")
            for one in row["refused"]:
                note(f"refused    {one['path']}: {one['reason']}")

    state.show(rows, human)


@knowledge.command()
@click.argument("folder", metavar="FOLDER")
@click.pass_obj
def unwatch(state: State, folder: str) -> None:
    """Follow a folder no more; what was read of it stays."""
    row = state.client().post(f"{PATH}/unwatch", {"path": _absolute(folder)})
    state.show(row, lambda: say(f"{row['path']} is followed no more; its {row['documents']} documents stay."))


def _absolute(path: str) -> str:
    """As the node sees it: it may run in another folder than this command."""
    from pathlib import Path

    return str(Path(path).expanduser().absolute())


@knowledge.command()
@click.pass_obj
def reindex(state: State) -> None:
    """Throw this node's indexes away and make them anew."""
    done = state.client().post(f"{PATH}/reindex")
    state.show(done, lambda: say(f"{done['chunks']} chunks of {done['documents']} documents are indexed anew."))
