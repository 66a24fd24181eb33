"""Reporting a repair: what a repairs team must know before it can send someone."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from bot.flows import slots
from bot.flows.about_you import ADDRESS, NAME, PHONE, phone_in_words, told, words, yes_or_no
from bot.flows.catalogue import Catalogue, FollowUp
from bot.flows.form import Flow, Found, Question
from bot.flows.heard import Heard
from bot.messages import Command, OpenCase, Say

PRIORITIES: Final = ("routine", "urgent", "emergency")

_AT_RISK: Final = re.compile(
    r"\b(?:baby|babies|bairns?|weans?|toddler|newborn|child|children|kids?|pregnant|elderly|pensioner|"
    r"asthma|copd|disab\w+|wheelchair|cancer|dialysis|oxygen|chemo|unwell|poorly|no weel|"
    r"(?:i'?m|he'?s|she'?s|aged|is)\s+(?:6[5-9]|[7-9]\d))\b",
    re.IGNORECASE,
)
_NONE_AT_RISK: Final = re.compile(
    r"\b(?:no (?:bairns?|kids|children|weans?|baby)|just me|just us|nobody|naebody)\b", re.IGNORECASE
)
_ALL: Final = re.compile(
    r"\b(?:all|aw|everything|everywhere|whole|entire(?:ly)?|complete(?:ly)?|totally|total|nothing works|the lot|none|every)\b",
    re.IGNORECASE,
)
_PART: Final = re.compile(
    r"\b(?:part|partly|some|half|just|only|one|upstairs|downstairs|kitchen|bathroom|cold|hot|not all|no aw|certain|most)\b",
    re.IGNORECASE,
)
_ASKING = (
    "hi hello hiya can could i you please pls a to my the is wanna want need needs like would log report make get "
    "have got something sumthin repair repairs fault broken fixed fixing problem issue in house flat hoose home "
    "with there thing someone send somebody come out oot new s d it at for"
)
_ONLY_ASKS: Final = frozenset(_ASKING.split())
"""Words that ask for a repair without saying what is wrong."""


class ReportRepair(Flow):
    """Problem, what changes its urgency, room, address, name, number, access; then a read-back."""

    subject = "repair"
    own_intents = frozenset({"report_repair"})
    takes_additions = True
    one_case_each = True
    changeable: ClassVar = {
        "description": ("problem", "repair", "fault", "description"),
        "room": ("room",),
        "address": ("address", "street", "house number"),
        "contact_name": ("name",),
        "contact_phone": ("phone", "number", "mobile"),
        "access": ("time", "times", "access", "day", "when"),
    }

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        super().__init__([
            Question("description", self._description, free=True),
            Question("problem_type", self._problem_type, optional=True),
            yes_or_no("only_toilet"),
            yes_or_no("other_heating"),
            Question("at_risk", lambda heard: _at_risk("at_risk", heard), optional=True, volunteered=_volunteers_risk),
            Question("all_or_part", _all_or_part, optional=True),
            yes_or_no("stop_leak"),
            yes_or_no("near_electrics"),
            yes_or_no("can_lock"),
            words("damp_rooms", asked_back=False),
            words("damp_since", asked_back=False),
            Question("damp_at_risk", lambda heard: _at_risk("damp_at_risk", heard), optional=True,
                     volunteered=_volunteers_risk),
            Question("room", self._room, optional=True, volunteered=self._catalogue.room),
            ADDRESS,
            NAME,
            PHONE,
            words("access", asked_back=False),
            Question("confirm", self.confirm),
            Question("change_which", self.change_which),
        ])  # fmt: skip

    # --- reading

    def first(self, heard: Heard) -> Found:
        text = heard.text
        category = self._catalogue.category(text)
        if heard.pressed or (category is None and (slots.only_words(text, _ONLY_ASKS) or slots.words_in(text) <= 2)):
            return {}
        return {"description": text, "category": category}

    def _description(self, heard: Heard) -> Found | None:
        if not heard.text or slots.skips(heard.text):
            return None
        category = self._catalogue.category(heard.text)
        if category is None and slots.only_words(heard.text, _ONLY_ASKS):
            return None
        found: Found = {"description": heard.text, "category": category}
        if room := self._catalogue.room(heard.text):
            found["room"] = room
        return found

    def _problem_type(self, heard: Heard) -> Found | None:
        chosen = heard.text if heard.text in self._catalogue.repairs else self._catalogue.category(heard.text)
        if chosen:
            return {"problem_type": chosen, "category": chosen}
        if slots.words_in(heard.text) >= 3:
            description = f"{heard.slots.get('description')}. {heard.text}"
            return {"problem_type": "other", "category": "other", "description": description}
        return None

    def _room(self, heard: Heard) -> Found | None:
        if slots.address(heard.text, asked=True) or slots.phone(heard.text):
            return None
        named = self._catalogue.room(heard.text)
        if named is None and 1 <= slots.words_in(heard.text) <= 4 and not slots.skips(heard.text):
            named = heard.text if not slots.is_question(heard.text) else None
        return {"room": named} if named else None

    def another_answer(self, heard: Heard) -> Found | None:
        """At the read-back: the room put right, or more about the problem."""
        rest = slots.correction(heard.text)
        if rest and (room := self._catalogue.room(rest)) and slots.words_in(rest) <= 5:
            return {"room": room}
        if rest or slots.adds(heard.text) or slots.words_in(heard.text) >= 4:
            return {"description": f"{heard.slots.get('description')}. {rest or heard.text}"}
        return None

    # --- what is still to be asked

    def needed(self, heard: Heard) -> list[str]:
        category = heard.slots.get("category")
        needed = ["description"]
        if category is None:
            needed.append("problem_type")
        needed += [each.slot for each in self._applying(heard)]
        category, priority = self.outcome(heard)
        repair = self._catalogue.repairs.get(category)
        if repair is None or (repair.room and category != "damp_mould" and priority != "emergency"):
            needed.append("room")
        needed += ["address", "contact_name"]
        if not heard.has_phone or "contact_phone" in (heard.slots.get("reask") or ()):
            needed.append("contact_phone")
        if priority != "emergency":
            needed.append("access")
        return [*needed, "confirm"]

    def _applying(self, heard: Heard) -> list[FollowUp]:
        return [
            each
            for each in self._catalogue.follow_ups(heard.slots.get("category"))
            if all(heard.slots.get(slot) == answer for slot, answer in each.only_if.items())
        ]

    def outcome(self, heard: Heard) -> tuple[str, str]:
        """The category it has turned out to be, and its priority with what the answers raise it by."""
        category, raised = heard.slots.get("category") or "other", 0
        for each in self._applying(heard):
            answer = heard.slots.get(each.slot)
            category = each.becomes.get(str(answer), category)
            raised += answer in each.raises
        policy: Mapping[str, Any] = (heard.facts.get("repairs") or {}).get(category) or {}
        level = PRIORITIES.index(policy.get("priority") or "routine") + raised
        return category, PRIORITIES[min(level, len(PRIORITIES) - 1)]

    # --- what follows

    def read_back(self, heard: Heard) -> Say:
        return Say("utter_read_back_repair", {
            "problem": told(heard.slots.get("description")),
            "where": told(heard.slots.get("room")),
            "your_address": told(heard.known("address")),
            "your_name": told(heard.known("contact_name")),
            "your_phone": phone_in_words(heard),
            "access_times": told(heard.slots.get("access")),
        })  # fmt: skip

    def finish(self, heard: Heard) -> list[Say | Command]:
        category, priority = self.outcome(heard)
        description = str(heard.slots.get("description") or " ".join(heard.slots.get("unread") or ()))
        return [
            self.contact(heard),
            OpenCase("repair", category, description, self._summary(category, description, heard), priority,
                     self.answers(heard)),
        ]  # fmt: skip

    def _summary(self, category: str, description: str, heard: Heard) -> str:
        label = self._catalogue.repairs[category].label if category != "other" else slots.shorten(description, 80)
        room = told(heard.slots.get("room"))
        return f"{label} ({room.lower()})" if room and category != "other" else label


def _at_risk(slot: str, heard: Heard) -> Found | None:
    said = slots.yes_no(heard.text)
    if _NONE_AT_RISK.search(heard.text):
        said = "no"
    elif said is None and (_AT_RISK.search(heard.text) or slots.words_in(heard.text) >= 3):
        said = "yes"
    if said is None and heard.intent in ("affirm", "deny"):
        said = "yes" if heard.intent == "affirm" else "no"
    return {slot: said} if said else None


def _volunteers_risk(text: str) -> str | None:
    return "yes" if _AT_RISK.search(text) and not _NONE_AT_RISK.search(text) else None


def _all_or_part(heard: Heard) -> Found | None:
    said = heard.text
    if _PART.search(said):
        return {"all_or_part": "part"}
    if _ALL.search(said) or slots.yes_no(said) == "yes":
        return {"all_or_part": "all"}
    return {"all_or_part": "part"} if slots.yes_no(said) == "no" else None
