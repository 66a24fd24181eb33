"""How far a case is. Only cases in the facts are spoken about: whoever writes has to be the one they belong to."""

from collections.abc import Mapping
from typing import Any, Final

from bot import references
from bot.flows.heard import Heard, instant
from bot.messages import Say
from bot.wording import day_in_words, moment_in_words

MOST: Final = 3
"""So many cases fit in one message."""


def tell(heard: Heard) -> list[Say]:
    """What there is to say about the open cases: the one whose reference the message names, or all of them."""
    named = references.find(heard.text)
    cases = [case for case in heard.cases if named is None or case["reference"] == named]
    if not cases:
        return [Say("utter_progress_unknown" if named else "utter_progress_none")]
    lines = [_line(case, heard) for case in cases[:MOST]]
    more = len(cases) - MOST
    return [Say("utter_progress", {"cases": lines, "more": more if more > 0 else None})]


def _line(case: Mapping[str, Any], heard: Heard) -> dict[str, Any]:
    now, opened, due = heard.today, instant(case.get("opened")), instant(case.get("due"))
    today = now.date() if now else None
    late = bool(due and now and due < now)
    timed = bool(due and now and 0 <= (due - now).total_seconds() < 24 * 3600)
    in_words = None
    if due:
        in_words = moment_in_words(due, today) if timed else day_in_words(due.date(), today)
    return {
        "say": "utter_progress_late" if late else "utter_progress_case",
        "reference": case["reference"],
        "summary": case.get("summary"),
        "opened": day_in_words(opened.date(), today) if opened else None,
        "due": in_words,
        "team": case.get("team"),
    }
