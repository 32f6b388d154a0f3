"""What Home Assistant sends is taken as far as it has its form; whatever else comes breaks nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.errors import BadConfiguration, InvalidBytes, JarvisError
from jarvis.home_assistant.line import Line
from jarvis.home_assistant.mirror import MAX_TEXT, Mirror
from jarvis.home_assistant.wire import is_address, messages, refusal, socket_url
from tests.home_assistant.double import area, device, entry, state

KEYS = (
    "id", "type", "success", "result", "event", "error", "code", "message", "data", "new_state", "name", "entity_id",
    "state", "attributes", "aliases", "area_id", "device_id", "floor_id", "friendly_name",
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner | st.sampled_from(["event", "result", "light.x", "kitchen"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)

FEW = settings(max_examples=60, deadline=None)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://homeassistant.local:8123", "ws://homeassistant.local:8123/api/websocket"),
        ("https://example.org/ha/", "wss://example.org/ha/api/websocket"),
        (" http://[::1]:8123/ ", "ws://[::1]:8123/api/websocket"),
    ],
)
def test_where_the_protocol_is_spoken(url: str, where: str) -> None:
    assert socket_url(url) == where and is_address(url)


@pytest.mark.parametrize("url", ["", "ws://x", "http:///", "http://a@b", "http://x?y", "http://[::1", "http://x:a"])
def test_what_is_no_address(url: str) -> None:
    assert not is_address(url)
    with pytest.raises(BadConfiguration):
        socket_url(url)


def test_a_frame_holds_one_message_or_several() -> None:
    one = {"id": 1, "type": "pong"}
    assert messages(json.dumps(one)) == [one]
    assert messages(json.dumps([one, one])) == [one, one]


@pytest.mark.parametrize("text", ["", "{", "7", "[7]", "{}", '{"type": 7}', "[" * 100_000, "NaN"])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(InvalidBytes):
        messages(text)


@FEW
@given(ANYTHING)
def test_any_error_becomes_a_short_sentence(error: Any) -> None:
    found = refusal(error)
    assert isinstance(found, JarvisError) and len(str(found)) < 250 and str(found).isprintable()


@FEW
@given(st.lists(st.tuples(st.sampled_from(["floors", "areas", "devices", "entities", "aliases", "states"]), ANYTHING)))
def test_no_answer_and_no_event_breaks_the_mirror(answers: list[tuple[str, Any]]) -> None:
    mirror = Mirror()
    for kind, answer in answers:
        getattr(mirror, f"take_{kind}")(answer)
        mirror.state_changed(answer)
        mirror.entity_ids()
        for thing in mirror.house().things:
            assert thing.name and len(thing.name) <= MAX_TEXT and thing.domain


@FEW
@given(st.lists(ANYTHING, max_size=5))
def test_no_message_breaks_the_line(found: list[Any]) -> None:
    line = Line(None)  # type: ignore[arg-type]
    line._events[1] = Mirror().state_changed
    for one in found:
        try:
            several = messages(json.dumps(one))
        except InvalidBytes:
            continue
        for message in several:
            line._heard(message)


def test_a_thing_is_where_it_is_or_where_its_device_is() -> None:
    mirror = Mirror()
    mirror.take_areas([area("hall", "Hall"), area("attic", "Attic")])
    mirror.take_devices([device("d1", "Meter", "attic")])
    mirror.take_entities(
        [
            entry("light.own", area_id="hall", device_id="d1"),
            entry("light.device", device_id="d1"),
            entry("light.hidden", hidden_by="user"),
            entry("light.gone", disabled_by="user"),
        ]
    )
    names = ("own", "device", "hidden", "gone", "unknown_one")
    mirror.take_states([state(f"light.{name}", "on", "") for name in names])
    found = {thing.entity_id: thing for thing in mirror.house().things}
    assert {one: thing.area and thing.area.names for one, thing in found.items()} == {
        "light.own": ("Hall",),
        "light.device": ("Attic",),
        "light.unknown_one": None,
    }
    assert found["light.device"].names[0] == "Meter" and found["light.unknown_one"].names == ("unknown one",)


def test_words_that_quote_the_token_are_not_repeated() -> None:
    error = {"code": "home_assistant_error", "message": "Unauthorized: Bearer a-token-1, go away"}
    assert "Unauthorized" in str(refusal(error, "another")) and str(refusal(error)) != str(refusal(error, "a-token-1"))
    assert str(refusal(error, "a-token-1")) == "Home Assistant could not do it."
