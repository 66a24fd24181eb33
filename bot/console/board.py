"""What the screens show, read in one transaction and handed to the templates as plain values. Changes nothing."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Select
from sqlmodel import Session, col, func, select

from bot.console.attachments import Shown, shown, to_look_at
from bot.console.care import next_update, survey_in_words, way_in_words, wishes_in_words
from bot.console.casework import NAME_HANDLER, Doable, doable
from bot.console.emergencies import Handed, handed
from bot.console.explanations import Explained, Explanations, in_words
from bot.desk import attachment as attachments
from bot.desk import clock as clocks
from bot.desk import contact as contacts
from bot.desk import letter as letters
from bot.desk import preference as preferences
from bot.desk import reach, why
from bot.desk import task as tasks
from bot.desk.brief import is_in_confidence
from bot.desk.office import Office
from bot.messages import DeliveryState
from bot.store import conversations
from bot.store.tables import (
    Case,
    Clock,
    Contact,
    Conversation,
    Event,
    InboundState,
    Message,
    Owner,
    Staff,
    Task,
)  # fmt: skip

SHOWN: Final = 100
"""Conversations in the list."""
READ_IN_CONFIDENCE: Final = "case_read_in_confidence"
"""The event that says who looked at a case of a person at risk."""
_READ_AGAIN: Final = timedelta(hours=1)
"""A page that stays open fetches itself again and again: that is one reading."""
_EXCERPT: Final = 140

_CHANNELS: Final = {
    "sms": "Text message", "whatsapp": "WhatsApp", "telegram": "Telegram", "web": "Web chat", "terminal": "Terminal",
}  # fmt: skip
_BY_NUMBER: Final = frozenset({"sms", "whatsapp"})
"""Where the address is a number that can be rung."""
_ALARMS: Final = frozenset({
    "emergency", "safeguarding", "ring_opted_out_in_danger", "triage_failed", "ring_advice_not_delivered", "ring_silent",
    "ring_nobody_came", "ring_disagrees", "ring_again", "advice_failed",
    clocks.ALARM, clocks.ALARM_MANAGER, reach.AT_RISK,
})  # fmt: skip
_TONES: Final = {"late": "bad", "missed": "bad", "met_late": "bad", "met": "good", "paused": "warn"}
_SET_ASIDE: Final = frozenset({"could_not_process", "unreadable_message", "photo_or_voice_note"})
_UNDELIVERED: Final = frozenset({"cannot_deliver", "may_not_have_arrived"})


class View(StrEnum):
    """Which conversations are listed."""

    ALL = "all"
    WAITING = "waiting"
    MINE = "mine"


class Holder(StrEnum):
    """Who answers a conversation, as seen by the person at the screen."""

    BOT = "bot"
    ME = "me"
    COLLEAGUE = "colleague"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Line:
    """One conversation in the list."""

    id: str
    who: str
    channel: str
    holder: Holder
    holder_name: str
    reason: Explained | None
    urgent: bool
    speaker: str
    excerpt: str
    language: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Todo:
    """One open task."""

    id: str
    kind: str
    title: str
    todo: str
    detail: str
    in_confidence: bool
    """About a person at risk: its words are not for a screen that everybody passes."""
    who: str
    reference: str | None
    conversation_id: str
    answer: tuple[str, str] | None
    """Where on the page it is dealt with, and what that is called; None if it is ticked off."""
    look: str | None
    """The message that it is about: where on the page to look."""
    urgent: bool
    alarm: bool
    late: bool
    due_at: datetime
    created_at: datetime
    whose: str
    """Who has the case, where it is theirs to do; else empty."""
    letter: bool
    """A letter can be printed for it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message as staff see it."""

    id: str
    direction: str
    author: str
    author_name: str
    kind: str
    text: str
    at: datetime
    urgent: bool
    state: str
    delivery: Explained | None
    troubled: bool
    """Not delivered, or not known to be: somebody should do something."""
    error: str | None
    understood: str | None
    danger: str | None
    evidence: Sequence[str]
    set_aside: bool
    attachments: Sequence[Shown]
    pressed: bool
    new_day: bool


@dataclass(frozen=True, slots=True)
class Promise:
    """One clock of a case."""

    id: str
    title: str
    commitment: str
    state: str
    """`running`, `late`, `paused`, `answered`, `met`, `met_late`, `missed`, `extended` or `ended`."""
    stands: str
    """The same in words."""
    tone: str
    """`good`, `bad`, `warn` or nothing."""
    over: bool
    """Nothing can become of it any more."""
    due_at: datetime
    due: str
    met_at: datetime | None
    told_at: datetime | None
    told_by: str
    """By what way, in words; empty while nobody has."""
    reason: str | None
    """Why it was stopped, given a later date or ended."""
    clause: str
    unverified: str | None
    why: Sequence[str]


@dataclass(frozen=True, slots=True)
class Matter:
    """A case with its promises."""

    id: str
    reference: str
    title: str
    kind: str
    priority: str
    state: str
    summary: str
    words: str
    answers: Sequence[tuple[str, str]]
    added: Sequence[str]
    team: str
    handler: str | None
    sensitive: bool
    received_at: datetime
    deemed_at: datetime
    happened: Sequence[tuple[str, datetime]]
    """What staff have written down, and when it was."""
    outcome: str | None
    """What the tenant was told at the end."""
    promises: Sequence[Promise]
    can: Doable
    handed: Handed | None
    """Of an emergency: who has it."""
    survey: Sequence[str]
    """How the repair went, as far as it was asked and answered: a line each."""
    has_update: bool
    """Something is news of it: an update is promised."""


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything about one conversation."""

    id: str
    who: str
    channel: str
    address: str
    contact: Contact
    holder: Holder
    holder_id: str
    """`bot`, `closed` or a staff id: what a form says it saw, so that two people do not take over at once unseen."""
    holder_name: str
    reason: Explained | None
    hazard: str | None
    hazard_at: datetime | None
    turns: Sequence[Turn]
    matters: Sequence[Matter]
    todos: Sequence[Todo]
    muted: bool
    """The address opted out or is blocked: what is written here will not arrive."""
    careful: str
    """What whoever reaches this person must know first; empty if there is nothing."""
    safe: bool
    """Whether it is safe to write to them now, as far as we know."""
    wishes: Sequence[tuple[str, str]]
    """How they want to be reached, in words."""
    next_update: tuple[str, datetime] | None
    """The case that is next written about by itself, and when, unless somebody writes first."""


