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


def test_an_environment_lies_over_the_file_and_below_everything_else(tmp_path, monkeypatch):
    write(
        tmp_path,
        'api_port = 1\npeer_port = 1\nbind = "::"\npeer = ["a:1"]\n'
        '[config]\n"assistant.name" = "Friday"\n"audio.volume" = "10"\n[[llm]]\nprovider = "ollama"\n',
    )
    (tmp_path / "jarvis.test.toml").write_text(
        'api_port = 2\npeer_port = 2\npeer = []\n[config]\n"audio.volume" = "90"\n'
        '[[llm]]\nprovider = "openai"\nurl = "http://a/v1"\n'
    )
    assert load().api_port == 1 and load().env == ""
    monkeypatch.setenv("JARVIS_ENV", "test")
    monkeypatch.setenv("JARVIS_PEER_PORT", "3")
    settings = load(bind="127.0.0.1")
    assert (settings.env, settings.api_port, settings.peer_port, settings.bind) == ("test", 2, 3, "127.0.0.1")
    assert settings.config == {"assistant.name": "Friday", "audio.volume": "90"}, "tables are merged"
    assert settings.peer == () and [one.called for one in settings.llm] == ["openai"], "lists take the other's place"
    assert [file.name for file in settings.files()] == [SETTINGS_FILE, "jarvis.test.toml"]


@pytest.mark.parametrize("name", ["production", "../evil", "Test", "x" * 33])
def test_an_environment_that_is_not_there_is_said_to_be_missing(monkeypatch, name):
    monkeypatch.setenv("JARVIS_ENV", name)
    with pytest.raises(BadConfiguration, match="environment") as caught:
        load()
    assert "JARVIS_ENV" in f"{caught.value} {caught.value.fix}"


@pytest.mark.parametrize("name", ["data_dir", "env"])
def test_what_says_which_file_is_read_does_not_stand_in_one(tmp_path, name):
    write(tmp_path, f'{name} = "elsewhere"\n')
    with pytest.raises(BadConfiguration, match=rf"{name} cannot stand in jarvis\.toml"):
        load()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a = \xff", "UTF-8"),
        (b"#" * (256 * 1024 + 1), "262144"),
        (b"a = " + b"[" * 50_000, "deep|nested|Invalid"),
        (b"a = = 1", "line 1"),
    ],
)
def test_a_file_of_an_environment_with_a_fault_is_named(tmp_path, monkeypatch, content, why):
    monkeypatch.setenv("JARVIS_ENV", "test")
    (tmp_path / "jarvis.test.toml").write_bytes(content)
    with pytest.raises(BadConfiguration, match=why) as caught:
        load()
    assert "jarvis.test.toml" in str(caught.value)


def test_a_variable_that_should_be_json_is_named(monkeypatch):
    monkeypatch.setenv("JARVIS_LLM", "[sk-secret")
    with pytest.raises(BadConfiguration, match='field "llm"') as caught:
        load()
    assert "sk-secret" not in str(caught.value)


def test_settings_are_read_again_below_the_same_flags(tmp_path):
    settings = load(api_port=7)
    write(tmp_path, "api_port = 8\npeer_port = 9\n")
    assert (settings.again().api_port, settings.again().peer_port, settings.peer_port) == (7, 9, 0)


@pytest.mark.parametrize("url", ["http://me:pw-secret@host/v1", "https://host/v1?key=pw-secret"])
def test_an_address_that_holds_a_secret_is_refused_without_repeating_it(url):
    for flags in ({"ollama_url": url}, {"llm": [{"provider": "openai", "url": url}]}):
        with pytest.raises(BadConfiguration, match="url") as caught:
            load(**flags)
        assert "pw-secret" not in f"{caught.value} {caught.value.fix}"
