"""What is due at an emergency, and what the tenant tells us of it: did the advice arrive, has the tenant fallen silent, has
somebody come? Whoever holds the emergency is told what they must know."""

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, select

from bot.desk import handover as handovers
from bot.desk.brief import emergency_clock
from bot.desk.follow_up import done, expect, settle
from bot.desk.handover import CLOSED, alarm, attended, begin_again, locked, of_case, tell
from bot.desk.notice import notify
from bot.desk.office import Office
from bot.dialogue import active_form
from bot.messages import Choice, Say
from bot.store import conversations
from bot.store.tables import Case, Conversation, FollowUp, Handover, HandoverAttempt, HandoverState, Owner

NEWS_AFTER: Final = timedelta(seconds=20)
"""Answers that come in quick succession are passed on together."""


def watch_advice(
    session: Session, office: Office, conversation: Conversation, handover: Handover, *, now: datetime
) -> None:
    """Look in two minutes whether the advice has arrived. Where there is no proof of arrival, there is nothing to look at."""
    if conversation.channel in {"sms", "whatsapp", "web"}:
        expect(session, office, handover, "advice_delivered", now + handovers.ADVICE_WITHIN)


def watch_silence(session: Session, office: Office, conversation: Conversation, *, now: datetime) -> None:
    """A question of ours stands in an emergency: look in ten minutes whether the tenant has answered."""
    reference = conversation.hazard.get("reference")
    case = session.exec(select(Case).where(Case.reference == reference)).first() if reference else None
    handover = of_case(session, case.id) if case is not None else None
    if handover is not None and handover.state not in CLOSED:
        expect(session, office, handover, "tenant_silent", now + handovers.SILENT_AFTER)


def news(session: Session, office: Office, case: Case, *, now: datetime) -> None:
    """The tenant has added something to an emergency: whoever took it by telephone or text is told."""
    handover = of_case(session, case.id)
    if handover is None or handover.state != HandoverState.TAKEN or handover.taken_rung is None:
        return
    waiting = select(HandoverAttempt.id).where(
        HandoverAttempt.handover_id == handover.id,
        HandoverAttempt.purpose == "update",
        HandoverAttempt.state == "queued",
    )
    if session.exec(waiting).first() is None:
        notify(session, office, handover, "update", "news", now=now, due_at=now + NEWS_AFTER)


def follow_up(session: Session, office: Office, look: FollowUp, *, now: datetime) -> None:
    """Take one look that is due, and do what follows from it."""
    handover = locked(session, look.handover_id)
    if handover.state in CLOSED:
        done(session, look, "over", now=now)
    elif look.kind == "advice_delivered":
        _look_for_advice(session, office, look, handover, now=now)
    elif look.kind == "tenant_silent":
        _look_for_silence(session, office, look, handover, now=now)
    else:
        _ask_whether_somebody_came(session, office, look, handover, now=now)


def _look_for_advice(session: Session, office: Office, look: FollowUp, handover: Handover, *, now: datetime) -> None:
    advice = [
        each for each in conversations.transcript(session, handover.conversation_id)
        if each.kind == "advice" and each.created_at >= handover.started_at and each.created_at <= now - handovers.ADVICE_WITHIN
    ]  # fmt: skip
    missing = [each for each in advice if each.delivered_at is None]
    done(session, look, "not_delivered" if missing else "delivered", now=now)
    if missing:
        alarm(session, office, handover, "advice_not_delivered", now=now)


def _look_for_silence(session: Session, office: Office, look: FollowUp, handover: Handover, *, now: datetime) -> None:
    conversation = conversations.load(session, handover.conversation_id)
    assert conversation is not None, "a case has a conversation"
    heard_at = conversation.last_inbound_at or handover.started_at
    if not _is_asking(conversation):
        done(session, look, "nothing_asked", now=now)
    elif now - heard_at < handovers.SILENT_AFTER:
        look.due_at = heard_at + handovers.SILENT_AFTER
        session.add(look)
    else:
        done(session, look, "silent", now=now)
        alarm(session, office, handover, "silent", now=now)


def _is_asking(conversation: Conversation) -> bool:
    """Whether the bot has asked something about an emergency that the tenant has not answered."""
    return conversation.owner == Owner.BOT and active_form(conversation.dialogue) == "emergency_form"


def _ask_whether_somebody_came(
    session: Session, office: Office, look: FollowUp, handover: Handover, *, now: datetime
) -> None:
    case = session.get_one(Case, handover.case_id)
    if case.attended_at is not None or case.state != "open" or emergency_clock(session, case) is None:
        done(session, look, "attended" if case.attended_at else "over", now=now)
        return
    done(session, look, "asked", now=now)
    choices = tuple(
        Choice(office.wording.label("answer", each), f"{handovers.ANSWER_VALUE}{case.reference}:{each}")
        for each in ("yes", "no")
    )
    asking = Say("utter_handover_somebody_came", {"reference": case.reference}, choices)
    tell(session, office, handover, [asking], now=now, once=f"somebody_came:{look.id}")


def answer(session: Session, office: Office, conversation: Conversation, value: str, *, now: datetime) -> list[Say]:
    """The tenant chose one of our answers (`ANSWER_VALUE`): carry it out, and return what to say."""
    reference, _, said = value.removeprefix(handovers.ANSWER_VALUE).rpartition(":")
    case = session.exec(select(Case).where(Case.reference == reference)).first()
    handover = of_case(session, case.id) if case is not None else None
    if handover is None or case is None or case.contact_id != conversation.contact_id:
        return []
    if said == "yes":
        attended(session, office, handover, actor="tenant", now=now)
        return [Say("utter_handover_came_yes")]
    if said == "no":
        settle(session, handover, "somebody_came", "nobody_came", now=now)
        if handover.state == HandoverState.TAKEN and handover.taken_rung is not None:
            notify(session, office, handover, "notice", "notice_nobody_came", now=now)
        begin_again(session, office, handover, "nobody_came", now=now, conversation=conversation)
        return [Say("utter_handover_came_no")]
    if said == "disagree" and handover.state == HandoverState.STOOD_DOWN:
        begin_again(session, office, handover, "disagrees", now=now, conversation=conversation)
        return [Say("utter_handover_disagreed", {"reference": case.reference})]
    return []
