"""Every command against a scripted node, over its real API: what it asks, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from jarvis_cli.main import main

from jarvis.core import errors
from tests.api.double import SESSION, ScriptedNode, served, wav_bytes


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """stdout, which must be one JSON value and nothing else."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def jarvis(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("JARVIS_DATA_DIR", str(tmp_path / "home"))
    monkeypatch.setattr("jarvis_cli.fetching.fetch_missing", lambda *kinds, note: None)

    def run(*arguments: str) -> Ran:
        capfd.readouterr()
        code = main(arguments)
        captured = capfd.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ScriptedNode]:
    scripted = ScriptedNode(tmp_path / "home")
    with served(scripted):
        yield scripted


FIELDS = [
    ("ask hi", {"session_id", "turn_id", "text", "reply", "source", "provider", "citations", "timings_ms"}),
    ("say hi", {"rooms", "problems", "wav"}),
    ("node info", {"node_id", "name", "room", "home_id", "home_name", "roles", "version", "api_url", "peer_port"}),
    ("node list", {"node_id", "name", "room", "roles", "online", "last_seen", "rtt_ms"}),
    ("node invite --name bedroom", {"code", "expires_at"}),
    ("node rename --name larder", {"node_id", "name", "room"}),
    ("node rename hall --room cellar", {"node_id", "name", "room"}),
    ("home handover hall --yes", {"owner_node", "owner_name", "term"}),
    ("home recover legal winner thank year", {"node_id", "owner_node", "term", "recovery_phrase"}),
    ("home info", {"home_id", "home_name", "owner_node", "owner_name", "term", "members", "entries"}),
    ("session list", {"session_id", "title", "room", "turns", "updated_at", "archived"}),
    ("session show abc", {"session_id", "title", "turns"}),
    ("session list --archived", {"session_id", "archived"}),
    ("session rename abc Cocoa", {"session_id", "title", "archived"}),
    ("session archive abc", {"session_id", "title", "archived"}),
    ("session unarchive abc", {"session_id", "title", "archived"}),
    ("session new", {"session_id"}),
    ("session export abc", {"session_id", "turns"}),
    ("session export abc --format md", {"format", "text"}),
    ("session delete abc --yes", {"session_id", "deleted"}),
    ("config list", {"key", "value", "source", "set_by", "at"}),
    ("config get assistant.name", {"key", "value", "source", "set_by", "at"}),
    ("config set a.b c", {"key", "value", "source", "set_by", "at"}),
    ("config unset a.b", {"key", "unset"}),
    ("config conflicts", {"key", "node", "values"}),
    ("audit list", {"at", "node_id", "actor", "action", "target", "outcome", "detail"}),
    ("audit verify", {"ok", "records", "problems"}),
    ("note list", {"note_id", "title", "text", "updated_at"}),
    ("note show shopping", {"note_id", "title", "text", "updated_at"}),
    ("note add shopping bread", {"note_id", "title", "text", "updated_at"}),
    ("timer list", {"timer_id", "name", "remaining_s", "rings_at", "node_id", "every"}),
    ("timer set 10m --name pasta", {"timer_id", "name", "remaining_s", "rings_at", "node_id", "room", "state"}),
    ("timer set --at 7:30", {"timer_id", "name", "remaining_s", "rings_at", "node_id", "kind"}),
    ("timer add tt 5m", {"timer_id", "remaining_s"}),
    ("timer add tt -90s", {"timer_id", "remaining_s"}),
    ("timer pause tt", {"timer_id", "state"}),
    ("timer resume tt", {"timer_id", "state"}),
    ("timer stop", {"stopped"}),
    ("timer cancel tt", {"timer_id", "cancelled"}),
    ("engine list", {"name", "kind", "state", "pid", "rss_bytes", "restarts", "breaker"}),
    ("engine restart stt", {"name", "kind", "state", "pid", "rss_bytes", "restarts", "breaker"}),
    ("plugin list", {"name", "version", "summary", "source", "state", "problem", "gives"}),
    ("plugin info dice", {"name", "version", "summary", "source", "place", "state", "gives"}),
    ("plugin enable dice", {"name", "enabled", "state", "gives"}),
    ("plugin disable dice", {"name", "enabled", "state"}),
    ("sync status", {"peers", "records", "documents"}),
    ("sync verify", {"agree", "digest", "documents", "peers"}),
    ("models list", {"name", "kind", "installed", "bytes", "path", "source", "licence"}),
    ("status", {"health", "components", "uptime_s"}),
    ("version", {"version"}),
    ("completion bash", {"shell", "script"}),
]


