"""From rows to answers. Reads in one transaction, changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlmodel import Session, select

from bot.api import answers
from bot.desk import contact as contacts
from bot.desk import why
from bot.desk.brief import is_in_confidence
from bot.desk.office import Office
from bot.desk.preference import needs_care
from bot.desk.reach import at_risk
from bot.reports import Report
from bot.sla.qualities import trace
from bot.store import conversations, listing
from bot.store.tables import Case, Clock, Contact, Conversation, Message

_MILESTONES: Final = ("acknowledged", "attended", "made_safe", "completed", "closed")
_NOT_ANSWERS: Final = frozenset({"added", "begun"})


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads for one association. `in_confidence`: also what is about people at risk."""

    office: Office
    in_confidence: bool

    # --- cases

    def case(self, session: Session, reference: str) -> Case | None:
        """None too for one that this reader may not know of."""
        found = session.exec(select(Case).where(Case.reference == reference)).first()
        return found if found is None or self.in_confidence or not is_in_confidence(found) else None

    def lines(self, session: Session, cases: Sequence[Case], now: datetime) -> list[answers.CaseLine]:
        leading = listing.leading_clocks(session, [each.id for each in cases])
        return [answers.CaseLine(**self._line(session, each, leading.get(each.id), now)) for each in cases]

    def whole(self, session: Session, case: Case, now: datetime) -> answers.CaseAnswer:
        leading = listing.leading_clocks(session, [case.id]).get(case.id)
        told = {
            name: str(value)
            for name, value in case.details.items()
            if name not in _NOT_ANSWERS and value is not None and not isinstance(value, Mapping | list)
        }
        return answers.CaseAnswer(
            **self._line(session, case, leading, now), summary=case.summary, words=case.words, details=told,
            added=[answers.Addition(at=each["at"], words=each["words"]) for each in case.details.get("added", ())],
            hazard=case.hazard, outcome=case.outcome,
            milestones=[
                answers.Milestone(name=name, at=at) for name in _MILESTONES if (at := getattr(case, f"{name}_at")) is not None
            ],
            clocks=[self._clock(each, now) for each in why.of_case(session, self.office, case)],
        )  # fmt: skip

    def reasons(self, session: Session, case: Case) -> answers.WhyAnswer:
        reasons = why.of_case(session, self.office, case)
        return answers.WhyAnswer(
            case=case.reference, promises=[answers.WhyPromise.model_validate(each.as_json()) for each in reasons]
        )

    def _line(self, session: Session, case: Case, leading: Clock | None, now: datetime) -> dict[str, Any]:
        next_due = None
        if leading is not None:
            rule = self.office.policy.commitments.get(leading.commitment)
            title = rule.title if rule else leading.commitment
            next_due = answers.NextDue(
                commitment=leading.commitment, title=title, state=why.stands(leading, now), due_at=leading.due_at
            )
        return {
            "reference": case.reference, "kind": case.kind, "category": case.category, "priority": case.priority,
            "status": case.state, "stage": case.stage, "channel": case.channel, "team": case.team, "handler": case.handler,
            "contact": case.contact_id, "conversation": case.conversation_id, "received_at": case.received_at,
            "deemed_received_at": case.deemed_at, "closed_at": case.closed_at, "closed_as": case.closed_as,
            "next_due": next_due,
        }  # fmt: skip

    def _clock(self, reason: why.Reason, now: datetime) -> answers.Clock:
        clock = reason.clock
        chosen = answers.ChosenDay.model_validate(clock.chosen) if clock.chosen is not None else None
        return answers.Clock(
            id=clock.id, commitment=clock.commitment, title=reason.rule.title, state=why.stands(clock, now),
            started_at=clock.started_at, deemed_at=clock.deemed_at, due_at=clock.due_at, planned_at=clock.planned_at,
            met_at=clock.met_at, missed_at=clock.missed_at, told_by=clock.told_by, told_at=clock.told_at, reason=clock.reason,
            extends=clock.extends_id, tenant_chose=chosen, clause=reason.rule.clause, unverified=reason.rule.unverified,
            policy_version=clock.policy_version_id, why=list(reason.proof.why),
        )  # fmt: skip

    # --- conversations

    def conversation(self, session: Session, conversation_id: str) -> Conversation | None:
        """None too for one that this reader may not know of."""
        found = conversations.load(session, conversation_id, lock=False)
        hidden = found is not None and not self.in_confidence and listing.is_in_confidence(session, found)
        return None if hidden else found

    def talks(self, session: Session, found: Sequence[Conversation]) -> list[answers.ConversationLine]:
        cases = listing.references_of(session, [each.id for each in found], in_confidence=self.in_confidence)
        return [
            answers.ConversationLine(
                id=each.id, channel=each.channel, owner=each.owner, needs_person=each.needs_person, contact=each.contact_id,
                cases=cases.get(each.id, []), started_at=each.created_at, last_message_at=each.last_message_at,
                last_seq=each.seq,
            )
            for each in found
        ]  # fmt: skip

    def messages(self, session: Session, found: Sequence[Message]) -> list[answers.MessageAnswer]:
        cases = listing.references(session, {each.case_id for each in found if each.case_id})
        return [
            answers.MessageAnswer(
                seq=each.seq, id=each.id, direction=each.direction, author=each.author, author_name=each.author_name,
                kind=each.kind, text=each.text, urgent=each.urgent, state=each.state, case=cases.get(each.case_id or ""),
                at=each.created_at, sent_at=each.sent_at, delivered_at=each.delivered_at,
            )
            for each in found
        ]  # fmt: skip

    # --- contacts

    def contact(self, session: Session, contact: Contact) -> answers.ContactAnswer:
        cases = contacts.open_cases(session, contact, most=100)
        never_by = contact.never_by or []
        ask_first = at_risk(session, contact) or needs_care(contact)
        return answers.ContactAnswer(
            id=contact.id, name=contact.name, language=contact.language, preferred_channel=contact.preferred_channel,
            preferred_format=contact.preferred_format, never_by=never_by, ask_first=ask_first,
            addresses=[
                answers.Reach(
                    channel=each.channel,
                    may_receive=contacts.may_receive(each) and each.channel not in never_by and not ask_first,
                )
                for each in listing.addresses_of(session, contact.id)
            ],
            open_cases=[each.reference for each in cases if self.in_confidence or not is_in_confidence(each)],
        )  # fmt: skip


