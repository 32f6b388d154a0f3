"""Where a secret may come from, and that none gets into a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.core.files import read_text
from jarvis.core.secrets import MAX_SECRET_BYTES, find_secret, looks_secret, names_a_secret, without_secrets


def find(file: Path | None = None, **environ: str) -> str:
    return find_secret("The token", "A_TOKEN", "a-token", file, environ)


def test_the_first_that_is_set_counts(tmp_path: Path) -> None:
    places = {one: tmp_path / one for one in ("named", "own", "a-token")}
    for name, path in places.items():
        path.write_text(f"from-{name}\n")
        path.chmod(0o600)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find() == "" and find(**environ) == "from-a-token"
    assert find(places["own"], **environ) == "from-own"
    assert find(places["own"], A_TOKEN=" spoken ", **environ) == "spoken"
    assert find(places["own"], A_TOKEN="spoken", A_TOKEN_FILE=str(places["named"]), **environ) == "from-named"


@pytest.mark.parametrize("content", ["", "two words", "x" * (MAX_SECRET_BYTES + 1), "sch\u00f6n", "a\x00b"])
def test_what_is_no_secret_is_refused_without_repeating_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "file").write_text(content)
    (tmp_path / "file").chmod(0o600)
    with pytest.raises(BadConfiguration) as refused:
        find(tmp_path / "file")
    assert refused.value.fix and (not content or content not in f"{refused.value} {refused.value.fix}")


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="cannot be read"):
        find(A_TOKEN_FILE=str(tmp_path / "absent"))
    with pytest.raises(BadConfiguration, match="cannot be read"):
        find(tmp_path / "absent")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "a-token").write_text("spoken")
    (tmp_path / "a-token").chmod(mode)
    for refused in (
        lambda: find(tmp_path / "a-token"),
        lambda: find(A_TOKEN_FILE=str(tmp_path / "a-token")),
    ):
        with pytest.raises(BadConfiguration, match="not secret") as caught:
            refused()
        assert caught.value.fix == f"Run `chmod 600 {tmp_path / 'a-token'}`." and "spoken" not in str(caught.value)
    # It gives a service of another user its credentials by a list of who may, which shows as rights of the group.
    assert find(CREDENTIALS_DIRECTORY=str(tmp_path)) == "spoken"


@pytest.mark.parametrize("key", ["llm.0.key", "hass.token", "my_password", "a.secret-word", "plugin.sky.api_key"])
def test_a_key_that_would_hold_a_secret_is_known(key: str) -> None:
    assert names_a_secret(key) and not names_a_secret(f"{key}_file")


@pytest.mark.parametrize("key", ["assistant.name", "audio.volume", "keyboard.layout", "plugin.sky.tokens"])
def test_other_keys_are_not(key: str) -> None:
    assert not names_a_secret(key)


def test_forms_of_known_keys() -> None:
    for value in ("sk-ant-api03-" + "x" * 30, "sk-proj_" + "Ab1" * 9, "ghp_" + "a1" * 18, "eyJhbGciOiJI.eyJpc3Mi.c2ln"):
        assert looks_secret(value) and looks_secret(f"Bearer {value}")
    for value in ("Friday", "22:00-07:00", "http://homeassistant.local:8123", "sk-8", "risk-taking is for others"):
        assert not looks_secret(value)


def test_a_program_of_others_is_not_given_ours() -> None:
    ours = {"JARVIS_LLM_BIG_KEY": "x", "JARVIS_HOME_ASSISTANT_TOKEN_FILE": "x", "CREDENTIALS_DIRECTORY": "x"}
    assert without_secrets(ours | {"JARVIS_MODELS_DIR": "/m", "PATH": "/bin"}) == {
        "JARVIS_MODELS_DIR": "/m",
        "PATH": "/bin",
    }


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(BadConfiguration):
        find(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no file"):
        read_text(tmp_path / "pipe", 100)
    with pytest.raises(OSError):
        read_text(tmp_path, 100)
