"""Flag over environment over file over default, and mistakes said in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.core.settings import SETTINGS_FILE, Settings, load


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"JARVIS_{name.upper()}", raising=False)
    monkeypatch.setenv("JARVIS_DATA_DIR", str(tmp_path))


def write(tmp_path: Path, text: str) -> None:
    (tmp_path / SETTINGS_FILE).write_text(text)


def test_each_source_covers_the_one_below(tmp_path, monkeypatch):
    assert load().api_port == 0
    write(tmp_path, "api_port = 1001\npeer_port = 1002\n")
    assert load().api_port == 1001
    monkeypatch.setenv("JARVIS_API_PORT", "2001")
    assert (load().api_port, load().peer_port) == (2001, 1002)
    assert (load(api_port=3001).api_port, load(api_port=None).api_port) == (3001, 2001)


def test_the_file_is_looked_for_in_the_directory_of_the_flag(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write(other, 'audio = "device"\n')
    assert load().audio == "none"
    settings = load(data_dir=other)
    assert (settings.data_dir, settings.audio) == (other, "device")


def test_an_empty_flag_is_a_value(monkeypatch):
    monkeypatch.setenv("JARVIS_OLLAMA_URL", "http://elsewhere")
    assert load(ollama_url="").ollama_url == ""


def test_peers_are_a_list_in_the_file_and_have_commas_in_the_environment(tmp_path, monkeypatch):
    assert load().peer == ()
    write(tmp_path, 'peer = ["a:1", "b:2"]\n')
    assert load().peer == ("a:1", "b:2")
    monkeypatch.setenv("JARVIS_PEER", "kitchen.local:4000, [fe80::1]:4001")
    assert load().peer == ("kitchen.local:4000", "[fe80::1]:4001")
    assert load(peer=("c:3",)).peer == ("c:3",)


def test_servers_of_language_models_are_ranked_as_they_are_listed(tmp_path, monkeypatch):
    write(tmp_path, '[[llm]]\nprovider = "openai"\nurl = "http://a/v1"\nname = "vllm"\n[[llm]]\nprovider = "ollama"\n')
    assert [(one.called, one.url) for one in load().llm] == [("vllm", "http://a/v1"), ("ollama", "")]
    monkeypatch.setenv("JARVIS_LLM", '[{"provider": "anthropic", "model": "m"}]')
    assert [one.called for one in load().llm] == ["anthropic"]


def test_a_key_has_no_place_in_the_settings_and_is_not_repeated(tmp_path):
    write(tmp_path, '[[llm]]\nprovider = "openai"\nkey = "sk-secret"\n')
    with pytest.raises(BadConfiguration) as caught:
        load()
    assert "llm.0.key" in str(caught.value) and "sk-secret" not in f"{caught.value} {caught.value.fix}"


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"llm": [{"provider": "openai"}, {"provider": "openai"}]}, "llm"),
        ({"llm": [{"provider": "Open AI"}]}, "llm.0.provider"),
        ({"llm": [{"provider": "openai", "at_once": 0}]}, "llm.0.at_once"),
        ({"api_port": 65_536}, "api_port"),
        ({"peer_port": -1}, "peer_port"),
        ({"audio": "cassette"}, "audio"),
        ({"audio": "wav:"}, "audio"),
        ({"log_level": "chatty"}, "log_level"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_a_wrong_value_is_named(flags, name):
    with pytest.raises(BadConfiguration) as caught:
        load(**flags)
    assert name in str(caught.value)
    assert name.upper() in caught.value.fix
    assert caught.value.exit_code == 78


def test_a_wrong_variable_and_a_wrong_file_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("JARVIS_API_PORT", "many")
    with pytest.raises(BadConfiguration, match="api_port"):
        load()
    monkeypatch.delenv("JARVIS_API_PORT")
    write(tmp_path, "mdsn = false\n")
    with pytest.raises(BadConfiguration, match="mdsn"):
        load()
    write(tmp_path, "api_port = = 1\n")
    with pytest.raises(BadConfiguration, match=SETTINGS_FILE):
        load()


def test_settings_cannot_be_changed():
    settings = load()
    with pytest.raises(Exception, match="frozen"):
        settings.api_port = 1
