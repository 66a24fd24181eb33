"""Asking how a repair went: once for each, by the way the person prefers, and never where it might do harm.

A survey is a row from the moment the repair is finished. It is sent on the next working day, at an hour of the policy's,
when the person is not in the middle of something else; several repairs of a person are asked about in one message. The
answer is a choice, a digit in reply to that message and to no other, a page (`bot.surveys`), or what staff take down.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from bot.desk import clock as clocks
from bot.desk import reach
from bot.desk import task as tasks
from bot.desk.brief import is_in_confidence
from bot.desk.contact import may_receive
from bot.desk.conversation import NotAllowed, record
from bot.desk.office import Office
from bot.desk.preference import quiet_spans
from bot.dialogue import active_form
from bot.messages import Choice, Say
from bot.sla.calendar import END_OF_DAY, at_local
from bot.sla.clocks import next_decent
from bot.sla.policy import Surveys
from bot.store import conversations
from bot.store.tables import Address, Case, Clock, Contact, Conversation, Message, Owner, Staff, Survey, SurveyState

VALUE: Final = "/survey:"
"""What the values of our choices begin with: then the survey's id and the score, or `complain`."""
COMPLAIN: Final = "complain"
SCORES: Final = (1, 2, 3, 4, 5)
"""From very unhappy to very happy."""
UNHAPPY: Final = 2
"""From here down somebody looks at what went wrong."""
KIND: Final = "survey"
UNHAPPY_TASK: Final = "unhappy_with_repair"
LONGEST_COMMENT: Final = 1000
LEFT_OUT: Final = {
    "at_risk": "Not asked: a message may put this person at risk.",
    "no_surveys": "Not asked: they do not want to be asked.",
    "opted_out": "Not asked: they stopped our messages.",
    "asked_lately": "Not asked: they were asked about another repair lately.",
    "withdrawn": "Not asked: no repair was done.",
}
_SAME_DAY: Final = timedelta(hours=12)
_TRY_AGAIN_AFTER: Final = timedelta(hours=1)
_BUSY_FOR: Final = timedelta(hours=1)
"""Somebody who wrote so lately is talking about something else."""
_LONGEST_WAIT: Final = timedelta(days=7)
"""How long a survey that nobody was promised waits for a quiet moment."""
_DIGIT: Final = re.compile(r"\s*([1-5])\s*(?:[.,:;!)/-]+\s*(.*))?", re.DOTALL)

LinkTo = Callable[[Survey], str | None]
"""Makes the address of a survey's page; None where nobody outside can reach us."""


# --- planned


def plan(session: Session, office: Office, case: Case, *, at: datetime, now: datetime) -> None:
    """A repair was finished at `at`: ask how it went on the next working day. Once for each case."""
    rules = office.policy.surveys
    session.flush()
    if rules is None or case.kind != "repair" or of_case(session, case.id) is not None:
        return
    day = office.policy.calendar.add_working_days(office.local(at).date(), 1)
    session.add(Survey(
        id=office.id(), case_id=case.id, contact_id=case.contact_id, created_at=now, act_at=at_local(day, rules.hours[0]),
    ))  # fmt: skip


def sent_by_hand(session: Session, case: Case, *, now: datetime) -> None:
    """Staff have asked themselves."""
    found = of_case(session, case.id)
    if found is not None and found.state == SurveyState.WAITING:
        found.state, found.act_at, found.by, found.sent_at = SurveyState.SENT.value, None, "staff", now
        session.add(found)


def of_case(session: Session, case_id: str) -> Survey | None:
    return session.exec(select(Survey).where(Survey.case_id == case_id)).first()


# --- sent


def due_people(session: Session, *, now: datetime, most: int) -> list[str]:
    """The contacts of the surveys that are to be looked at, the longest waiting first."""
    rows = session.exec(
        select(Survey.contact_id).where(col(Survey.act_at) <= now).order_by(col(Survey.act_at)).limit(most)
    )
    return list(dict.fromkeys(rows))


def deal_with(session: Session, office: Office, contact_id: str, link: LinkTo, *, now: datetime) -> bool:
    """Ask one person what there is to ask, or remind them. False if another process is at it."""
    contact = session.exec(
        select(Contact).where(Contact.id == contact_id).with_for_update(skip_locked=True, key_share=True)
    ).first()
    rules = office.policy.surveys
    if contact is None:
        return False
    found = session.exec(
        select(Survey).where(Survey.contact_id == contact_id, col(Survey.act_at).is_not(None)).order_by(col(Survey.id))
    ).all()
    waiting = [each for each in found if each.state == SurveyState.WAITING]
    if any(_is_due(each, now) for each in waiting):
        soon = [each for each in waiting if each.act_at is not None and each.act_at <= now + _SAME_DAY]
        _ask(session, office, rules, contact, soon, link, now=now)
    reminders = [each for each in found if each.state != SurveyState.WAITING and _is_due(each, now)]
    if reminders:
        _remind(session, office, rules, contact, reminders, link, now=now)
    return True


