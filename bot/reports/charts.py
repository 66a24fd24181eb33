"""Small charts as inline SVG. Each says in words what it shows, for those who cannot see it; no scripts, no style rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

KEPT: Final = "#1d6f42"
TOLD: Final = "#b86e00"
SILENT: Final = "#b3261e"
_INK: Final = "currentColor"
"""The colour of the text around it, by day and in dark mode."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a bar."""

    label: str
    value: float
    colour: str


def bar(parts: Sequence[Part], *, width: int = 220, height: int = 16) -> str:
    """One bar, filled in proportion. Empty if there is nothing to show."""
    total = sum(part.value for part in parts)
    words = ", ".join(f"{part.label} {part.value:g}" for part in parts if part.value) or "nothing due"
    drawn = [f'<rect width="{width}" height="{height}" fill="{_INK}" fill-opacity="0.1"/>']
    left = 0.0
    for part in parts:
        if not part.value:
            continue
        wide = width * part.value / total
        drawn.append(f'<rect x="{left:.1f}" width="{wide:.1f}" height="{height}" fill="{part.colour}"/>')
        left += wide
    return _svg(words, width, height, drawn)


def columns(values: Sequence[tuple[str, float | None]], *, width: int = 640, height: int = 140) -> str:
    """Percentages as columns side by side, one for each label, on a scale from 0 to 100. None leaves a gap."""
    if not values:
        return ""
    words = ", ".join(
        f"{label}: {'nothing due' if value is None else f'{value:.0f} percent'}" for label, value in values
    )
    foot, head = 18, 14
    step = width / len(values)
    tall = height - foot - head
    drawn = []
    for percent in (0, 50, 100):
        y = head + tall * (1 - percent / 100)
        drawn.append(f'<line x1="0" x2="{width}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_INK}" stroke-opacity="0.15"/>')
    for place, (label, value) in enumerate(values):
        middle = step * (place + 0.5)
        drawn.append(_text(middle, height - 5, label))
        if value is None:
            continue
        high = tall * value / 100
        drawn.append(
            f'<rect x="{middle - step * 0.3:.1f}" y="{head + tall - high:.1f}" width="{step * 0.6:.1f}" '
            f'height="{high:.1f}" fill="{KEPT}"/>'
        )
        drawn.append(_text(middle, head + tall - high - 3, f"{value:.0f}%"))
    return _svg(words, width, height, drawn)


def _text(x: float, y: float, words: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" font-family="sans-serif" text-anchor="middle" '
        f'fill="{_INK}">{escape(words)}</text>'
    )


def _svg(words: str, width: int, height: int, drawn: Sequence[str]) -> str:
    return (
        f'<svg role="img" aria-label="{escape(words, quote=True)}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">{"".join(drawn)}</svg>'
    )
