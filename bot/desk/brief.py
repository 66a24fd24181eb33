"""What people on call are told about a case: read from the rows at the moment of telling, so it is never out of date."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, func, select

from bot.desk import clock as clocks
from bot.desk.office import Office
from bot.messages import ChannelName, Say
from bot.store import conversations
from bot.store.tables import Attachment, Case, Clock, ClockState, Handover, Message, Staff

_NUMBERS: Final = frozenset({ChannelName.SMS.value, ChannelName.WHATSAPP.value})
"""Channels whose addresses can be rung."""
_NOT_GIVEN: Final = "not given"
_LONGEST_WORDS: Final = 160


@dataclass(frozen=True, slots=True)
class Brief:
    """A case as the arguments of `utter_line_…` responses."""

    handover_id: str
    purpose: str
    reference: str
    code: str
    in_confidence: bool
    """A person is at risk: nothing is said but that, and where to read it."""
    args: Mapping[str, Any]

    @property
    def alert(self) -> Say:
        """The case, to be read."""
        if self.in_confidence:
            return Say("utter_line_alert_in_confidence", self.args)
        return Say("utter_line_authority" if self.purpose == "authority" else "utter_line_alert", self.args)

    @property
    def spoken(self) -> Say:
        """The case, to be heard."""
        if self.in_confidence:
            return Say("utter_line_spoken_in_confidence", self.args)
        return Say("utter_line_spoken_authority" if self.purpose == "authority" else "utter_line_spoken", self.args)


def brief(session: Session, office: Office, handover: Handover, *, now: datetime) -> Brief:
    """What is known of a handover's case by now."""
    case = session.get_one(Case, handover.case_id)
    conversation = conversations.load(session, handover.conversation_id, lock=False)
    assert conversation is not None, "a case has a conversation"
    contact = conversations.contact_of(session, case.contact_id)
    written_from = conversation.address if conversation.channel in _NUMBERS else None
    phone = _told(case, "contact_phone") or contact.phone or written_from
    place = ", ".join(filter(None, (_told(case, "address") or contact.home_address, contact.postcode))) or None
    clock = emergency_clock(session, case)
    asker = session.get(Staff, handover.asked_by) if handover.asked_by else None
    return Brief(
        handover.id, handover.purpose, case.reference, handover.code, is_in_confidence(case),
        {
            "reference": case.reference, "spoken_reference": spelt(case.reference),
            "hazard": _hazard(office, case),
            "place": place, "name": _told(case, "contact_name") or contact.name, "from_phone": phone,
            "spoken_phone": spelt(phone) if phone else None,
            "words": textwrap.shorten(case.words, _LONGEST_WORDS, placeholder=" ..."),
            "made_safe": _told(case, "make_safe"), "at_home": _told(case, "who_is_home"),
            "only_home": _told(case, "only_yours"), "locks": _told(case, "secure"),
            "access": _told(case, "way_in") or _told(case, "access"),
            "photos": _photos(session, case),
            "told_at": office.moment_in_words(case.received_at, now),
            "due": office.moment_in_words(clock.due_at, now) if clock else None,
            "concerns": [{"say": f"utter_line_concern_{each}"} for each in handover.concerns] or None,
            "code": handover.code, "taker": handover.taken_by, "reason": handover.reason,
            "question": handover.question or None,
            "asker": ", ".join(filter(None, (asker.name, asker.job_title))) if asker else office.policy.short_name,
            "attended_at": office.moment_in_words(case.attended_at, now) if case.attended_at else None,
            "made_safe_at": office.moment_in_words(case.made_safe_at, now) if case.made_safe_at else None,
            "state": handover.state,
        },
    )  # fmt: skip


def is_in_confidence(case: Case) -> bool:
    """Whether a case is of a person at risk, which only those who must know of it read."""
    return case.category == "safeguarding"


def emergency_clock(session: Session, case: Case) -> Clock | None:
    """The clock that somebody's coming would meet, while it still can."""
    hopeful = {ClockState.RUNNING, ClockState.MISSED, ClockState.PAUSED}
    return next(
        (each for each in clocks.of_case(session, case.id) if each.met_by == "attended" and each.state in hopeful), None
    )


def spelt(text: str) -> str:
    """`R-4K7M-2QX` or a number, one symbol at a time, so that a voice reads it out as people would."""
    groups = [" ".join(group) for group in text.replace("+", "").replace("-", " ").split()]
    return ", ".join(groups)


def _photos(session: Session, case: Case) -> str | None:
    """How many files have come since the case was told of: they are looked at in the console."""
    count = session.exec(
        select(func.count())
        .select_from(Attachment)
        .join(Message, col(Message.id) == Attachment.message_id)
        .where(Message.conversation_id == case.conversation_id, Message.created_at >= case.received_at)
    ).one()
    return str(count) if count else None


def _hazard(office: Office, case: Case) -> str:
    known = case.hazard != "none" and office.wording.has(f"utter_label_hazard_{case.hazard}")
    return office.wording.label("hazard", case.hazard) if known else case.summary


def _told(case: Case, slot: str) -> str | None:
    value = case.details.get(slot)
    return None if value in (None, "", _NOT_GIVEN) else str(value)
