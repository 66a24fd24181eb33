"""The alphabet of a text message: what it costs, and how to stay inside it.

A text in the GSM-7 alphabet holds 160 characters, or 153 in each part when it is longer. One character outside it
turns the whole message into UCS-2: 70, or 67 in each part.
"""

from dataclasses import dataclass
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("^{}\\[~]|€\f")
"""Two characters each."""

_REPLACED: Final = str.maketrans({
    "‘": "'", "’": "'", "‚": "'", "′": "'", "`": "'", "´": "'",
    "“": '"', "”": '"', "„": '"', "″": '"', "«": '"', "»": '"',
    "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-",
    "…": "...", "•": "-", "·": "-", "\t": " ", "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": "", "\ufeff": "",
    "×": "x", "½": "1/2", "¼": "1/4", "¾": "3/4", "°": " degrees",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segments:
    """What a text costs to send."""

    encoding: str
    """`GSM-7` or `UCS-2`."""
    units: int
    """Septets, or UTF-16 code units: what the limits count."""
    count: int


def normalise(text: str) -> str:
    """`text` with typographic quotes, dashes and spaces in their GSM-7 form; letters of other languages stay."""
    return text.translate(_REPLACED)


def is_gsm(text: str) -> bool:
    """Whether every character of `text` is in the GSM-7 alphabet or its extension."""
    return all(character in _BASIC or character in _EXTENDED for character in text)


def segments(text: str) -> Segments:
    """Count the parts in which a network carries `text`."""
    if is_gsm(text):
        units = sum(2 if character in _EXTENDED else 1 for character in text)
        return Segments("GSM-7", units, _parts(units, 160, 153))
    units = len(text.encode("utf-16-le")) // 2
    return Segments("UCS-2", units, _parts(units, 70, 67))


def _parts(units: int, alone: int, joined: int) -> int:
    return 1 if units <= alone else -(-units // joined)
