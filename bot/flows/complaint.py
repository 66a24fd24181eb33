"""Making a complaint: any dissatisfaction is one, by any route, without a form to fill in (SPSO model procedure)."""

import re
from typing import ClassVar, Final

from bot.flows import slots
from bot.flows.about_you import ADDRESS, NAME, PHONE, phone_in_words, told, words, yes_or_no
from bot.flows.form import Flow, Found, Question
from bot.flows.heard import Heard
from bot.messages import Command, OpenCase, Say

_ABOUT_SOMEONE: Final = re.compile(
    r"\b(?:neighbou?rs?|joiner|plumber|electrician|engineer|workm[ae]n|worker|officer|staff|receptionist|contractor|"
    r"manager|painter|roofer|caretaker|he|she|hei?m|they were|him|her|the (?:guy|man|woman|lad|lassie|person))\b",
    re.IGNORECASE,
)
_ABOUT_DATA: Final = re.compile(
    r"\b(?:data protection|data breach|gdpr|personal (?:data|information|details|info)|my data|"
    r"privacy|(?:shared|gave|gave out|passed|sent|leaked|lost) (?:\w+ )?my (?:\w+ )?(?:details|information|file))\b",
    re.IGNORECASE,
)
_ASKING = (
    "hi hello can could how do i a to please make making put in want wanna would like need wish raise lodge formal "
    "complain complaint complaints this is d about something someone"
)
_ONLY_ASKS: Final = frozenset(_ASKING.split())


_ANNOUNCES: Final = re.compile(r"\bcompl(?:ain|aint)\b", re.IGNORECASE)
"""A short message that says so is about to tell what happened, and has not yet."""


class MakeComplaint(Flow):
    """What happened, what would put it right, whether we may speak to whom it is about, who and where."""

    subject = "complaint"
    own_intents = frozenset({"make_complaint"})
    changeable: ClassVar = {
        "what_happened": ("what happened", "complaint", "story"),
        "put_right": ("put right", "put it right", "want"),
        "address": ("address", "street", "house number"),
        "contact_name": ("name",),
        "contact_phone": ("phone", "number", "mobile"),
    }

    def __init__(self) -> None:
        super().__init__([
            words("what_happened"),
            words("put_right"),
            yes_or_no("may_speak"),
            ADDRESS,
            NAME,
            PHONE,
            Question("confirm", self.confirm),
            Question("change_which", self.change_which),
        ])  # fmt: skip

    def first(self, heard: Heard) -> Found:
        if heard.pressed or slots.only_words(heard.text, _ONLY_ASKS):
            return {}
        length = slots.words_in(heard.text)
        if length < 5 or (length <= 10 and _ANNOUNCES.search(heard.text)):
            return {"request_words": heard.text}
        return {"what_happened": heard.text}

    def another_answer(self, heard: Heard) -> Found | None:
        if slots.words_in(heard.text) < 3:
            return None
        more = slots.correction(heard.text) or heard.text
        return {"what_happened": f"{heard.slots.get('what_happened')}. {more}"}

    def needed(self, heard: Heard) -> list[str]:
        needed = ["what_happened", "put_right"]
        if _ABOUT_SOMEONE.search(str(heard.slots.get("what_happened") or "")):
            needed.append("may_speak")
        needed += ["contact_name", "address"]
        if not heard.has_phone or "contact_phone" in (heard.slots.get("reask") or ()):
            needed.append("contact_phone")
        return [*needed, "confirm"]

    def read_back(self, heard: Heard) -> Say:
        return Say("utter_read_back_complaint", {
            "happened": told(heard.slots.get("what_happened")),
            "wanted": told(heard.slots.get("put_right")),
            "your_address": told(heard.known("address")),
            "your_name": told(heard.known("contact_name")),
            "your_phone": phone_in_words(heard),
        })  # fmt: skip

    def finish(self, heard: Heard) -> list[Say | Command]:
        story = heard.slots.get("what_happened")
        said = [heard.slots.get("request_words"), story, *([] if story else heard.slots.get("unread") or ())]
        words_ = ". ".join(str(part) for part in said if part not in (None, slots.NOT_GIVEN))
        summary, details = slots.shorten(str(story or words_)), self.answers(heard)
        if _ABOUT_DATA.search(words_):
            case = OpenCase("service_request", "data_protection_complaint", words_, summary, details=details)
        else:
            case = OpenCase("complaint", "general", words_, summary, details=details)
        return [self.contact(heard), case]
