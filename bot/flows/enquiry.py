"""Asking a question that a person answers; rent and payments among them."""

from typing import ClassVar, Final

from bot.flows import slots
from bot.flows.about_you import ADDRESS, NAME, told, words
from bot.flows.form import Flow, Found, Question
from bot.flows.heard import Heard
from bot.messages import Command, OpenCase, Say

_ASKING = (
    "hi hello hiya can could may i a to please ask want wanna would like need have got ve just quick question "
    "questions enquiry query you something somethin d there is about my rent account the payment payments"
)
_ONLY_ASKS: Final = frozenset(_ASKING.split())


class MakeEnquiry(Flow):
    """The question, who asks, and for the rent account where they live."""

    subject = "enquiry"
    own_intents = frozenset({"make_enquiry", "rent_and_payments"})
    takes_additions = True
    changeable: ClassVar = {
        "enquiry_text": ("question", "enquiry"),
        "address": ("address", "street", "house number"),
        "contact_name": ("name",),
    }

    def __init__(self) -> None:
        super().__init__([
            words("enquiry_text", may_ask=True),
            ADDRESS,
            NAME,
            Question("confirm", self.confirm),
            Question("change_which", self.change_which),
        ])  # fmt: skip

    def first(self, heard: Heard) -> Found:
        found: Found = {"enquiry_category": "rent" if heard.intent == "rent_and_payments" else "general"}
        if not heard.pressed and not slots.only_words(heard.text, _ONLY_ASKS) and slots.words_in(heard.text) >= 3:
            found["enquiry_text"] = heard.text
        return found

    def another_answer(self, heard: Heard) -> Found | None:
        if slots.words_in(heard.text) < 3:
            return None
        more = slots.correction(heard.text) or heard.text
        return {"enquiry_text": f"{heard.slots.get('enquiry_text')}. {more}"}

    def needed(self, heard: Heard) -> list[str]:
        where = ["address"] if heard.slots.get("enquiry_category") == "rent" else []
        return ["enquiry_text", "contact_name", *where, "confirm"]

    def read_back(self, heard: Heard) -> Say:
        return Say("utter_read_back_enquiry", {
            "question": told(heard.slots.get("enquiry_text")),
            "your_address": told(heard.known("address")),
            "your_name": told(heard.known("contact_name")),
        })  # fmt: skip

    def finish(self, heard: Heard) -> list[Say | Command]:
        words_ = str(heard.slots.get("enquiry_text") or " ".join(heard.slots.get("unread") or ()))
        category = str(heard.slots.get("enquiry_category") or "general")
        return [
            self.contact(heard),
            OpenCase("enquiry", category, words_, slots.shorten(words_), details=self.answers(heard)),
        ]
