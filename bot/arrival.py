"""What one new message sets off: triage's advice and the emergency case, keywords, answers, or the dialogue's turn.

Each part has a savepoint of its own in the message's transaction (`bot.intake`). Triage that fails raises an alarm and stops
nothing. A message that breaks the dialogue is kept, marked `set_aside`, answered with a safe holding reply and put before
staff.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, Protocol

from sqlmodel import Session

from bot import faults
from bot.desk import call as calls
from bot.desk import case as cases
from bot.desk import contact as contacts
from bot.desk import conversation as desk
from bot.desk import doubt, interpreter, watch
from bot.desk import handover as handovers
from bot.desk import survey as surveys
from bot.desk import task as tasks
from bot.desk.office import Office
from bot.dialogue import active_form
from bot.flows import slots
from bot.messages import (
    NO_DANGER,
    AddToCase,
    Assessment,
    CallStaff,
    Choice,
    Command,
    Content,
    Inbound,
    Keyword,
    OpenCase,
    RememberContact,
    Say,
    Turn,
    Urgency,
)  # fmt: skip
from bot.store import conversations
from bot.store.tables import Case, Conversation, InboundState, Message, Owner, Survey
from bot.triage import ENGLISH, Language

log = logging.getLogger(__name__)

SAME_HAZARD_WITHIN: Final = timedelta(minutes=30)
"""The same hazard again within this time gets one line with the number, and belongs to the same case."""
_LOOK_WITHIN: Final = timedelta(minutes=15)
"""How soon staff look at what the bot could not read: a photo without words, a message that broke the dialogue."""


_PHOTO: Final = "photo sent"
"""What the dialogue is told when a photo that it asked for has come without words."""


class Engine(Protocol):
    """The dialogue, as intake needs it (`bot.dialogue`)."""

    def turn(
        self, state: Mapping[str, Any] | None, text: str, *, choice: str | None, intent: str | None,
        facts: Mapping[str, Any], sender: str,
    ) -> Turn: ...  # fmt: skip


class Triage(Protocol):
    """The danger check, as intake needs it (`bot.triage`)."""

    def assess(self, text: str, previous: str | None = None) -> Assessment: ...

    def cannot_phone(self, text: str) -> bool: ...

    def language(self, code: str) -> Language | None: ...


@dataclass(frozen=True, slots=True)
class Means:
    """What every message is dealt with."""

    office: Office
    engine: Engine
    triage: Triage
    repairs: Mapping[str, Any]
    """What the policy says of each kind of repair (`Office.repair_facts`)."""
    photo_link: Callable[[str, datetime], str | None]
    """The address of the page that takes photos for a case, until when; None where nobody outside can reach us."""


class Arrival:
    """One new message inside its transaction."""

    def __init__(
        self, means: Means, session: Session, conversation: Conversation, message: Message, inbound: Inbound, begun: bool,
        now: datetime,
    ) -> None:  # fmt: skip
        self.office = means.office
        self.engine = means.engine
        self.triage = means.triage
        self.repairs = means.repairs
        self.photo_link = means.photo_link
        self.session = session
        self.conversation = conversation
        self.message = message
        self.inbound = inbound
        self.begun = begun
        self.now = now
        self.greeted = not begun
        self.offered = list(conversation.offered)

    def take(self) -> None:
        """Triage first, in any state and whoever holds the conversation; then keywords, then the dialogue."""
        value, asked = self._choice(), doubt.asked(self.offered)
        assessment = self._assess(confirmed=value == doubt.YES)
        emergency = self._warn(assessment) if assessment.advice else None
        answered = assessment.language != ENGLISH and self._in_other_words(assessment, emergency)
        if self.inbound.keyword is not None and not assessment.advice:
            self._obey(self.inbound.keyword)
        elif value is not None and value.startswith(handovers.ANSWER_VALUE):
            self._answer(value)
        elif not assessment.advice and (said := self._said_to_survey(value)) is not None:
            self._rate(said)
        elif answered or self.conversation.owner != Owner.BOT:
            return
        elif self.inbound.content is Content.UNSUPPORTED:
            self._say([Say("utter_unsupported")])
            self._look("unreadable_message")
        elif self.inbound.content is Content.MEDIA and self._asked_for_photo():
            self._look("photo_or_voice_note")
            self._converse(emergency, words=self.inbound.text.strip() or _PHOTO)
        elif self.inbound.content is Content.MEDIA and not self.inbound.text.strip():
            self._say([Say("utter_media_received")])
            self._look("photo_or_voice_note")
        elif asked and emergency is None:
            self._converse(None, words=self._not_now())
        elif not self._in_doubt(assessment):
            self._converse(emergency)
        if asked:
            doubt.answered(self.session, self.office, self.conversation, now=self.now)
        if self.conversation.hazard and active_form(self.conversation.dialogue) == "emergency_form":
            watch.watch_silence(self.session, self.office, self.conversation, now=self.now)

    # --- danger

    def _assess(self, *, confirmed: bool = False) -> Assessment:
        """What triage says; `confirmed`: asked, they chose that it is happening now. Its failure raises an alarm: never
        silence, never a lost message."""
        if not self.inbound.text.strip():
            return NO_DANGER
        try:
            before = None if self._denies() else self._before
            if not confirmed or before is None:
                return self.triage.assess(self.inbound.text, before)
            found = self.triage.assess("yes", before)
            if found.urgency is Urgency.NONE:
                told = self.triage.assess(before)
                return replace(told, urgency=Urgency.DANGER) if told.advice else found
            return found
        except Exception as error:  # noqa: BLE001 - a fault in triage must not stop the message from being stored and answered
            self._alarm("triage_failed", error)
            return NO_DANGER

    @cached_property
    def _before(self) -> str | None:
        """What the tenant wrote just before: "no heating", then "I have a newborn" are one story."""
        if self.begun:
            return None
        since = self.now - SAME_HAZARD_WITHIN
        return conversations.words_before(self.session, self.conversation.id, self.message.seq, since=since)

    def _warn(self, assessment: Assessment) -> Case | None:
        """`_advise`; and where that fails, the national numbers and an alarm: never silence, never a lost message."""
        before = _copy(self.conversation)
        try:
            with self.session.begin_nested():
                return self._advise(assessment)
        except Exception as error:  # noqa: BLE001 - a fault in words or policy must not keep the tenant from being warned
            _restore(self.conversation, before)
            self._alarm("advice_failed", error)
            desk.say_keys(
                self.session, self.office, self.conversation, [Say("utter_advice_any")], now=self.now, kind="advice",
                urgent=True,
            )  # fmt: skip
            return None

    def _advise(self, assessment: Assessment) -> Case | None:
        """Send the safety words, and open or join the emergency case if the danger is present."""
        self._note("triage", {
            "hazard": assessment.hazard, "urgency": assessment.urgency.value, "evidence": list(assessment.evidence)
        })  # fmt: skip
        before = self.conversation.hazard
        again = before.get("hazard") == assessment.hazard and self._is_recent(before)
        # Again within half an hour: only the line with the number.
        unsure = assessment.urgency is Urgency.NONE and not assessment.sensitive
        for key in assessment.advice_keys[:1] if again or unsure else assessment.advice_keys:
            desk.say_keys(
                self.session,
                self.office,
                self.conversation,
                [Say(key)],
                now=self.now,
                kind="advice",
                urgent=True,
                language=assessment.language,
            )
        if not again and self.triage.cannot_phone(self.inbound.text):
            desk.say_keys(
                self.session, self.office, self.conversation, [Say("utter_advice_no_voice")], now=self.now,
                kind="advice", urgent=True, language=assessment.language,
            )  # fmt: skip
        muted = not contacts.may_receive(conversations.address_of(self.session, self.conversation.address_id))
        if muted:
            self._look(calls.TASK, urgent=True)
        if assessment.urgency not in {Urgency.DANGER, Urgency.EMERGENCY}:
            if assessment.sensitive:
                self._look("may_be_at_risk", urgent=True)
            return None
        if again and before.get("case"):
            known = self.session.get(Case, before["case"])
            if known is not None:
                handovers.heard_danger_again(self.session, self.office, self.conversation, known, now=self.now)
                self._ring(known, assessment, muted=muted)
            return known
        words = (
            f"{self._before}\n{self.inbound.text}" if doubt.asked(self.offered) and self._before else self.inbound.text
        )
        case = cases.open_emergency(self.session, self.office, self.conversation, assessment, words, now=self.now)
        self.conversation.hazard = {
            "hazard": assessment.hazard, "urgency": assessment.urgency.value, "case": case.id,
            "reference": case.reference, "at": self.now.isoformat(), "sensitive": assessment.sensitive,
        }  # fmt: skip
        self._ring(case, assessment, muted=muted)
        return case

    def _ring(self, case: Case, assessment: Assessment, *, muted: bool) -> None:
        """Have the advice spoken to somebody who takes no messages. Staff are asked to ring whatever comes of it."""
        if not muted or assessment.sensitive:
            return
        try:
            with self.session.begin_nested():
                calls.ring(self.session, self.office, self.conversation, case, assessment.advice_keys, now=self.now)
        except Exception as error:  # noqa: BLE001 - nothing may stand in the way of the case and the task
            log.error("call_not_asked_for", extra={"conversation_id": self.conversation.id} | faults.of(error))

    def _in_doubt(self, assessment: Assessment) -> bool:
        """Danger that may not be here and now: ask that before anything else. True if it was asked."""
        if not assessment.advice or assessment.urgency is not Urgency.NONE or assessment.sensitive:
            return False
        if assessment.language != ENGLISH or active_form(self.conversation.dialogue) == "emergency_form":
            return False
        if self._is_recent(self.conversation.hazard):
            return False
        self._greet()
        return doubt.ask(self.session, self.office, self.conversation, now=self.now)

    def _denies(self) -> bool:
        """Asked whether it is happening now, they say no."""
        if not doubt.asked(self.offered):
            return False
        return self._choice() == doubt.NO or slots.yes_no(self.inbound.text) == "no"

    def _not_now(self) -> str:
        """What the tenant wants, now that it is no danger: what they wrote before we asked, and what they say besides."""
        if self._before is None:
            return self.inbound.text
        plain = self._denies() and slots.words_in(self.inbound.text) <= 4
        return self._before if plain else f"{self._before}. {self.inbound.text}"

    def _in_other_words(self, assessment: Assessment, emergency: Case | None) -> bool:
        """Written in another language: remember it and call for an interpreter. True if that is the whole answer."""
        language = self.triage.language(assessment.language)
        if language is None:
            return False
        before, greeted = _copy(self.conversation), self.greeted
        try:
            with self.session.begin_nested():
                interpreter.remember(self.session, self.office, self.conversation, language, now=self.now)
                told = assessment.advice or self.conversation.owner != Owner.BOT
                if told or active_form(self.conversation.dialogue) is not None:
                    first = interpreter.call(
                        self.session, self.office, self.conversation, language, now=self.now, case=emergency
                    )
                    if first and assessment.advice:
                        interpreter.say(
                            self.session, self.office, self.conversation, "utter_interpreter", language, now=self.now
                        )
                    return False
                self._greet()
                interpreter.request(
                    self.session, self.office, self.conversation, language, self.inbound.text, now=self.now
                )
        except Exception as error:  # noqa: BLE001 - without an interpreter the tenant is still answered, and a person looks
            _restore(self.conversation, before)
            self.greeted = greeted
            self._alarm("could_not_process", error)
            return False
        return True

    def _is_recent(self, hazard: Mapping[str, Any]) -> bool:
        return bool(hazard) and self.now - datetime.fromisoformat(hazard["at"]) < SAME_HAZARD_WITHIN

    # --- keywords and unreadable things

    def _obey(self, keyword: Keyword) -> None:
        address_id = self.conversation.address_id
        if keyword is Keyword.STOP:
            if contacts.opt_out(self.session, self.office, address_id, now=self.now):
                self._look("opted_out")
        elif keyword is Keyword.START:
            was_out = contacts.opt_in(self.session, self.office, address_id, now=self.now)
            if was_out or not self.begun:
                self._say([Say("utter_opt_in")])
            else:  # Telegram begins every conversation with /start
                self._greet()
        else:
            self._say([Say("utter_help_keyword")])

    def _answer(self, value: str) -> None:
        """What the tenant chose is about an emergency that was handed over (`desk.watch`), whoever answers the conversation."""
        before = _copy(self.conversation)
        try:
            with self.session.begin_nested():
                says = watch.answer(self.session, self.office, self.conversation, value, now=self.now)
                if says:
                    self._say(says)
        except Exception as error:  # noqa: BLE001 - whatever it was, the tenant is answered and a person looks
            _restore(self.conversation, before)
            self._alarm("could_not_process", error)
            self._say([Say("utter_holding")])

    def _said_to_survey(self, value: str | None) -> surveys.Said | None:
        if self.inbound.content not in {Content.TEXT, Content.CHOICE}:
            return None
        pressed = self.inbound.choice if value is None else value
        said = surveys.read(self.session, self.conversation, self.inbound.text, pressed, now=self.now)
        if said is None:
            surveys.comment_on(self.session, self.conversation, self.offered, self.inbound.text)
        return said

    def _rate(self, said: surveys.Said) -> None:
        """The tenant says how a repair went, or, asked that, that they want to complain; whoever answers the conversation."""
        before = _copy(self.conversation)
        survey = self.session.get_one(Survey, said.survey_id)
        self.greeted = True  # they answer us
        if said.score is None:
            if self.conversation.owner == Owner.BOT:
                self._converse(
                    None, words=self.office.wording.label("survey", surveys.COMPLAIN), choice="/make_complaint"
                )
            return
        try:
            with self.session.begin_nested():
                says = surveys.rate(
                    self.session, self.office, survey, said.score, by=self.conversation.channel, now=self.now,
                    comment=said.rest, conversation=self.conversation,
                )  # fmt: skip
                if self.conversation.owner == Owner.BOT:
                    keys = {"keys": [each.key for each in says], "surveys": [survey.id]}
                    words = self.office.render(says, channel=self.conversation.channel, now=self.now)
                    desk.say(self.session, self.office, self.conversation, words, now=self.now, detail=keys)
        except Exception as error:  # noqa: BLE001 - whatever it was, the tenant is answered and a person looks
            _restore(self.conversation, before)
            self._alarm("could_not_process", error)
            self._say([Say("utter_holding")])
        else:
            if said.rest and self.conversation.owner == Owner.BOT:
                self._converse(None, words=said.rest)

    def _alarm(self, kind: str, error: Exception) -> None:
        """Something of ours failed: say so in the log and put the conversation before a person."""
        where = {"conversation_id": self.conversation.id, "message_id": self.message.id}
        log.error(kind, extra=where | faults.of(error))
        self._look(kind, urgent=True)

    def _look(self, kind: str, *, urgent: bool = False) -> None:
        """Put the conversation before a person."""
        tasks.add(
            self.session,
            self.office,
            self.conversation,
            kind,
            due_at=self.now + _LOOK_WITHIN,
            now=self.now,
            urgent=urgent,
        )
        self.conversation.needs_person = self.conversation.needs_person or kind

    # --- the dialogue

    def _asked_for_photo(self) -> bool:
        """Whether the bot has just asked for what has come."""
        state = self.conversation.dialogue
        return active_form(state) == "emergency_form" and (state.get("slots") or {}).get("requested_slot") == "photo"

    def _converse(self, emergency: Case | None, *, words: str | None = None, choice: str | None = None) -> None:
        before, greeted = _copy(self.conversation), self.greeted
        try:
            turn = self._turn(emergency, words, choice)
            if all(isinstance(step, Say) for step in turn.steps):
                self._carry_out(turn)  # words are made before anything is written, so there is nothing to take back
            else:
                with self.session.begin_nested():
                    self._carry_out(turn)
        except Exception as error:  # noqa: BLE001 - whatever it was, the tenant is answered and a person looks
            _restore(self.conversation, before)
            self.greeted = greeted
            self._alarm("could_not_process", error)
            self._say([Say("utter_holding")])
            self.message.state = InboundState.SET_ASIDE.value

    def _turn(self, emergency: Case | None, words: str | None, choice: str | None) -> Turn:
        text, choice = words or self.inbound.text, choice or self._choice()
        if active_form(self.conversation.dialogue) is None:
            self.conversation.matter_since = self.now
        turn = self.engine.turn(
            self.conversation.dialogue or None, text, choice=choice, intent="emergency" if emergency else None,
            facts=self._facts(), sender=self.conversation.id,
        )  # fmt: skip
        heard = turn.understanding
        self._note("understood", {"intent": heard.intent, "confidence": round(heard.confidence, 3)})
        self.conversation.dialogue = dict(turn.state)
        return turn

    def _choice(self) -> str | None:
        """The value of the choice that was made, by button or by words, if it is one that we offered just now."""
        offered = tuple(Choice(each["label"], each["value"]) for each in self.offered)
        if self.inbound.choice is not None:
            return next((each.value for each in offered if each.value == self.inbound.choice), None)
        return self.office.wording.match_choice(self.inbound.text, offered)

    def _facts(self) -> dict[str, Any]:
        """What flows may know (`docs/add-a-flow.md`). Times are local."""
        calendar = self.office.policy.calendar
        contact = self._known
        open_cases = conversations.open_cases_of(self.session, self.conversation.contact_id)
        last = next((each["reference"] for each in open_cases if each["id"] == self.conversation.last_case_id), None)
        hazard = self.conversation.hazard
        return {
            "now": self._local(self.now),
            "open": calendar.is_open(self.now),
            "next_opening": self._local(calendar.next_opening(self.now)),
            "channel": self.conversation.channel,
            "first": self.begun,
            "contact": {
                "name": contact["name"], "address": contact["home_address"], "postcode": contact["postcode"],
                "phone": contact["phone"],
            },
            "cases": [
                {
                    "reference": each["reference"], "kind": each["kind"], "category": each["category"],
                    "summary": each["summary"], "opened": self._local(each["received_at"]),
                    "due": self._local(each["due_at"]) if each["due_at"] else None, "team": each["team"],
                }
                for each in open_cases
            ],
            "last_case": last,
            "hazard": {"hazard": hazard["hazard"], "urgency": hazard["urgency"], "case": hazard["reference"]}
            if hazard and self._is_recent(hazard) else None,
            # A person at risk is never asked for pictures.
            "photo_link": self.photo_link(hazard["case"], self.now)
            if hazard and self._is_recent(hazard) and not hazard["sensitive"] else None,
            "offered": [each["value"] for each in self.offered],
            "repairs": self.repairs,
        }  # fmt: skip

    @cached_property
    def _known(self) -> Mapping[str, Any]:
        """What the contact has told us, and the language to write in."""
        return conversations.known_of(self.session, self.conversation.contact_id)

    def _local(self, instant: datetime) -> str:
        return self.office.local(instant).isoformat()

    def _carry_out(self, turn: Turn) -> None:
        """Say and do what the turn asks, in its order. What is said together is one message."""
        waiting: list[Say] = []
        for step in turn.steps:
            if isinstance(step, Say):
                waiting.append(step)
                continue
            waiting = self._flush(waiting) if isinstance(step, OpenCase) else waiting
            self._do(step)
        self._flush(waiting)

    def _flush(self, says: Sequence[Say]) -> list[Say]:
        if says:
            self._say(says)
        return []

    def _do(self, command: Command) -> None:
        match command:
            case OpenCase():
                self._greet()
                cases.open_case(
                    self.session, self.office, self.conversation, command,
                    received_at=self.conversation.matter_since or self.now, now=self.now,
                )  # fmt: skip
            case AddToCase():
                added = cases.add_to_case(self.session, self.office, self.conversation, command, now=self.now)
                if added is None:
                    log.warning("case_not_added_to", extra={"conversation_id": self.conversation.id})
            case RememberContact():
                contacts.remember(self.session, self.office, self.conversation, command, now=self.now)
            case CallStaff():
                self._look(command.reason)
            case _:
                raise TypeError(f"no such command: {command!r}")

    def _say(self, says: Sequence[Say]) -> None:
        language = str(self._known["language"])
        words = self.office.render(says, channel=self.conversation.channel, now=self.now, language=language)
        self._greet()
        keys = {"keys": [each.key for each in says]}
        desk.say(self.session, self.office, self.conversation, words, now=self.now, detail=keys)

    def _greet(self) -> None:
        """The first thing said in a conversation says who and what we are (ELHA 10.2, 10.4)."""
        if not self.greeted:
            self.greeted = True
            desk.say_keys(
                self.session, self.office, self.conversation, [Say("utter_intro")], now=self.now, kind="intro"
            )

    def _note(self, what: str, value: Mapping[str, Any]) -> None:
        self.message.detail = self.message.detail | {what: dict(value)}


def _copy(conversation: Conversation) -> dict[str, Any]:
    """The columns as they are. Their JSON is replaced when it changes, never changed in place."""
    return conversations.columns_of(conversation)


def _restore(conversation: Conversation, before: Mapping[str, Any]) -> None:
    for name, value in before.items():
        setattr(conversation, name, value)
