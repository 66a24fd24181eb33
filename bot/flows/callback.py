"""Asking to be rung: today if we can, by the next working day at the latest."""

import re
from typing import ClassVar, Final

from bot.flows import slots
from bot.flows.about_you import NAME, PHONE, phone_in_words, told, words
from bot.flows.form import Flow, Found, Question
from bot.flows.heard import Heard
from bot.messages import Command, OpenCase, Say

_ABOUT: Final = re.compile(r"\b(?:about|aboot|regarding|re|because|cos)\b[:\s]+(.{3,})$", re.IGNORECASE)


class RequestCallback(Flow):
    """What it is about, on what number, when it suits."""

    subject = "callback"
    own_intents = frozenset({"request_callback"})
    changeable: ClassVar = {
        "call_about": ("about", "reason", "what"),
        "when_suits": ("time", "when", "day"),
        "contact_name": ("name",),
        "contact_phone": ("phone", "number", "mobile"),
    }

    def __init__(self) -> None:
        super().__init__([
            words("call_about"),
            PHONE,
            words("when_suits", asked_back=False),
            NAME,
            Question("confirm", self.confirm),
            Question("change_which", self.change_which),
        ])  # fmt: skip

    def first(self, heard: Heard) -> Found:
        about = _ABOUT.search(heard.text)
        return {"call_about": about[1].strip(" .!?")} if about else {}

    def needed(self, heard: Heard) -> list[str]:
        phone = [] if heard.has_phone and "contact_phone" not in (heard.slots.get("reask") or ()) else ["contact_phone"]
        return ["call_about", *phone, "when_suits", "contact_name", "confirm"]

    def read_back(self, heard: Heard) -> Say:
        return Say("utter_read_back_callback", {
            "about": told(heard.slots.get("call_about")),
            "time": told(heard.slots.get("when_suits")),
            "your_name": told(heard.known("contact_name")),
            "your_phone": phone_in_words(heard),
        })  # fmt: skip

    def finish(self, heard: Heard) -> list[Say | Command]:
        about = heard.slots.get("call_about")
        words_ = " ".join([] if about in (None, slots.NOT_GIVEN) else [str(about)])
        words_ = words_ or " ".join(heard.slots.get("unread") or ())
        return [
            self.contact(heard),
            OpenCase("service_request", "callback", words_, slots.shorten(words_), details=self.answers(heard)),
        ]