def _is_due(survey: Survey, now: datetime) -> bool:
    return survey.act_at is not None and survey.act_at <= now


def _ask(
    session: Session, office: Office, rules: Surveys | None, contact: Contact, waiting: Sequence[Survey], link: LinkTo, *,
    now: datetime,
) -> None:  # fmt: skip
    wanted: list[tuple[Survey, Case]] = []
    for each in waiting:
        case = session.get_one(Case, each.case_id)
        reason = "withdrawn" if rules is None else _why_not(session, office, rules, contact, case, now=now)
        if reason is None:
            wanted.append((each, case))
        else:
            _leave_out(session, office, each, case, reason, now=now)
    if not wanted or rules is None:
        return
    at = _decent(office, rules, contact, now)
    way = reach.route(session, contact, now=now)
    talk = _talk(session, way)
    busy = talk is not None and _is_busy(talk, now)
    if at > now or (busy and now + _TRY_AGAIN_AFTER < _last_chance(session, wanted)):
        for each, _ in wanted:
            each.act_at = at if at > now else now + _TRY_AGAIN_AFTER
            session.add(each)
        return
    (head, case), *_ = wanted
    choices = () if busy or way.address is None else _choices(office, head)
    key = "utter_survey" if way.address is not None else "utter_survey_by_person"
    says = [Say(key, {"about": _about(each for _, each in wanted), "link": link(head)}, choices)]
    meets = [
        clock.id
        for _, each in wanted
        for clock in clocks.of_case(session, each.id)
        if clock.met_by == "survey_sent" and clock.state in clocks.OPEN
    ]
    sent = reach.send(
        session, office, contact, case, says, kind=KIND, once=f"survey:{head.id}", now=now,
        about={"meets": meets, "surveys": [each.id for each, _ in wanted]}, due=_last_chance(session, wanted),
    )  # fmt: skip
    # A page that nobody reads, or a provider that takes nothing: then somebody asks by telephone while it counts.
    promised = [session.get_one(Clock, each) for each in meets]
    for clock in promised:
        clocks.answered(session, office, clock, now=now)
    reach.note(session, office, promised, sent, now=now)
    day = office.policy.calendar.add_working_days(office.local(now).date(), max(rules.remind_after_days, 1))
    for each, its in wanted:
        each.state, each.by, each.sent_at = SurveyState.SENT.value, sent.by, now
        each.message_id = sent.message.id if sent.message else None
        each.expires_at = now + timedelta(days=rules.days_to_answer)
        reminds = each is head and sent.message is not None and rules.remind_after_days > 0
        each.act_at = at_local(day, rules.hours[0]) if reminds else None
        session.add(each)
        record(session, office, "survey_sent", its.id, actor="bot", now=now, by=sent.by, survey=each.id)


def _remind(
    session: Session, office: Office, rules: Surveys | None, contact: Contact, due: Sequence[Survey], link: LinkTo, *,
    now: datetime,
) -> None:  # fmt: skip
    for each in due:
        case = session.get_one(Case, each.case_id)
        way = reach.route(session, contact, now=now)
        each.act_at = None
        session.add(each)
        unwanted = each.state != SurveyState.SENT or each.reminded_at is not None or way.address is None
        if unwanted or rules is None or _why_not(session, office, rules, contact, case, lately=False, now=now):
            continue
        at = _decent(office, rules, contact, now)
        talk = _talk(session, way)
        if at > now or (talk is not None and _is_busy(talk, now)):
            later = max(at, now + timedelta(days=1))
            each.act_at = later if each.expires_at is None or later < each.expires_at else None
            continue
        together = [session.get_one(Case, other.case_id) for other in _asked_with(session, each)]
        says = [Say("utter_survey_again", {"about": _about(together), "link": link(each)}, _choices(office, each))]
        reach.send(
            session, office, contact, case, says, kind=KIND, once=f"survey:{each.id}:again", now=now,
            about={"surveys": [each.id]}, due=now,
        )  # fmt: skip
        each.reminded_at = now


