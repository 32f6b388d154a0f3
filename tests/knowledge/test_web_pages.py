"""Pages as sites publish them, of a manual that explains one word after the other: what stands beside the text must not
get into it, and each word is a place of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvis.knowledge.chunks import split
from jarvis.knowledge.files.web import Html
from jarvis.plugins.kinds import FileLimits, FileText


def read(tmp_path: Path, body: str) -> FileText:
    path = tmp_path / "page.html"
    path.write_text(f"<title>Manual</title><main><h1>Oven</h1>{body}</main>")
    return Html().read(path, FileLimits())


def told(text: FileText) -> list[tuple[str, str]]:
    return [(part.text, part.place) for part in text.parts[1:]]


def test_a_sign_that_links_to_its_own_place_is_not_read(tmp_path: Path) -> None:
    text = read(tmp_path, '<h2 id=grill>Grill<a href="#grill">¶</a></h2><p>See <a href="#x">4</a>.')
    assert told(text) == [("Grill", "Oven > Grill"), ("See 4.", "Oven > Grill")]


@pytest.mark.parametrize(
    ("body", "is_read"),
    [
        ("<ul><li><a href=a.html>Grill</a><ul><li><a href=a.html#b>Heat</a></ul><li><a href='#c'>Care</a></ul>", False),
        ("<table><tr><td>A<td><a href=a.html>Anchovies, grilled</a> <a href=b.html>Aubergines</a></table>", False),
        ("<ul><li><a href=https://a.example>Grill</a><li><a href=//b.example>Heat</a></ul>", True),
        ("<ul><li><a href=a.html>Grill</a>: what it is for<li><a href=b.html>Heat</a></ul>", True),
        ("<ul><li><a href=a.html>Grill</a></ul>", True),
    ],
)
def test_a_table_of_contents_is_not_read(tmp_path: Path, body: str, is_read: bool) -> None:
    text = read(tmp_path, f"{body}<p>Text.")
    assert (len(text.parts) > 2) == is_read and text.parts[-1].text == "Text."


def test_a_term_with_an_anchor_is_a_place(tmp_path: Path) -> None:
    text = read(
        tmp_path,
        "<dl><dt id=g>grill(heat)<dt>grill()<dd><p>Heat from above.<dl><dt id=h>heat<dd>In watts.</dl><p>Not for bread."
        "<dt id=t>turn()<dd>Turn it.<dt id=n>nothing</dl><p>That is all.",
    )
    grill, turn = "Oven > grill(heat)", "Oven > turn()"
    assert told(text) == [
        ("grill(heat)", grill),
        ("grill()", grill),
        ("Heat from above.", grill),
        ("heat", f"{grill} > heat"),
        ("In watts.", f"{grill} > heat"),
        ("Not for bread.", grill),
        ("turn()", turn),
        ("Turn it.", turn),
        ("nothing", "Oven > nothing"),
        ("That is all.", "Oven"),
    ]
    assert all(chunk.text.count("Turn") + chunk.text.count("Heat") <= 1 for chunk in split(text))


def test_a_term_without_an_anchor_stands_before_what_it_means(tmp_path: Path) -> None:
    text = read(
        tmp_path,
        "<dl><dt><b>*</b><dd><p>Any.<p>More of it.<dt>+<dd><pre>a\n b</pre><p>Some.<dt>hot<dd><ul><li>Mind it</ul>"
        "<dt>cold</dl><table><tr><td><dl><dt>in<dd>a cell</dl></table>",
    )
    assert [words for words, _ in told(text)] == [
        "*: Any.",
        "More of it.",
        "a\n b",
        "Some.",
        "hot: - Mind it",
        "cold",
        "in a cell",
    ]