@dataclass(frozen=True, slots=True)
class Board:
    """The list and what presses."""

    view: View
    lines: Sequence[Line]
    alarms: Sequence[Todo]
    todos: Sequence[Todo]
    waiting: int
    mine: int
    set_aside: int
    undelivered: int


class Reader:
    """Reads for one association, in its words."""

    def __init__(self, office: Office, explanations: Explanations) -> None:
        self._office = office
        self._words = explanations

    def board(self, session: Session, me: Staff, view: View, *, now: datetime) -> Board:
        open_tasks = self._todos(session, tasks.open_tasks(session), now=now)
        urgent = {each.conversation_id for each in open_tasks if each.alarm}
        waiting = _count(session, _waiting())
        mine = _count(session, _held_by(me))
        return Board(
            view=view,
            lines=self._lines(session, me, view, urgent),
            alarms=[each for each in open_tasks if each.alarm],
            todos=[each for each in open_tasks if not each.alarm],
            waiting=waiting,
            mine=mine,
            set_aside=sum(each.kind in _SET_ASIDE for each in open_tasks),
            undelivered=sum(each.kind in _UNDELIVERED for each in open_tasks),
        )

    def _lines(self, session: Session, me: Staff, view: View, urgent: Set[str]) -> list[Line]:
        statement = {View.ALL: select(Conversation), View.WAITING: _waiting(), View.MINE: _held_by(me)}[view]
        wanted = list(session.exec(statement.order_by(col(Conversation.last_message_at).desc()).limit(SHOWN)))
        newest = _newest(session, wanted)
        people = _by_id(session, Contact, (each.contact_id for each in wanted))
        names = _names(session, wanted, people)
        staff = _by_id(session, Staff, (each.assignee_id for each in wanted if each.assignee_id))
        return [
            self._line(
                each,
                newest.get(each.id),
                names[each.id],
                people[each.contact_id].language,
                staff,
                me,
                each.id in urgent,
            )
            for each in wanted
        ]

    def _line(
        self, conversation: Conversation, last: Message | None, name: str, language: str, staff: Mapping[str, Staff],
        me: Staff, urgent: bool,
    ) -> Line:  # fmt: skip
        sensitive = bool(conversation.hazard.get("sensitive"))
        text = "Open to read." if sensitive else " ".join((last.text if last else "").split())
        speaker = ""
        if last is not None and last.direction == "out" and not sensitive:
            speaker = "You" if last.staff_id == me.id else last.author_name if last.author == "staff" else "Bot"
        return Line(
            id=conversation.id, who=name, channel=_channel(conversation.channel),
            holder=_holder(conversation, me), holder_name=_holder_name(conversation, staff),
            reason=self._words.task(conversation.needs_person) if conversation.needs_person else None, urgent=urgent,
            speaker=speaker, excerpt=text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else ""),
            language=language if last is not None and last.direction == "in" else "en",
            at=conversation.last_message_at,
        )  # fmt: skip

    def dossier(self, session: Session, conversation_id: str, me: Staff, *, now: datetime) -> Dossier | None:
        """One conversation, whole; None if there is none of that id."""
        conversation = conversations.load(session, conversation_id, lock=False)
        if conversation is None:
            return None
        contact = conversations.contact_of(session, conversation.contact_id)
        staff = _by_id(session, Staff, [conversation.assignee_id] if conversation.assignee_id else [])
        hazard = conversation.hazard
        own = session.exec(
            select(Task)
            .where(Task.conversation_id == conversation_id, col(Task.done_at).is_(None))
            .order_by(col(Task.urgent).desc(), col(Task.due_at))
        )
        return Dossier(
            id=conversation.id, who=_names(session, [conversation], {contact.id: contact})[conversation.id],
            channel=_channel(conversation.channel),
            address=conversation.address if conversation.channel in _BY_NUMBER else "", contact=contact,
            holder=_holder(conversation, me), holder_id=holder_id(conversation),
            holder_name=_holder_name(conversation, staff),
            reason=self._words.task(conversation.needs_person) if conversation.needs_person else None,
            hazard=self._hazard(hazard["hazard"]) if hazard else None,
            hazard_at=datetime.fromisoformat(hazard["at"]) if hazard else None,
            turns=self._turns(session, conversation, me),
            matters=self._matters(session, conversation, contact, me, now=now),
            todos=self._todos(session, list(own), now=now),
            muted=not contacts.may_receive(conversations.address_of(session, conversation.address_id)),
            careful=preferences.in_words(contact) if preferences.needs_care(contact) else "",
            safe=preferences.is_safe(contact, now), wishes=wishes_in_words(contact),
            next_update=next_update(session, self._office, contact),
        )  # fmt: skip

    # --- tasks

    def _todos(self, session: Session, found: Sequence[Task], *, now: datetime) -> list[Todo]:
        cases = _by_id(session, Case, (each.case_id for each in found if each.case_id))
        talks = _by_id(session, Conversation, (each.conversation_id for each in found))
        people = _by_id(session, Contact, (each.contact_id for each in talks.values()))
        names = _names(session, talks.values(), people)
        looks = to_look_at(session, found)
        owners = _by_id(session, Staff, (each.owner_id for each in cases.values()))
        return [
            self._todo(
                each, cases.get(each.case_id or ""), names[each.conversation_id], looks.get(each.id), owners, now=now
            )
            for each in found
        ]

    def _todo(
        self, task: Task, case: Case | None, name: str, look: str | None, owners: Mapping[str, Staff], *, now: datetime
    ) -> Todo:
        words = self._words.task(task.kind)
        owner = owners.get(case.owner_id or "") if case is not None else None
        whose = "" if case is None or task.role != "owner" else owner.name if owner else case.handler or case.team
        return Todo(
            id=task.id, kind=task.kind, title=words.title, todo=words.todo, detail=task.detail,
            in_confidence=task.kind == reach.AT_RISK or (case is not None and is_in_confidence(case)), who=name,
            reference=case.reference if case else None,
            conversation_id=task.conversation_id, answer=_answer(task),
            look=f"message-{look}" if look else None, urgent=task.urgent,
            alarm=task.urgent and task.kind in _ALARMS,
            late=now > task.due_at, due_at=task.due_at, created_at=task.created_at, whose=whose,
            letter=task.kind in letters.KINDS and task.case_id is not None,
        )  # fmt: skip

    # --- messages

    def _turns(self, session: Session, talk: Conversation, me: Staff) -> list[Turn]:
        messages = conversations.transcript(session, talk.id)
        with_files = [each.id for each in messages if each.kind == "media"]
        sensitive = bool(with_files) and attachments.is_sensitive(session, talk)
        files = {
            message_id: [shown(self._words, each, me, sensitive=sensitive) for each in rows]
            for message_id, rows in attachments.of_messages(session, with_files).items()
        }
        turns, day = [], None
        for message in messages:
            today = self._office.local(message.created_at).date()
            turns.append(self._turn(message, files.get(message.id, ()), new_day=today != day))
            day = today
        return turns

    def _turn(self, message: Message, files: Sequence[Shown], *, new_day: bool) -> Turn:
        outbound = message.direction == "out"
        triage, heard = message.detail.get("triage"), message.detail.get("understood")
        arrived = outbound and clocks.is_evidence(message.channel, DeliveryState(message.state))
        return Turn(
            id=message.id, direction=message.direction, author=message.author,
            author_name=message.author_name or "Tenant", kind=message.kind, text=message.text, at=message.created_at,
            urgent=message.urgent, state="delivered" if arrived else message.state,
            delivery=self._words.delivery(message.state, message.channel) if outbound else None,
            troubled=outbound and message.state in {"failed", "unknown"}, error=message.error if outbound else None,
            understood=f"{in_words(heard['intent'])}, {heard['confidence']:.0%} sure" if heard else None,
            danger=self._danger(triage) if triage else None, evidence=triage["evidence"] if triage else (),
            set_aside=message.state == InboundState.SET_ASIDE, attachments=files, pressed="choice" in message.detail,
            new_day=new_day,
        )  # fmt: skip

    def _danger(self, triage: Mapping[str, Any]) -> str:
        level = {"danger": "Danger to life", "emergency": "Emergency"}.get(triage["urgency"], "Advice given")
        return f"{level}: {self._hazard(triage['hazard'])}"

    def _hazard(self, hazard: str) -> str:
        key = f"utter_label_hazard_{hazard}"
        return self._office.wording.label("hazard", hazard) if self._office.wording.has(key) else in_words(hazard)

    # --- cases

    def _matters(
        self, session: Session, talk: Conversation, contact: Contact, me: Staff, *, now: datetime
    ) -> list[Matter]:
        """The cases of this conversation, and the person's other open ones, newest first."""
        here = session.exec(
            select(Case)
            .where(Case.conversation_id == talk.id)
            .order_by(col(Case.received_at).desc(), col(Case.id).desc())
        )
        found = {each.id: each for each in (*here, *contacts.open_cases(session, contact))}
        return [self._matter(session, each, me, now=now) for each in found.values()]

    def _matter(self, session: Session, case: Case, me: Staff, *, now: datetime) -> Matter:
        added = case.details.get("added", ())
        answers = [
            (in_words(name), str(value))
            for name, value in case.details.items()
            if name != "added" and value is not None
        ]
        title = in_words(case.category) if case.category not in {"general", "other"} else in_words(case.kind)
        return Matter(
            id=case.id, reference=case.reference, title=title, kind=in_words(case.kind), priority=case.priority,
            state=case.state, summary=case.summary, words=case.words, answers=answers,
            added=[each["words"] for each in added], team=case.team, handler=case.handler,
            sensitive=case.category == "safeguarding", received_at=case.received_at, deemed_at=case.deemed_at,
            promises=[self._promise(session, each, now=now) for each in clocks.of_case(session, case.id)],
            happened=[
                (self._words.outcome(name), at)
                for name, at in (
                    ("attended", case.attended_at), ("made_safe", case.made_safe_at), ("completed", case.completed_at),
                )
                if at is not None
            ],
            outcome=case.outcome, can=doable(session, self._office, self._words, case, me, now=now),
            handed=handed(session, self._office, case), survey=survey_in_words(session, self._office, case, now=now),
            has_update=clocks.running_update(session, case.id) is not None,
        )  # fmt: skip

    def _promise(self, session: Session, clock: Clock, *, now: datetime) -> Promise:
        reason = why.of_clock(session, self._office, clock)
        elapsed = reason.rule.mode in {"hours", "minutes"}
        in_words_of_day = self._office.moment_in_words if elapsed else self._office.day_in_words
        state = why.stands(clock, now)
        return Promise(
            id=clock.id, title=reason.rule.title, commitment=clock.commitment, state=state,
            stands=self._words.promise(state), tone=_TONES.get(state, ""), over=clock.state not in clocks.OPEN,
            due_at=clock.due_at, due=in_words_of_day(clock.due_at, now), met_at=clock.met_at, told_at=clock.told_at,
            told_by=way_in_words(clock.told_by) if clock.told_by else "",
            reason=clock.reason, clause=reason.rule.clause, unverified=reason.rule.unverified, why=reason.proof.why,
        )  # fmt: skip


