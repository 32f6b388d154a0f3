"""A picture that is added to a real node gets a caption by a server that can see, which is found and cited as that
model's words; and none leaves the device that was not asked to."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest

from jarvis.testing.processes import jarvis, until
from tests.assistant.served_doubles import OpenAIDouble
from tests.node.conftest import Home
from tests.node.test_nothing_readable import files, found_in
from tests.node.test_served_models_at_home import serving

CAPTION_S = 30.0


def test_a_picture_is_found_by_what_a_model_saw_in_it(home: Home, tmp_path: Path) -> None:
    pictures = pytest.importorskip("PIL.Image")
    folder, data = tmp_path / "album", home.folder / "kitchen"
    folder.mkdir()
    exif = pictures.Exif()
    exif[0x010E] = "holiday"
    for name, colour in (("IMG_1", "red"), ("IMG_2", "blue"), ("IMG_3", "green")):
        pictures.new("RGB", (2_000, 1_000), colour).save(folder / f"{name}.jpg", exif=exif)
    with serving(OpenAIDouble()) as eyes:
        (data / "jarvis.toml").write_text(
            f'[[llm]]\nprovider = "openai"\nname = "eyes"\nurl = "{eyes.url}/v1"\nvision = true\n'
        )
        kitchen = home.node("kitchen")
        kitchen.start()

        def add(name: str) -> Any:
            return jarvis("knowledge", "add", str(folder / name), data_dir=data, env=home.env)

        assert add("IMG_1.jpg").json()[0]["chunks"] == 2
        url = eyes.asked[0]["messages"][0]["content"][1]["image_url"]["url"]
        with pictures.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as shown:
            assert max(shown.size) == 768 and not shown.getexif(), "small, and without where it was taken"
        found = kitchen.get("/api/v2/knowledge/search", q="scattering")["results"]
        assert [(row["title"], row["place"]) for row in found] == [("IMG_1.jpg", "described by eyes")]
        mode, eyes.mode = eyes.mode, "failed_500"
        assert "the model that sees gave none" in add("IMG_2.jpg").json()[0]["reason"]
        kitchen.set_config("knowledge.captions", "no")
        assert "knowledge.captions is no" in add("IMG_3.jpg").json()[0]["reason"]
        assert len(eyes.asked) == 2, "it was shown nothing more"
        eyes.mode = mode
        kitchen.set_config("knowledge.captions", "here")

        def captions() -> set[str]:
            rows = kitchen.get("/api/v2/knowledge/search", q="scattering", k=16)["results"]
            return {row["title"] for row in rows if row["place"] == "described by eyes"}

        until(lambda: captions() == {"IMG_1.jpg", "IMG_2.jpg", "IMG_3.jpg"}, CAPTION_S, "the captions to come later")
        assert kitchen.stop() == 0
    for path in files(data):
        assert not found_in(path.read_bytes(), ("scattering", "holiday")), path