@pytest.mark.parametrize(("command", "fields"), FIELDS, ids=[command for command, _ in FIELDS])
def test_json_is_all_of_stdout_and_has_the_fields(
    command: str, fields: set[str], jarvis: Run, node: ScriptedNode
) -> None:
    ran = jarvis(*command.split(), "--json")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    one = ran.data[0] if isinstance(ran.data, list) else ran.data
    assert fields <= set(one)


@pytest.mark.parametrize("command", [command for command, _ in FIELDS])
def test_without_json_people_get_words(command: str, jarvis: Run, node: ScriptedNode) -> None:
    ran = jarvis(*command.split())
    assert ran.code == 0 and ran.out.strip() and ran.err == ""
    assert "\x1b" not in ran.out, "no escape code where there is no terminal, and none that came from a peer"


def test_words_from_elsewhere_are_printed_as_words(jarvis: Run, node: ScriptedNode) -> None:
    assert "[bold]two\ufffd[31m cups" in jarvis("session", "show", "abc").out


def test_options_may_stand_before_and_after_the_command(
    jarvis: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JARVIS_DATA_DIR", str(tmp_path / "nowhere"))
    place = str(tmp_path / "elsewhere")
    with served(ScriptedNode(Path(place))):
        for arguments in (
            ("--json", "--data-dir", place, "node", "info"),
            ("node", "--json", "--data-dir", place, "info"),
            ("node", "info", "--json", "--data-dir", place),
            ("--data-dir", place, "node", "info", "--json"),
        ):
            assert jarvis(*arguments).data["data_dir"] == place
    assert jarvis("node", "info").code == 69


def test_what_is_asked_reaches_the_node(jarvis: Run, node: ScriptedNode) -> None:
    jarvis("ask", "what", "time is it", "--session", "new")
    jarvis("ask", "--speak", "hi")
    jarvis("say", "hi", "--room", "bedroom")
    jarvis("say", "hi", "--all")
    jarvis("node", "invite", "--room", "bedroom")
    assert node.calls == [
        ("ask", "what time is it", "new", False),
        ("ask", "hi", None, True),
        ("say", "hi", "bedroom", False),
        ("say", "hi", None, True),
        ("invite", None, "bedroom"),
    ]
    spoken = jarvis("node", "invite", "--speak", "--json").data["spoken"]
    _, text, room, everywhere = node.calls[-1]
    digits = "One. Two. Three. Four. Five. Six. Seven. Eight."
    assert (room, everywhere) == (None, False) and spoken and text.count(digits) == 2 and "two minutes" in text
    assert jarvis("config", "set", "a.b", "-1", "--node", "bedroom", "--local").code == 2
    assert jarvis("config", "set", "--node", "bedroom", "--local", "--", "a.b", "-1").code == 0
    assert node.config.values == {"a.b": "-1"}


def test_hear_uploads_the_file_and_keeps_the_reply_private(jarvis: Run, node: ScriptedNode, tmp_path: Path) -> None:
    sound = tmp_path / "in.wav"
    sound.write_bytes(wav_bytes(800))
    heard = jarvis("hear", str(sound), "--no-wake", "--realtime", "--json").data
    assert node.calls == [("hear", len(wav_bytes(800)), False, True)]
    reply = Path(heard["reply_wav"])
    try:
        assert reply.read_bytes() == wav_bytes() and stat.S_IMODE(reply.stat().st_mode) == 0o600
    finally:
        reply.unlink()
    out = tmp_path / "out.wav"
    heard = jarvis("hear", str(sound), "--out", str(out), "--json").data
    assert heard["reply_wav"] == str(out) and out.read_bytes() == wav_bytes()
    assert "reply_audio" not in heard


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: (path.touch(), os.truncate(path, 33 * 2**20)), "32 MiB"),
    ],
    ids=["missing", "directory", "empty", "too large"],
)
def test_a_file_that_cannot_be_heard_costs_one_sentence(
    make: Callable[[Path], object], says: str, jarvis: Run, node: ScriptedNode, tmp_path: Path
) -> None:
    make(tmp_path / "in.wav")
    ran = jarvis("hear", str(tmp_path / "in.wav"))
    assert ran.code == 1 and ran.out == "" and says in ran.err and len(ran.err.splitlines()) == 2
    assert node.calls == []