def read_lately(session: Session, case_id: str, me: Staff, *, now: datetime) -> bool:
    """Whether this member's reading of a case in confidence has been recorded lately."""
    found = session.exec(
        select(Event.id).where(
            Event.subject == case_id,
            Event.verb == READ_IN_CONFIDENCE,
            Event.actor == me.id,
            Event.at > now - _READ_AGAIN,
        )
    )
    return found.first() is not None


# --- inside


def holder_id(conversation: Conversation) -> str:
    """Who holds a conversation, in one word: `bot`, `closed` or a staff id."""
    return (conversation.assignee_id or Owner.STAFF.value) if conversation.owner == Owner.STAFF else conversation.owner


def _holder(conversation: Conversation, me: Staff) -> Holder:
    if conversation.owner == Owner.STAFF:
        return Holder.ME if conversation.assignee_id == me.id else Holder.COLLEAGUE
    return Holder.BOT if conversation.owner == Owner.BOT else Holder.CLOSED


def _holder_name(conversation: Conversation, staff: Mapping[str, Staff]) -> str:
    if conversation.owner != Owner.STAFF:
        return ""
    holder = staff.get(conversation.assignee_id or "")
    return holder.name if holder else "A colleague"


def _names(session: Session, talks: Iterable[Conversation], people: Mapping[str, Contact]) -> dict[str, str]:
    """What to call the person in each conversation: the name they told us, else what their provider calls them, else
    where they write from."""
    talks = list(talks)
    nameless = [each.id for each in talks if not people[each.contact_id].name]
    told = session.exec(
        select(Message.conversation_id, func.max(Message.author_name))
        .where(col(Message.conversation_id).in_(nameless), Message.direction == "in", Message.author_name != "")
        .group_by(col(Message.conversation_id))
    )
    called = dict(told.all())
    return {each.id: people[each.contact_id].name or called.get(each.id) or _writer(each) for each in talks}


