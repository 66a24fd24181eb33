"""Case references: what a tenant reads out on the phone, such as `R-4K7M-2QX`.

One letter for the kind of case, then seven symbols in two groups: digits and capitals without I, L, O and U (which are
misheard or misread), the last one a check symbol that catches any single wrong symbol and any swap of two neighbours.
"""

import re
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KINDS: Final = {"R": "repair", "C": "complaint", "E": "enquiry", "S": "service_request"}
RANDOM_BITS: Final = 30
"""How many random bits `make` turns into the six free symbols."""

_LETTERS: Final = {kind: letter for letter, kind in KINDS.items()}
_MISREAD: Final = str.maketrans({"I": "1", "L": "1", "O": "0"})
_IN_TEXT: Final = re.compile(
    r"(?<![A-Za-z0-9])([RCES])[\s\-–—.]{0,3}([0-9A-HJ-NP-TV-Zilo]{4})[\s\-–—.]{0,3}([0-9A-HJ-NP-TV-Zilo]{3})(?![A-Za-z0-9])",
    re.IGNORECASE,
)


def make(kind: str, chance: int) -> str:
    """The reference of a case of `kind` (a value of `KINDS`) from 30 random bits; not guessable in sequence."""
    symbols = "".join(ALPHABET[(chance >> shift) & 31] for shift in range(25, -1, -5))
    letter = _LETTERS[kind]
    body = symbols + _check_symbol(letter, symbols)
    return f"{letter}-{body[:4]}-{body[4:]}"


def read(text: str) -> str | None:
    """The reference written in `text` the way people type it (lower case, spaces, no hyphens, O for 0), in its printed
    form; None if `text` is not one or its check symbol is wrong."""
    compact = re.sub(r"[\s\-–—.]", "", text).upper()
    if len(compact) != 8 or compact[0] not in KINDS:
        return None
    body = compact[1:].translate(_MISREAD)
    if any(symbol not in ALPHABET for symbol in body) or _check_symbol(compact[0], body[:6]) != body[6]:
        return None
    return f"{compact[0]}-{body[:4]}-{body[4:]}"


def find(text: str) -> str | None:
    """The first valid reference anywhere in a sentence, in its printed form, or None."""
    for match in _IN_TEXT.finditer(text):
        if found := read(match.group(0)):
            return found
    return None


def _check_symbol(letter: str, symbols: str) -> str:
    """A polynomial over the field of 32 elements, one power of its generator to each place: any single wrong symbol and
    any two swapped neighbours change it, and so does the wrong letter in front."""
    total = (ord(letter) - ord("A")) & 31
    for symbol in symbols:
        total = _double(total) ^ ALPHABET.index(symbol)
    return ALPHABET[_double(total)]


def _double(value: int) -> int:
    """Multiply by the generator of GF(32), modulo x^5 + x^2 + 1."""
    value <<= 1
    return value ^ 0b100101 if value & 32 else value
