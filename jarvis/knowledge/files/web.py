"""HTML as a reader sees it: headings, paragraphs, lists and tables of the main part; no scripts, menus, or what is
hidden. The tree is walked without recursion, and no deeper than allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jarvis.core.errors import not_installed
from jarvis.knowledge.files.opening import refused, text_of
from jarvis.knowledge.files.outline import Outline
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


@dataclass(frozen=True, slots=True)
class Html:
    name: str = "html"
    suffixes: frozenset[str] = frozenset({".html", ".htm", ".xhtml"})

    def read(self, path: Path, limits: FileLimits) -> FileText:
        try:
            from selectolax.lexbor import LexborHTMLParser
        except ImportError:
            raise not_installed("selectolax", "knowledge") from None
        tree = LexborHTMLParser(text_of(path, limits))
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

    def enter(self, node: Any) -> None:
        tag = node.tag
        if tag == "-text":
            self._words.append(node.text_content or "")
        elif tag == "br":
            self._words.append("\n" if self._pre else " ")
        elif tag not in _INLINE and not self._row:
            self.end_block()
        if tag == "pre":
            self._pre += 1
        elif tag == "tr":
            self._row += 1
        elif tag == "li":
            self._words.append("- ")

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
        elif tag not in _INLINE and not self._row:
            self.end_block()

    def end_block(self) -> None:
        self.outline.add(self._text())

    def _text(self) -> str:
        words = " ".join("".join(self._words).split())
        self._words.clear()
        return "" if words == "-" else words


def _walk(root: Any) -> Iterator[tuple[Any, int, bool]]:
    """Each node on the way in and on the way out, with its depth below `root`; what is not read is left out."""
    node, depth = root, 0
    while True:
        read = _is_read(node)
        if read:
            yield node, depth, True
        if read and node.child is not None:
            node, depth = node.child, depth + 1
            continue
        if read:
            yield node, depth, False
        while depth and node.next is None:
            node, depth = node.parent, depth - 1
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
    if "hidden" in told or told.get("aria-hidden") == "true":
        return False
    style = (told.get("style") or "").replace(" ", "").lower()
    return "display:none" not in style and "visibility:hidden" not in style
