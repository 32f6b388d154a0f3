"""A running node whose settings files are edited under it."""

from __future__ import annotations

from jarvis.testing.processes import jarvis, until
from tests.assistant.served_doubles import OpenAIDouble
from tests.node.conftest import Home
from tests.node.test_served_models_at_home import QUESTION, serving

WITHIN_S = 20.0


def test_other_servers_and_values_hold_without_a_restart(home: Home) -> None:
    data = home.folder / "kitchen"
    (data / "jarvis.toml").write_text("")
    (data / "jarvis.test.toml").write_text('[config]\n"assistant.name" = "Friday"\n')
    kitchen = home.node("kitchen", env={"JARVIS_ENV": "test"})
    kitchen.start()

    def settings() -> dict[str, str]:
        return kitchen.get("/api/v2/health")["components"]["settings"]  # type: ignore[no-any-return]

    def command(*words: str) -> str:
        ran = jarvis(*words, data_dir=data, env=home.env | {"JARVIS_ENV": "test"})
        return f"{ran.code} {ran.out} {ran.err}"

    until(lambda: "environment test" in settings()["detail"], WITHIN_S)
    assert kitchen.ask(QUESTION)["provider"] == "none"
    with serving(OpenAIDouble()) as double:
        server = f'[[llm]]\nprovider = "openai"\nname = "new"\nmodel = "m"\nurl = "{double.url}/v1"\n'
        (data / "jarvis.toml").write_text(f'bind = "::1"\n{server}[config]\n"audio.volume" = "30"\n')
        until(lambda: "llm.new" in kitchen.get("/api/v2/health")["components"], WITHIN_S, "the new server")
        assert kitchen.ask(QUESTION)["provider"] == "new"
        heads = [double.asked[-1]["messages"][0]["content"]]
        (data / "prompts").mkdir()
        (data / "prompts" / "system.txt").write_text("You are {name}, and all doors are locked. {abilities}")
        until(lambda: kitchen.get("/api/v2/health")["components"]["prompts"]["detail"] == "system.txt", WITHIN_S)
        for _ in range(2):
            assert kitchen.ask(QUESTION)["provider"] == "new"
            heads.append(double.asked[-1]["messages"][0]["content"])
        assert heads[0] != heads[1] == heads[2] and heads[1].startswith("You are Friday, and all doors are locked.")
        assert kitchen.ask("Who is at the door?")["source"] == "intent", "words move no guard"
        rows = {row["key"]: (row["value"], row["source"]) for row in kitchen.get("/api/v2/config")}
        assert rows["audio.volume"] == ("30", "file") and rows["assistant.name"] == ("Friday", "file")

        (data / "jarvis.toml").write_text(f'{server}key = "sk-wrong-place"\n')
        until(lambda: settings()["state"] == "degraded", WITHIN_S, "the fault")
        assert "llm.0.key" in settings()["detail"] and "sk-wrong-place" not in settings()["detail"]
        assert kitchen.ask(QUESTION)["provider"] == "new", "the settings before stay in force"
        assert "llm.0.key" in command("config", "list")
        refused = command("config", "reload")
        assert refused.startswith("78") and "llm.0.key" in refused

        (data / "jarvis.toml").write_text("")
        assert command("config", "reload").startswith("0")
        assert kitchen.ask(QUESTION)["provider"] == "none"
    assert "llm.0.key" in kitchen.stderr and "sk-wrong-place" not in kitchen.stderr


def test_an_environment_that_is_missing_keeps_the_node_from_starting(home: Home) -> None:
    ran = jarvis("run", data_dir=home.folder / "kitchen", env=home.env | {"JARVIS_ENV": "nowhere"})
    assert ran.code == 78 and "no environment 'nowhere'" in ran.err and "JARVIS_ENV" in ran.err
