"""ask, understand, hear, say: talking with the running node."""

from __future__ import annotations

import os
import tempfile
from base64 import b64decode
from pathlib import Path

import click

from jarvis_cli.output import note
from jarvis_cli.output import say as tell
from jarvis_cli.state import Command, State

ANSWER_S = 120.0
"""A small language model on a busy machine, and its load before the first word."""
LONGEST_S = 600.0
"""The longest sound a node hears; with --realtime the answer comes after it."""
UPLOAD_BYTES = 32 * 1024 * 1024
"""What the node takes. Ten minutes at 16 kHz mono are 19 MB."""


@click.command(cls=Command)
@click.argument("text", nargs=-1, required=True)
@click.option("--session", metavar="ID|new", help="Continue that session, or begin one. Default: the room's open one.")
@click.option("--speak", is_flag=True, help="Speak the reply in the node's room too.")
@click.pass_obj
def ask(state: State, text: tuple[str, ...], session: str | None, speak: bool) -> None:
    """Ask in words, and print the reply."""
    client = state.client()
    if speak:
        _fetch_missing("tts")
    question = {"text": " ".join(text), "session": session, "speak": speak}
    answer = client.post("/api/v2/chat", question, deadline_s=ANSWER_S)
    state.show(answer, lambda: tell(answer["reply"]))


@click.command(cls=Command)
@click.argument("text", nargs=-1, required=True)
@click.pass_obj
def understand(state: State, text: tuple[str, ...]) -> None:
    """What a sentence means, without doing it."""
    found = state.client().post("/api/v2/understand", {"text": " ".join(text)})

    def human() -> None:
        if found["intent"] is None:
            tell("Free text: no intent.")
            return
        tell(found["intent"] + ("" if found["confidence"] == 1 else f" (confidence {found['confidence']})"))
        for slot, value in found["slots"].items():
            if slot == "parts":
                for part in value:
                    tell(f"  {part['intent']}: {', '.join(f'{name} {one}' for name, one in part['slots'].items())}")
            else:
                tell(f"  {slot}: {value}")
        for slot in found["missing"]:
            tell(f"  {slot}: to be asked for")

    state.show(found, human)


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.wav")
@click.option("--no-wake", is_flag=True, help="Do not wait for the wake word.")
@click.option("--realtime", is_flag=True, help="Play at the speed it was recorded at, as a microphone would.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.wav", help="Where the spoken reply goes.")
@click.pass_obj
def hear(state: State, file: Path, no_wake: bool, realtime: bool, out: Path | None) -> None:
    """Play a sound file into the node as if its microphone heard it."""
    audio = read_sound(file)
    client = state.client()
    _fetch_missing()
    deadline_s = ANSWER_S + (LONGEST_S if realtime else 0)
    turn = client.upload("/api/v2/voice", audio, wake=not no_wake, realtime=realtime, deadline_s=deadline_s)
    turn["reply_wav"] = keep_sound(b64decode(turn.pop("reply_audio")), out)

    def human() -> None:
        for problem in turn.get("problems") or ():
            note(problem)
        if not turn["heard"]:
            tell("Nothing was heard." if turn["wake"] or no_wake else "The wake word was not heard.")
            return
        tell(f"Heard: {turn['heard']}")
        tell(f"Reply: {turn['reply']}")
        if turn["reply_wav"]:
            tell(f"The reply is spoken in {turn['reply_wav']}")

    state.show(turn, human)


@click.command(cls=Command)
@click.argument("text", nargs=-1, required=True)
@click.option("--room", help="In that room; default: the node's own.")
@click.option("--all", "everywhere", is_flag=True, help="In every room.")
@click.option("--urgent", is_flag=True, help="Also where it is quiet hours.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.wav", help="Where the speech goes.")
@click.pass_obj
def say(
    state: State, text: tuple[str, ...], room: str | None, everywhere: bool, urgent: bool, out: Path | None
) -> None:
    """Speak a text."""
    if room and everywhere:
        raise click.UsageError("Give --room or --all, not both.", click.get_current_context())
    client = state.client()
    _fetch_missing("tts")
    speech = {"text": " ".join(text), "room": room, "everywhere": everywhere, "urgent": urgent}
    said = client.post("/api/v2/voice/say", speech, deadline_s=ANSWER_S)
    said["wav"] = keep_sound(b64decode(said.pop("audio")), out)
    rooms = ", ".join(said["rooms"]) or "no room"
    if said["quiet"]:
        note(f"Not said in {', '.join(said['quiet'])}: it is quiet hours there. --urgent says it all the same.")
    for problem in said["problems"]:
        note(problem)
    state.show(said, lambda: tell(f"Said in {rooms}." + (f" The speech is in {said['wav']}" if said["wav"] else "")))


def read_sound(file: Path) -> bytes:
    """The file's bytes. Raises InvalidInput when there is no such file, or it is over what a node takes."""
    from jarvis.core.errors import InvalidInput

    try:
        with file.open("rb") as stream:
            audio = stream.read(UPLOAD_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise InvalidInput(f"{file} cannot be read: {reason}.", fix="Give the path of a WAV or FLAC file.") from None
    if not audio:
        raise InvalidInput(f"{file} is empty.", fix="Give a WAV or FLAC file with sound in it.")
    if len(audio) > UPLOAD_BYTES:
        raise InvalidInput(f"{file} is over the limit of {UPLOAD_BYTES // 2**20} MiB.", fix="Cut it shorter.")
    return audio


def keep_sound(audio: bytes, out: Path | None) -> str | None:
    """Write speech where only its owner reads it; the path, None when there is no speech. Raises StoreFailed."""
    from jarvis.core.errors import StoreFailed

    if not audio:
        return None
    try:
        if out is None:
            handle, name = tempfile.mkstemp(prefix="jarvis-reply-", suffix=".wav")  # 0600
        else:
            handle, name = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), str(out.absolute())
        with os.fdopen(handle, "wb") as stream:
            stream.write(audio)
    except OSError as error:
        where = out or tempfile.gettempdir()
        raise StoreFailed(f"{where} cannot be written: {error.strerror}.", fix="Give another --out.") from None
    return name


def _fetch_missing(*kinds: str) -> None:
    from jarvis_cli.fetching import fetch_missing

    fetch_missing(*kinds, note=note)