def _writer(conversation: Conversation) -> str:
    if conversation.channel in _BY_NUMBER:
        return conversation.address
    return f"{_channel(conversation.channel)} visitor {conversation.id[-4:].upper()}"


def _channel(name: str) -> str:
    return _CHANNELS.get(name, in_words(name))


def _answer(task: Task) -> tuple[str, str] | None:
    if task.case_id is None:
        return None
    return {
        clocks.ASKED: (f"update-{task.case_id}", "Give the update"),
        NAME_HANDLER: (f"handler-{task.case_id}", "Name them"),
    }.get(task.kind)


def _waiting() -> Any:
    return select(Conversation).where(
        col(Conversation.needs_person).is_not(None), Conversation.owner != Owner.CLOSED.value
    )


def _held_by(me: Staff) -> Any:
    return select(Conversation).where(Conversation.assignee_id == me.id, Conversation.owner == Owner.STAFF.value)


def _count(session: Session, statement: Select[Any]) -> int:
    return int(session.exec(select(func.count()).select_from(statement.subquery())).one())


def _newest(session: Session, wanted: Sequence[Conversation]) -> dict[str, Message]:
    """The newest message of each: the one whose place is the conversation's count."""
    found = session.exec(
        select(Message)
        .join(Conversation, col(Conversation.id) == Message.conversation_id)
        .where(col(Message.conversation_id).in_([each.id for each in wanted]), Message.seq == Conversation.seq)
    )
    return {each.conversation_id: each for each in found}


def _by_id(session: Session, table: Any, ids: Iterable[str | None]) -> dict[str, Any]:
    wanted = {each for each in ids if each}
    return {each.id: each for each in session.exec(select(table).where(table.id.in_(wanted)))} if wanted else {}