def _why_not(
    session: Session,
    office: Office,
    rules: Surveys,
    contact: Contact,
    case: Case,
    *,
    now: datetime,
    lately: bool = True,
) -> str | None:
    """Why this person is not asked about this case (a key of `LEFT_OUT`), or None."""
    if is_in_confidence(case) or case.details.get("safe_to_message") == "no" or reach.at_risk(session, contact):
        return "at_risk"
    if case.closed_as not in {None, "done"}:
        return "withdrawn"
    if contact.no_surveys_since is not None:
        return "no_surveys"
    if contact.preferred_channel not in {reach.PHONE, reach.LETTER}:
        addresses = session.exec(select(Address).where(Address.contact_id == contact.id)).all()
        if addresses and not any(may_receive(each) for each in addresses):
            return "opted_out"
    if not lately or rules.days_between <= 1:
        return None
    first_day = office.local(now).date() - timedelta(days=rules.days_between - 1)
    asked = select(Survey.id).where(Survey.contact_id == contact.id, col(Survey.sent_at) >= at_local(first_day, time()))
    return "asked_lately" if session.exec(asked).first() is not None else None


def _leave_out(session: Session, office: Office, survey: Survey, case: Case, reason: str, *, now: datetime) -> None:
    survey.state, survey.act_at, survey.reason = SurveyState.LEFT_OUT.value, None, reason
    session.add(survey)
    for clock in clocks.of_case(session, case.id):
        if clock.met_by == "survey_sent":
            clocks.end(session, office, clock, LEFT_OUT[reason], actor="bot", now=now)
    record(session, office, "survey_left_out", case.id, actor="bot", now=now, reason=reason)


def _decent(office: Office, rules: Surveys, contact: Contact, now: datetime) -> datetime:
    first, last = rules.hours
    return next_decent((*quiet_spans(office, contact), (last, first)), now)


def _talk(session: Session, way: reach.Route) -> Conversation | None:
    return None if way.address is None else conversations.find_open(session, way.address.channel, way.address.value)


def _is_busy(talk: Conversation, now: datetime) -> bool:
    """Whether a question of ours would come between others': then a digit might be taken for what it is not."""
    if talk.owner == Owner.STAFF or active_form(talk.dialogue) is not None:
        return True
    return talk.last_inbound_at is not None and now - talk.last_inbound_at < _BUSY_FOR


def _last_chance(session: Session, wanted: Sequence[tuple[Survey, Case]]) -> datetime:
    """Until when a better moment may be waited for."""
    moments = [each.created_at + _LONGEST_WAIT for each, _ in wanted]
    for _, case in wanted:
        promised = [each for each in clocks.of_case(session, case.id) if each.met_by == "survey_sent"]
        moments += [each.due_at for each in promised if each.state in clocks.OPEN]
    return min(moments)


def _choices(office: Office, survey: Survey) -> tuple[Choice, ...]:
    return tuple(Choice(office.wording.label("survey", str(n)), f"{VALUE}{survey.id}:{n}") for n in SCORES)


def _about(cases: Any) -> str:
    return ", ".join(f"{each.reference} ({each.summary})" if each.summary else each.reference for each in cases)


# --- answered


@dataclass(frozen=True, slots=True)
class Said:
    """What an inbound message says to a survey: a score, or that they want to complain."""

    survey_id: str
    score: int | None
    rest: str = ""
    """What was written after the digit."""


def read(session: Session, conversation: Conversation, text: str, chosen: str | None, *, now: datetime) -> Said | None:
    """What a message answers to a survey; None if it is no answer to one.

    A choice of ours is one whenever it comes. A digit is one only in reply to the survey itself: where nothing has been said
    to that address since, and no question of ours stands.
    """
    if chosen is not None and chosen.startswith(VALUE):
        survey_id, _, value = chosen.removeprefix(VALUE).partition(":")
        survey = session.get(Survey, survey_id)
        if survey is None or survey.contact_id != conversation.contact_id or not _takes_answers(survey, now):
            return None
        if value == COMPLAIN:
            return Said(survey_id, None)
        return Said(survey_id, int(value)) if value in {str(each) for each in SCORES} else None
    digit = _DIGIT.fullmatch(text)
    if digit is None or chosen is not None or conversation.owner != Owner.BOT or active_form(conversation.dialogue):
        return None
    survey = _just_asked(session, conversation, now=now)
    return Said(survey.id, int(digit[1]), (digit[2] or "").strip()) if survey is not None else None


