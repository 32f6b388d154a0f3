"""HTML as a reader sees it: headings, paragraphs, lists and tables of the main part; no scripts, menus, tables of
contents, or what is hidden. A term that has a definition, and an anchor of its own, counts as a heading: so pages
explain one function, option or word after the other. The tree is walked without recursion, and no deeper than allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jarvis.core.errors import not_installed
from jarvis.knowledge.files.opening import refused, text_of
from jarvis.knowledge.files.outline import Outline
from jarvis.knowledge.files.tags import too_costly
from jarvis.plugins.kinds import FileLimits, FileText

_UNREAD = frozenset(
    "script style noscript template svg math canvas iframe object head nav footer aside form button "  # noqa: SIM905
    "select dialog".split()
)
_INLINE = frozenset(
    "a abbr b bdi bdo cite code data del dfn em font i ins kbd label mark q s samp small span strong "  # noqa: SIM905
    "sub sup time tt u var wbr -text".split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_MAIN = "main, [role=main], article"
_TERM_LEVEL = 7
"""Of terms, below every heading; those in a list within a list lie deeper."""
_LISTS = frozenset({"ul", "ol", "table"})
_LINKS_ONLY = 0.9
"""How much of a list's text stands in links where it is a table of contents. The rest is what stands between them."""
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)
"""How a link to another site begins. A list of those is what its page is about."""


@dataclass(frozen=True, slots=True)
class Html:
    name: str = "html"
    suffixes: frozenset[str] = frozenset({".html", ".htm", ".xhtml"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        try:
            from selectolax.lexbor import LexborHTMLParser
        except ImportError:
            raise not_installed("selectolax", "knowledge") from None
        text = text_of(path, limits)
        if why := too_costly(text):
            raise refused(path, why)
        tree = LexborHTMLParser(text)
        title = tree.css_first("title")
        root = tree.css_first(_MAIN) or tree.body
        if root is None:
            raise refused(path, "holds no text")
        page = _Page(Outline(path, limits))
        for node, depth, entering in _walk(root):
            if depth > limits.max_depth:
                raise refused(path, f"has elements more than {limits.max_depth} deep in one another")
            page.enter(node) if entering else page.leave(node)
        page.end_block()
        return page.outline.text(title.text() if title is not None else "")


class _Page:
    """Gathers words until a block ends."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self._words: list[str] = []
        self._pre = 0
        self._row = 0
        self._lists = 0
        """Of definitions, in one another."""
        self._terms: list[str] = []
        """Those whose definition has not begun; several may share one."""
        self._anchored = False
        """Whether one of them has an anchor."""
        self._lead = ""
        """What the next paragraph begins with: terms without an anchor stand before what they mean."""

    def enter(self, node: Any) -> None:
        tag = node.tag
        if tag == "-text":
            self._words.append(node.text_content or "")
        elif tag == "br":
            self._words.append("\n" if self._pre else " ")
        elif tag not in _INLINE:
            self.end_block()
        if tag == "pre":
            self._pre += 1
        elif tag == "tr":
            self._row += 1
        elif tag == "li":
            self._words.append("- ")
        elif tag == "dl":
            self._lists += 1
        elif tag == "dd":
            self._define()
        if tag in ("pre", "tr"):
            self._add_lead()

    def leave(self, node: Any) -> None:
        tag = node.tag
        if tag in _HEADINGS and not self._row:
            self.outline.heading(_HEADINGS[tag], self._text())
        elif tag == "pre":
            code, self._pre = "".join(self._words), self._pre - 1
            if not self._row:
                self._words.clear()
                self.outline.add(code, "code")
        elif tag in ("td", "th"):
            self._words.append(" | ")
        elif tag == "tr":
            self._row -= 1
            if not self._row:
                self.outline.add(self._text().removesuffix("|"), "table")
        elif tag == "dt" and not self._row:
            self._terms.append(self._text())
            self._anchored = self._anchored or bool(node.attributes.get("id"))
        elif tag not in _INLINE:
            self.end_block()
        if tag in ("dd", "dl"):
            self._add_lead()
        if tag == "dl":
            self._define()
            self._add_lead()
            self.outline.close(_TERM_LEVEL + self._lists)
            self._lists -= 1

    def _define(self) -> None:
        """What follows is what the terms mean."""
        if self._anchored:
            self.outline.heading(_TERM_LEVEL + self._lists, self._terms[0])
            for term in self._terms[1:]:
                self.outline.add(term)
        elif self._terms:
            self._lead = ", ".join(filter(None, self._terms))
        self._terms, self._anchored = [], False

    def _add_lead(self) -> None:
        self.outline.add(self._lead)
        self._lead = ""

    def end_block(self) -> None:
        if self._row:
            self._words.append(" ")
            return
        text = self._text()
        if text and self._lead:
            text, self._lead = f"{self._lead}: {text}", ""
        self.outline.add(text)

    def _text(self) -> str:
        words = " ".join("".join(self._words).split())
        self._words.clear()
        return "" if words == "-" else words


def _walk(root: Any) -> Iterator[tuple[Any, int, bool]]:
    """Each node on the way in and on the way out, with its depth below `root`; what is not read is left out."""
    node, depth, within = root, 0, 0
    while True:
        # Of lists in one another the outermost is looked at, so that a page is gone through twice and no more.
        read = _is_read(node) and (bool(within) or not _is_contents(node))
        if read:
            yield node, depth, True
        if read and node.child is not None:
            within += node.tag in _LISTS
            node, depth = node.child, depth + 1
            continue
        if read:
            yield node, depth, False
        while depth and node.next is None:
            node, depth = node.parent, depth - 1
            within -= node.tag in _LISTS
            yield node, depth, False
        if not depth:
            return
        node = node.next


def _is_read(node: Any) -> bool:
    tag = node.tag
    if tag == "-text":
        return True
    if tag in _UNREAD or tag.startswith(("-", "!")):
        return False
    told = node.attributes
    if tag == "a" and (told.get("href") or "").startswith("#") and not any(map(str.isalnum, node.text())):
        return False  # a sign that links to where it stands
    if "hidden" in told or told.get("aria-hidden") == "true":
        return False
    style = (told.get("style") or "").replace(" ", "").lower()
    return "display:none" not in style and "visibility:hidden" not in style


def _is_contents(node: Any) -> bool:
    """Whether it is a list of nothing but links within the site: where things are said, not what is said."""
    if node.tag not in _LISTS:
        return False
    links = [one.text() for one in node.css("a[href]") if not _ELSEWHERE.match(one.attributes["href"] or "")]
    return len(links) > 1 and sum(map(_letters, links)) >= _LINKS_ONLY * _letters(node.text())


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
