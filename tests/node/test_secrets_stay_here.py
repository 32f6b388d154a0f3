"""A day with a secret of each kind: servers that quote their key in what they say of a failure, a Home Assistant that
quotes its token, and a person who puts a key where it does not belong. None is found in a log, an answer, an export, a
backup, the store, another room, or where other users of the machine look."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from jarvis.core.errors import InvalidInput
from jarvis.identity.sealed import opened_with_passphrase
from jarvis.node.backups.making import read_header
from jarvis.testing.processes import NodeProcess, agree, jarvis, linked, until
from tests.assistant.served_doubles import AnthropicDouble, OpenAIDouble, Send, ServedDouble
from tests.home_assistant.double import TOKEN, HomeAssistantDouble
from tests.node.conftest import Home
from tests.node.test_nothing_readable import files, found_in
from tests.node.test_served_models_at_home import QUESTION, serving
from tests.store.pages import pages

KEYS = {
    "variable": "vermilionsk4711variable",
    "file": "vermilionsk4711keyfile",
    "named": "vermilionsk4711named",
    "credential": "vermilionsk4711credential",
    "misplaced": "vermilionsk4711misplaced",
}
SECRETS = (*KEYS.values(), TOKEN)
PASSPHRASE = "correct horse battery staple"
PATHS = ("health", "config", "conflicts", "settings", "audit", "sync", "nodes", "engines", "plugins", "quarantine")


class Quoting(ServedDouble):
    """Says the key in its refusal."""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        said = json.dumps(dict(request.headers))
        return web.json_response({"error": {"message": f"Incorrect API key provided: {said}"}}, status=401)


class QuotingLater(AnthropicDouble):
    """Says the key in the middle of its answer's stream."""

    async def begin(self, send: Send) -> None:
        error = {"type": "authentication_error", "message": f"invalid x-api-key: {KEYS['file']}, {KEYS['named']}"}
        await send("error", {"type": "error", "error": error})


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def told_by(node: NodeProcess) -> Iterator[str]:
    """All that a node says of itself and of what it keeps."""
    for path in PATHS:
        yield json.dumps(node.get(f"/api/v2/{path}"))
    for one in node.get("/api/v2/sessions"):
        yield json.dumps(node.get(f"/api/v2/sessions/{one['session_id']}"))
    yield node.stderr


def seen_by_others(node: NodeProcess) -> Iterator[bytes]:
    """The arguments of the node and of all that it started, and what its children were given."""
    for pid in (node.pid, *node.descendants()):
        yield Path(f"/proc/{pid}/cmdline").read_bytes()
    for pid in node.descendants():
        yield Path(f"/proc/{pid}/environ").read_bytes()


def test_no_secret_gets_out(home: Home, house: HomeAssistantDouble, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    private(outside / "llm-fourth-key", KEYS["credential"])
    env = {
        "JARVIS_LLM_FIRST_KEY": KEYS["variable"],
        "JARVIS_LLM_THIRD_KEY_FILE": str(private(outside / "named", KEYS["named"])),
        "CREDENTIALS_DIRECTORY": str(outside),
        "JARVIS_HOME_ASSISTANT_TOKEN_FILE": str(private(outside / "token", TOKEN)),
        "JARVIS_BACKUP_PASSPHRASE_FILE": str(private(outside / "passphrase", PASSPHRASE)),
        "JARVIS_HOME_ASSISTANT_URL": house.url,
    }
    data = home.folder / "kitchen"
    with (
        serving(Quoting()) as first,
        serving(QuotingLater()) as second,
        serving(QuotingLater()) as third,
        serving(OpenAIDouble()) as fourth,
    ):
        (data / "jarvis.toml").write_text(
            f'[[llm]]\nprovider = "openai"\nname = "first"\nmodel = "m"\nurl = "{first.url}/v1"\n'
            f'[[llm]]\nprovider = "anthropic"\nname = "second"\nurl = "{second.url}"\nmodel = "m"\n'
            f'key_file = "{private(outside / "file", KEYS["file"])}"\n'
            f'[[llm]]\nprovider = "anthropic"\nname = "third"\nurl = "{third.url}"\nmodel = "m"\n'
            f'[[llm]]\nprovider = "openai"\nname = "fourth"\nmodel = "m"\nurl = "{fourth.url}/v1"\n'
        )
        kitchen = home.node("kitchen", "--debug", "--peer", home.address("bedroom"), env=env)
        bedroom = home.node("bedroom", "--debug", "--peer", home.address("kitchen"))
        kitchen.start()
        bedroom.start()
        until(lambda: linked(kitchen, bedroom), 15, "the link")

        assert kitchen.ask(QUESTION)["provider"] == "fourth", "the others refuse the key"
        assert (len(first.asked), len(second.asked), len(third.asked)) == (1, 1, 1)
        assert fourth.headers[0]["Authorization"] == f"Bearer {KEYS['credential']}"
        assert second.headers[0]["x-api-key"] == KEYS["file"] and third.headers[0]["x-api-key"] == KEYS["named"]
        refused_by_a_bridge(kitchen, house)
        for local in (False, True):
            with pytest.raises(InvalidInput, match=r"llm\.0\.key"):
                kitchen.set_config("llm.0.key", KEYS["misplaced"], local=local)
        until(lambda: agree(kitchen, bedroom), 15, "agreement")

        told = [*told_by(kitchen), *told_by(bedroom)]
        assert "left alone for a while" in "".join(told) and len("".join(told)) > 10_000
        for said in (*(one.encode() for one in told), *seen_by_others(kitchen)):
            assert not found_in(said, SECRETS)
        doctor = jarvis("doctor", data_dir=data, env=home.env | env)
        assert "llm.first" in doctor.out and not found_in((doctor.out + doctor.err).encode(), SECRETS)
        backup = tmp_path / "home.backup"
        jarvis("backup", "create", str(backup), data_dir=data, env=home.env | env).json()
    kitchen.stop()
    bedroom.stop()

    opener = opened_with_passphrase(read_header(backup), PASSPHRASE)
    plain = opener.feed(backup.read_bytes()[len(read_header(backup)) :]) + opener.finish()
    assert b"scattering" in plain and not found_in(plain, SECRETS)
    for room in ("kitchen", "bedroom"):
        database, key = home.folder / room / "store" / "jarvis.db", home.folder / room / "keys" / "store.key"
        held = b"".join(pages(database, key.read_bytes()))
        assert b"scattering" in held and not found_in(held, SECRETS), "it can be read with its key, and is not there"
        for file in files(home.folder / room):
            assert not found_in(file.read_bytes(), SECRETS), file


def refused_by_a_bridge(kitchen: NodeProcess, house: HomeAssistantDouble) -> None:
    def part() -> Any:
        return kitchen.get("/api/v2/health")["components"]["home_assistant"]["state"]

    until(lambda: part() == "ok", 15, "the house")
    house.refuses["light.turn_on"] = ("home_assistant_error", f"Unauthorized: Bearer {TOKEN}")
    assert kitchen.ask("Turn on the kitchen light")["reply"].startswith("Sorry")