def _just_asked(session: Session, conversation: Conversation, *, now: datetime) -> Survey | None:
    """The survey that was the last thing said to this address."""
    pending = session.exec(
        select(Survey)
        .where(Survey.contact_id == conversation.contact_id, Survey.state == SurveyState.SENT.value)
        .order_by(col(Survey.sent_at).desc())
    ).all()
    heads = [each for each in pending if each.message_id is not None and _takes_answers(each, now)]
    if not heads:
        return None
    last = session.exec(
        select(Message)
        .join(Conversation, col(Conversation.id) == Message.conversation_id)
        .where(Conversation.address_id == conversation.address_id, Message.direction == "out")
        .order_by(col(Message.seq).desc())
        .limit(1)
    ).first()
    if last is None or last.kind != KIND or not last.choices:
        return None
    asked = set(last.detail.get("surveys", ()))
    return next((each for each in heads if each.id in asked), None)


def _takes_answers(survey: Survey, now: datetime) -> bool:
    asked = survey.state in {SurveyState.SENT, SurveyState.ANSWERED}
    return asked and (survey.expires_at is None or now < survey.expires_at)


def rate(
    session: Session, office: Office, survey: Survey, score: int, *, by: str, now: datetime, comment: str = "",
    conversation: Conversation | None = None,
) -> list[Say]:  # fmt: skip
    """Keep an answer, for every repair that was asked about with it; the newest counts. Returns what to say to it.

    Who is unhappy is told how to complain, and whoever had the case is asked to look. `conversation` is the one that is
    being dealt with, if any: it is saved by the caller. Raises NotAllowed for a survey that takes no answers.
    """
    if not _takes_answers(survey, now) or score not in SCORES:
        raise NotAllowed("This survey takes no answers any more.")
    case = session.get_one(Case, survey.case_id)
    for each in _asked_with(session, survey):
        each.state, each.score, each.act_at = SurveyState.ANSWERED.value, score, None
        each.answered_at, each.answered_by = now, by
        session.add(each)
        its = session.get_one(Case, each.case_id)
        record(
            session,
            office,
            "survey_answered",
            its.id,
            actor=by if len(by) == 32 else "tenant",
            now=now,
            score=score,
            how=by,
        )
        clocks.meet(session, office, its, "survey_sent", at=now, actor="tenant", now=now)
    if comment.strip():
        add_comment(session, survey, comment)
    if score > UNHAPPY:
        return [Say("utter_survey_thanks")]
    talk = conversation or conversations.load(session, case.conversation_id, lock=False)
    assert talk is not None, "a case has a conversation"
    day = office.policy.calendar.add_working_days(office.local(now).date(), 1)
    tasks.add(
        session, office, talk, UNHAPPY_TASK, due_at=at_local(day, END_OF_DAY), now=now, case_id=case.id, role="owner",
        detail=" ".join(filter(None, (f"{score} of 5.", (survey.comment or "").strip()))),
    )  # fmt: skip
    complain = Choice(office.wording.label("survey", COMPLAIN), f"{VALUE}{survey.id}:{COMPLAIN}")
    return [Say("utter_survey_unhappy", {"team": case.team}, (complain,))]


def add_comment(session: Session, survey: Survey, words: str) -> None:
    """Keep what was said beside a score, after what was said before."""
    said = [line for line in (survey.comment, words.strip()) if line]
    survey.comment = "\n".join(dict.fromkeys(said))[:LONGEST_COMMENT]
    session.add(survey)


def comment_on(session: Session, conversation: Conversation, offered: Sequence[dict[str, str]], words: str) -> None:
    """Words in reply to a survey, or to our thanks for a score: kept with it, whatever else becomes of them."""
    value = next((each["value"] for each in offered if each["value"].startswith(VALUE)), None)
    if value is None or not words.strip():
        return
    survey = session.get(Survey, value.removeprefix(VALUE).partition(":")[0])
    if survey is not None and survey.contact_id == conversation.contact_id:
        add_comment(session, survey, words)


def take_down(
    session: Session, office: Office, case: Case, score: int, comment: str, staff: Staff, *, now: datetime
) -> None:  # fmt: skip
    """Staff write down an answer that came by telephone or letter. Raises NotAllowed where nothing was asked."""
    survey = of_case(session, case.id)
    if survey is None:
        raise NotAllowed("Nobody was asked how this repair went.")
    if survey.state == SurveyState.WAITING:
        sent_by_hand(session, case, now=now)
    rate(session, office, survey, score, by=staff.id, now=now, comment=comment)


def _asked_with(session: Session, survey: Survey) -> list[Survey]:
    """The surveys that were asked with one message, this one first."""
    if survey.message_id is None:
        return [survey]
    found = session.exec(select(Survey).where(Survey.message_id == survey.message_id).order_by(col(Survey.id))).all()
    return sorted(found, key=lambda each: each.id != survey.id)
