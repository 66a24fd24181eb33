"""The questions about the tenant that many flows share: where, who, and on what number."""

from bot.flows import slots
from bot.flows.form import Found, Question
from bot.flows.heard import Heard


def _address(heard: Heard) -> Found | None:
    found = slots.address(heard.text, asked=True)
    code = slots.postcode(heard.text)
    if found:
        return {"address": found, "postcode": code} if code else {"address": found}
    return None


def _name(heard: Heard) -> Found | None:
    found = slots.name(heard.text, asked=True)
    return {"contact_name": found} if found else None


def _phone(heard: Heard) -> Found | None:
    found = slots.phone(heard.text)
    return {"contact_phone": found} if found else None


ADDRESS = Question("address", _address, certain=True, volunteered=slots.address)
NAME = Question("contact_name", _name, optional=True, volunteered=slots.name)
PHONE = Question("contact_phone", _phone, certain=True, optional=True, volunteered=slots.phone)


def phone_in_words(heard: Heard) -> str | None:
    """The tenant's number as it is read back; None if there is none or it is the one they write from."""
    number = heard.known("contact_phone")
    if number in (None, slots.NOT_GIVEN):
        return None
    return slots.phone_in_words(str(number))


def words(slot: str, *, may_ask: bool = False, asked_back: bool = True) -> Question:
    """A question that wants the tenant's own words, whatever they are: but "yes" does not say when or where."""

    def read(heard: Heard) -> Found | None:
        empty = not heard.text or slots.skips(heard.text) or slots.is_bare_yes(heard.text)
        return None if empty else {slot: heard.text}

    return Question(slot, read, free=True, optional=True, may_ask=may_ask, asked_back=asked_back)


def yes_or_no(slot: str) -> Question:
    """A question answered by yes or no."""

    def read(heard: Heard) -> Found | None:
        said = slots.yes_no(heard.text)
        if said is None and heard.intent in ("affirm", "deny") and heard.confidence >= 0.6:
            said = "yes" if heard.intent == "affirm" else "no"
        return {slot: said} if said else None

    return Question(slot, read, optional=True)


def told(value: object) -> str | None:
    """`value` for a read-back: None where the tenant would rather not say, so that its line is left out."""
    return None if value in (None, "", slots.NOT_GIVEN) else slots.shorten(str(value))