# --- what is about nobody


def performance(report: Report, *, cases: bool) -> answers.PerformanceAnswer:
    told = report.as_json()
    del told["annual_return"]
    if not cases:
        groups = [told["commitments"], *(results for by in told["by"].values() for results in by.values())]
        for figure in (figure for results in groups for figure in results):
            figure["cases"] = None
        times = told["first_response_hours"]
        for each in (times["automatic"], times["human"], *times["human_by_need"].values()):
            each["cases"] = None
    return answers.PerformanceAnswer.model_validate(told)


def annual_return(report: Report, first: date, last: date) -> answers.AnnualReturn:
    return answers.AnnualReturn(
        policy=report.policy.id, first=first, last=last, made_at=report.made_at,
        indicators=[
            answers.Indicator(
                number=each.number, title=each.title, value=each.value, unit=each.unit, cases=list(each.cases), note=each.note
            )
            for each in report.annual
        ],
    )  # fmt: skip


def policy(office: Office) -> answers.PolicyAnswer:
    held = office.policy
    rows = trace(held)
    timed, others = rows[: len(held.commitments)], rows[len(held.commitments) :]
    return answers.PolicyAnswer(
        id=held.id, name=held.name, short_name=held.short_name, version=held.version, hours=held.hours_in_words(),
        commitments=[
            answers.CommitmentAnswer(
                id=rule.id, title=rule.title, figure=rule.figure, counting=rule.counting, clause=rule.clause,
                met_by=rule.met_by, status=row.status, reason=row.reason, told=row.told, evidence=row.evidence,
                tenant_chooses=rule.tenant_chooses, fallback=rule.fallback, law=rule.law, unverified=rule.unverified,
            )
            for rule, row in zip(held.commitments.values(), timed, strict=True)
        ],
        qualities=[
            answers.QualityAnswer(
                id=row.id, clause=row.clause, asks=row.asks, how=row.met_by, status=row.status, reason=row.reason,
                told=row.told, evidence=row.evidence,
            )
            for row in others
        ],
    )  # fmt: skip
