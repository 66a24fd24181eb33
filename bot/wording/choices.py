"""Which of the choices just offered a typed answer means."""

import re
from collections.abc import Sequence
from typing import Final

from bot.messages import Choice
from bot.wording.gsm import normalise

_YES: Final = frozenset({
    "yes", "y", "yeah", "yep", "yup", "ya", "aye", "aye please", "och aye", "ok", "okay", "k", "sure", "right", "correct",
    "thats right", "that is right", "thats it", "send", "send it", "yes please", "yes send it", "fine", "perfect", "grand",
    "please", "go ahead", "yes thanks",
})  # fmt: skip
_NO: Final = frozenset(
    {"no", "n", "nope", "nah", "naw", "na", "no thanks", "no thank you", "not really", "wrong", "thats wrong"}
)
_AFFIRMATIVE: Final = frozenset({"yes", "send", "/affirm"})
_NEGATIVE: Final = frozenset({"no", "change", "/deny"})
_NUMBERS: Final = {
    word: number
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=1
    )
}
_DIGIT: Final = re.compile(r"(?:reply|option|number|press|send)?\s*(\d{1,2})")


def match_choice(text: str, offered: Sequence[Choice]) -> str | None:
    """The value of the offered choice that `text` means, or None.

    Understood: the digit beside it, its label, its value, and plain yes or no where one of the choices is that.
    Only to be called while the newest outbound message offered `offered`.
    """
    said = _plain(text)
    if not said:
        return None
    digit = _DIGIT.fullmatch(said)
    number = int(digit[1]) if digit else _NUMBERS.get(said)
    if number is not None:
        return offered[number - 1].value if 1 <= number <= len(offered) else None
    for choice in offered:
        if said in (_plain(choice.label), choice.value.casefold()):
            return choice.value
    for words, values in ((_YES, _AFFIRMATIVE), (_NO, _NEGATIVE)):
        if said in words:
            meant = [choice.value for choice in offered if choice.value.rpartition(":")[2] in values]
            return meant[0] if len(meant) == 1 else None
    begins = [choice.value for choice in offered if f"{_plain(choice.label)} ".startswith(f"{said} ")]
    return begins[0] if len(begins) == 1 and len(said) > 2 else None


def _plain(text: str) -> str:
    without_marks = re.sub(r"[^\w\s/]", "", normalise(text)).casefold()
    return " ".join(without_marks.split())
