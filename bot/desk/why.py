"""Why a date is what it is: the one explanation that the command line, the console, the API and an evidence pack give.

Each date is worked out anew under the policy and the calendar that it was promised under; pauses, extensions and the later day
that a tenant chose are told after it.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from sqlmodel import Session

from bot.desk import clock as clocks
from bot.desk.office import Office
from bot.sla import Commitment, Explanation
from bot.store.tables import Case, Clock, ClockState
from bot.wording import day_in_words

HOW: Final[Mapping[str, str]] = {
    "message": "in a message", "phone": "on the phone", "in_person": "in person", "letter": "in a letter or an email",
}  # fmt: skip
"""How a tenant can tell us that they want another day."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One promise of a case: where it stands, when it is due, and the steps that lead to that date."""

    clock: Clock
    rule: Commitment
    """As it was when it was promised."""
    proof: Explanation

    def as_json(self) -> dict[str, Any]:
        """The public form (`doorstep why --json`, `/api/v1/cases/{reference}/why`)."""
        return self.proof.as_json() | {
            "state": self.clock.state, "policy_version": self.clock.policy_version_id, "told_by": self.clock.told_by,
            "why": list(self.proof.why),
        }  # fmt: skip


def of_case(session: Session, office: Office, case: Case) -> list[Reason]:
    """Every promise of a case, the earliest due first."""
    return [of_clock(session, office, each) for each in clocks.of_case(session, case.id)]


def of_clock(session: Session, office: Office, clock: Clock) -> Reason:
    """One promise."""
    return Reason(clock, clocks.commitment_of(session, office, clock), proof(session, office, clock))


def stands(clock: Clock, now: datetime) -> str:
    """Where a promise stands, in a word: the clock's state, `late` once it is past due, `met_late` if it was kept too late."""
    if clock.state == ClockState.MET:
        return "met_late" if clock.met_at is not None and clock.met_at > clock.due_at else "met"
    return "late" if clock.state == ClockState.RUNNING and now > clock.due_at else clock.state


def proof(session: Session, office: Office, clock: Clock) -> Explanation:
    """The proof of a clock's date."""
    policy = clocks.policy_of(session, office, clock)
    line = [clock]
    while line[0].extends_id is not None:
        line.insert(0, session.get_one(Clock, line[0].extends_id))
    first = line[0]
    rule = policy.commitment(clock.commitment)
    lengthened = any(each.chosen is None for each in line[1:])
    found = policy.explain(clock.commitment, first.started_at, extended=lengthened and not rule.extension_agreed)
    steps = list(found.why)
    for before, after in itertools.pairwise(line):
        if after.chosen is None:
            day = office.day_in_words(before.due_at, after.started_at)
            steps.append(f"The first date was {day}; it was extended: {before.reason}.")
        else:
            steps += _chosen(office, before, after, after.chosen)
    steps += [
        f"Stood still from {each['from'][:16]} to {each.get('to', 'now')[:16]} (UTC): {each['reason']}."
        for each in clock.pauses or ()
    ]
    if clock.due_at != found.due:
        steps.append(f"Due: {office.moment_in_words(clock.due_at, clock.started_at)}.")
    return replace(
        found,
        due=clock.due_at,
        planned=clock.planned_at,
        warn_from=clock.warn_from or found.warn_from,
        why=tuple(steps),
    )


def _chosen(office: Office, before: Clock, after: Clock, chosen: Mapping[str, str]) -> list[str]:
    today = office.local(after.started_at).date()
    offered, wanted = (day_in_words(date.fromisoformat(chosen[name]), today) for name in ("offered", "chosen"))
    due = office.moment_in_words(before.due_at, after.started_at)
    return [
        f"{offered} was offered, in time: it was due by {due}.",
        f"The tenant chose {wanted} instead, {HOW[chosen['how']]}: {chosen['reason']}.",
    ]
