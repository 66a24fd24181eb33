"""Cutting a text that is too long for one message, at the place a reader minds least.

Paragraphs are kept whole where they fit, then sentences, then words; a word longer than a whole message (nobody's, but a
pasted link can be) is cut where it must be. Nothing but the white space at a cut is lost.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

Measure = Callable[[str], int]

_BREAKS: Final = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…])[\"'”’)]?\s+"),
    re.compile(r"\s+"),
)
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")


def utf16_length(text: str) -> int:
    """How long Telegram thinks a text is: it counts UTF-16 units, so an emoji counts twice."""
    return len(text) + sum(1 for symbol in text if ord(symbol) > 0xFFFF)


def split(text: str, limit: int, measure: Measure = len) -> list[str]:
    """`text` as messages no longer than `limit` by `measure`, in order, none of them blank.

    A blank text gives no messages. Raises ValueError for a limit below 2, in which not every symbol fits.
    """
    if limit < 2:
        raise ValueError(f"a message of {limit} symbols holds nothing")
    return list(_parts(text.strip(), limit, measure))


def _parts(rest: str, limit: int, measure: Measure) -> Iterator[str]:
    while rest:
        if measure(rest) <= limit:
            yield rest
            return
        room = _fitting(rest, limit, measure)
        end, start = _cut(rest, room)
        yield rest[:end]
        rest = rest[start:].lstrip()


def _fitting(text: str, limit: int, measure: Measure) -> int:
    """How many symbols of `text` fit, at least one."""
    low, high = 1, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle]) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def _cut(text: str, room: int) -> tuple[int, int]:
    """Where the first message ends and where the next one starts, if the first may have `room` symbols."""
    for kind in _BREAKS:
        # A paragraph or a sentence that would leave most of the message empty is worse than a cut at the next finer kind.
        least = 0 if kind is _BREAKS[-1] else room // 3
        best: tuple[int, int] | None = None
        for found in kind.finditer(text, 0, min(len(text), room + 2)):
            end = len(text[: found.end()].rstrip())
            if least < end <= room:
                best = (end, found.end())
        if best is not None:
            return best
    end = room
    while end > 1 and (text[end] in _JOINERS or text[end - 1] == "\u200d" or unicodedata.combining(text[end])):
        end -= 1
    return end, end
