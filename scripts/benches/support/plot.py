"""Bars as an SVG file, written as text: no library draws three panels of bars so well that it is worth its weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABEL, ROOM_FOR_VALUE, BAR, GAP, TITLE = 780, 270, 110, 18, 7, 46
COLOURS = ("#2563a8", "#8a94a0")
"""Ours, and others."""
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.t{font-weight:600;font-size:15px}.n{fill:#52606d;font-size:12px}"
    "@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.n{fill:#9aa5b1}}"
)


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    ours: bool = True


@dataclass(frozen=True)
class Panel:
    title: str
    unit: str
    bars: Sequence[Bar]


def svg(panels: Sequence[Panel], note: str) -> str:
    """One panel under another, each to its own scale; `note` stands below."""
    parts, top = [], 10
    for panel in panels:
        parts.append(f'<text class="t" x="10" y="{top + 20}">{escape(panel.title)}</text>')
        top += TITLE - 14
        most = max((bar.value for bar in panel.bars), default=0.0) or 1.0
        for bar in panel.bars:
            value, end = f"{_figure(bar.value)} {panel.unit}", LABEL
            length = max(1.0, (WIDTH - LABEL - ROOM_FOR_VALUE) * bar.value / most)
            middle = top + BAR - 5
            parts += [
                f'<text x="{LABEL - 8}" y="{middle}" text-anchor="end">{escape(bar.label)}</text>',
                f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{BAR}" rx="2" '
                f'fill="{COLOURS[0 if bar.ours else 1]}"/>',
                f'<text class="n" x="{end + length + 6:.1f}" y="{middle}">{escape(value)}</text>',
            ]
            top += BAR + GAP
        top += 16
    parts.append(f'<text class="n" x="10" y="{top + 6}">{escape(note)}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 20}" role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
