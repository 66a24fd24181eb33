"""Asking how far something is: told at once where we know the cases, else by a person."""

from bot import references
from bot.flows import slots
from bot.flows.about_you import NAME
from bot.flows.form import Flow, Found, Question
from bot.flows.heard import Heard
from bot.flows.progress import tell
from bot.messages import Command, OpenCase, Say


class CheckProgress(Flow):
    """A reference is asked for only from someone whose cases we do not know."""

    subject = "progress"
    own_intents = frozenset({"check_progress"})

    def __init__(self) -> None:
        super().__init__([Question("case_reference", _reference, certain=True, optional=True), NAME])

    def first(self, heard: Heard) -> Found:
        found: Found = {"request_words": heard.text}
        if reference := references.find(heard.text):
            found["case_reference"] = reference
        return found

    def needed(self, heard: Heard) -> list[str]:
        return [] if self._may_be_told(heard) else ["case_reference", "contact_name"]

    def finish(self, heard: Heard) -> list[Say | Command]:
        if self._may_be_told(heard):
            return [*tell(heard)]
        said = [heard.slots.get("request_words"), *(heard.slots.get("unread") or ())]
        words = " ".join(str(part) for part in said if part)
        reference = heard.slots.get("case_reference")
        summary = (
            slots.shorten(words) if reference in (None, slots.NOT_GIVEN) else f"{reference}: {slots.shorten(words, 80)}"
        )
        return [
            self.contact(heard),
            OpenCase("enquiry", "progress", words, summary, details=self.answers(heard)),
        ]

    def _may_be_told(self, heard: Heard) -> bool:
        named = heard.slots.get("case_reference") or references.find(heard.text)
        if named is None:
            return bool(heard.cases)
        return any(case["reference"] == named for case in heard.cases)


def _reference(heard: Heard) -> Found | None:
    found = references.find(heard.text) or references.read(heard.text)
    return {"case_reference": found} if found else None