def test_a_reply_that_cannot_be_kept_is_told(jarvis: Run, node: ScriptedNode, tmp_path: Path) -> None:
    ran = jarvis("say", "hi", "--out", str(tmp_path / "no" / "out.wav"))
    assert ran.code == 1 and "cannot be written" in ran.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInput("No such thing.", fix="Look again."), 1),
        (errors.Unreachable("Nobody there.", fix="Go."), 69),
        (errors.NotAllowed("Not you.", fix="Ask."), 77),
        (errors.BadConfiguration("Does not fit.", fix="Mend."), 78),
        (errors.Missing("Not installed.", fix="Install."), 1),
    ],
    ids=lambda value: str(value),
)
def test_errors_are_a_sentence_a_fix_and_a_code(
    error: errors.JarvisError, code: int, jarvis: Run, node: ScriptedNode
) -> None:
    node.fails = error
    ran = jarvis("ask", "hi")
    assert (ran.code, ran.out, ran.err) == (code, "", f"jarvis: {error}\n{error.fix}\n")
    ran = jarvis("ask", "hi", "--json")
    assert (ran.code, ran.out) == (code, "")
    assert json.loads(ran.err) == {"error": {"message": str(error), "fix": error.fix}}


def test_what_a_sentence_means(jarvis: Run, node: ScriptedNode) -> None:
    ran = jarvis("understand", "turn", "on the lamp")
    assert node.calls[-1] == ("understand", "turn on the lamp")
    assert ran.out == "home_turn_on (confidence 0.8)\n  thing: lamp\n  area: to be asked for\n"
    ran = jarvis("understand", "light", "and", "timer")
    assert ran.out == "several\n  home_turn_on: thing light\n  timer_set: seconds 60\n"
    assert jarvis("understand", "hum").out == "Free text: no intent.\n"
    assert jarvis("understand", "hum", "--json").data["intent"] is None


def test_a_traceback_only_with_debug(jarvis: Run, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret word")

    monkeypatch.setattr("jarvis.api.client.Client.get", broken)
    ran = jarvis("status")
    assert ran.code == 1 and "secret" not in ran.err and "Traceback" not in ran.err and "--debug" in ran.err
    assert "Traceback" in jarvis("status", "--debug").err


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("node", "nothing"),
        ("ask",),
        ("say", "hi", "--room", "x", "--all"),
        ("run", "--api-port", "70000"),
        ("session", "export", "abc", "--format", "pdf"),
        ("status", "--nothing"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...], jarvis: Run, node: ScriptedNode) -> None:
    ran = jarvis(*arguments)
    assert (ran.code, ran.out) == (2, "") and "Traceback" not in ran.err
    ran = jarvis(*arguments, "--json")
    assert ran.code == 2 and json.loads(ran.err)["error"]["message"]


