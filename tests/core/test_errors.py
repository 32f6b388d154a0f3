"""The tree of errors says who may retry and with which code a command ends."""

from __future__ import annotations

import re

import pytest

from jarvis.core import errors
from jarvis.core.errors import JarvisError, Permanent, Temporary

ALL = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, JarvisError)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_a_sentence_with_a_fix(kind):
    error = kind("The kettle is cold.", fix="Boil it.")
    assert (str(error), error.fix) == ("The kettle is cold.", "Boil it.")
    assert kind("The kettle is cold.").fix == ""
    assert kind.retry == issubclass(kind, Temporary)
    assert kind is JarvisError or issubclass(kind, (Temporary, Permanent))


def test_exit_codes_are_the_promised_ones():
    codes = {kind.__name__: kind.exit_code for kind in ALL}
    assert {name: code for name, code in codes.items() if code != 1} == {
        "Unreachable": 69,
        "NotAllowed": 77,
        "BadConfiguration": 78,
    }


def test_the_drawn_tree_is_the_real_one():
    drawn = re.findall(r"(?:├|└)── (\w+)", errors.__doc__)
    assert sorted(drawn) == sorted(kind.__name__ for kind in ALL if kind is not JarvisError)