def test_trace_prints_a_line_a_message_and_tells_when_the_node_stops(jarvis: Run, node: ScriptedNode) -> None:
    node.peering.ends = True
    ran = jarvis("sync", "trace", "ppp")
    first, second = ran.out.splitlines()
    assert first == "Messages with bedroom:"
    assert second.split() == ["0.013", "->", "want", "71", "B", "abcdef/ghij", "1-512"]
    assert ran.code == 69 and "The node stopped." in ran.err
    rows = [json.loads(line) for line in jarvis("sync", "trace", "ppp", "--json").out.splitlines()]
    assert [row["event"] for row in rows] == ["tracing", "sync.message"]
    assert jarvis("sync", "trace", "nobody").code != 0


def test_disagreement_and_a_broken_log_are_failures(
    jarvis: Run, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def differs() -> dict[str, Any]:
        return {"agree": False, "digest": "d1", "documents": {}, "peers": {"ppp": {"agree": False, "digest": "d2"}}}

    async def broken() -> dict[str, Any]:
        return {"ok": False, "records": 3, "problems": ["record 2 does not follow record 1"]}

    monkeypatch.setattr(node.peering, "verify", differs)
    monkeypatch.setattr(node.audit, "verify", broken)
    assert jarvis("sync", "verify", "--json").code == 1
    ran = jarvis("audit", "verify")
    assert ran.code == 1 and "record 2 does not follow record 1" in ran.out


def test_ids_are_whole_in_json_and_short_for_people(jarvis: Run, node: ScriptedNode) -> None:
    assert jarvis("session", "list", "--json").data[0]["session_id"] == SESSION
    shown = jarvis("session", "list").out
    assert SESSION[:8] in shown and SESSION not in shown


@pytest.mark.parametrize(
    "command", ["session delete abc", "node remove hall", "node leave", "home handover hall"], ids=lambda one: one
)
def test_what_cannot_be_taken_back_is_not_done_unasked(
    jarvis: Run, node: ScriptedNode, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer, code, said in (("", 1, "Give --yes"), ("n\n", 130, "Interrupted")):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        ran = jarvis(*command.split())
        assert (ran.code, ran.out) == (code, "")
        assert said in ran.err
    assert node.calls == []


def test_deleting_a_session_asks_first_and_names_it(
    jarvis: Run, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def confirm(text: str, **_: Any) -> bool:
        asked.append(text)
        if len(asked) == 1:
            raise click.Abort
        return True

    monkeypatch.setattr(click, "confirm", confirm)
    assert jarvis("session", "delete", "abc").code != 0
    assert node.sessions.rows, "nothing was deleted"
    ran = jarvis("session", "delete", "abc")
    assert ran.code == 0 and "Deleted" in ran.out and not node.sessions.rows
    assert asked == ["Delete 'Tea' for good, on every node?"] * 2


def test_engines_are_shown_with_what_they_hold(jarvis: Run, node: ScriptedNode) -> None:
    listed = jarvis("engine", "list")
    assert listed.code == 0 and "226 MB" in listed.out and "closed" in listed.out
    assert "stt is ready again, in process 4711." in jarvis("engine", "restart", "stt").out
    unknown = jarvis("engine", "restart", "nose")
    assert unknown.code == 1 and "There is no engine 'nose'." in unknown.err and "This node has stt." in unknown.err


def test_what_a_plugin_gives_is_said_when_it_is_enabled(jarvis: Run, node: ScriptedNode) -> None:
    assert jarvis("plugin", "enable", "dice").out == "dice is on. It gives tool roll_dice.\n"
    assert jarvis("plugin", "disable", "dice").out == "dice is off.\n"
    unknown = jarvis("plugin", "info", "cards")
    assert unknown.code == 1 and "There is no plugin 'cards'." in unknown.err and "plugin list" in unknown.err
