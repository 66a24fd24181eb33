"""From rows to figures: every promise judged under the policy that it was made under."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from sqlmodel import Session

from bot.sla import Commitment, Policy, restore_policy
from bot.sla.calendar import END_OF_DAY, at_local
from bot.sla.performance import ANNUAL, Indicator, Performance, Promise, Result, Verdict, annual_return, judge, measure
from bot.store import figures

_LONGEST_COMPLAINT: Final = timedelta(days=730)
"""How far back the annual return looks for complaints and repairs that were carried forward."""


@dataclass(frozen=True, slots=True)
class Report:
    """Performance between two days, and the regulator's figures for them."""

    policy: Policy
    performance: Performance
    annual: tuple[Indicator, ...]
    made_at: datetime

    def title(self, commitment: str) -> str:
        rule = self.policy.commitments.get(commitment)
        return rule.title if rule else commitment.replace("_", " ")

    def figure(self, commitment: str) -> str:
        rule = self.policy.commitments.get(commitment)
        return rule.figure if rule else ""

    def as_json(self) -> dict[str, Any]:
        """Everything, with the references of the cases behind every figure."""
        performance = self.performance
        return {
            "policy": self.policy.id,
            "from": performance.first.isoformat(),
            "to": performance.last.isoformat(),
            "made_at": self.made_at.isoformat(),
            "received": performance.received,
            "out_of_hours": performance.out_of_hours,
            "first_response_hours": {
                "automatic": asdict(performance.automatic),
                "human": asdict(performance.human),
                "human_by_need": {need: asdict(times) for need, times in performance.human_by_need.items()},
            },
            "commitments": [self._result(each) for each in performance.results],
            "by": {
                name: {value: [self._result(each) for each in results] for value, results in groups.items()}
                for name, groups in performance.by.items()
            },
            "annual_return": [asdict(each) for each in self.annual],
        }

    def _result(self, result: Result) -> dict[str, Any]:
        return {
            "id": result.commitment, "target": self.figure(result.commitment), "due": result.due,
            "kept": len(result.kept), "missed_and_told": len(result.told), "missed_in_silence": len(result.silent),
            "share_kept": result.share, "kept_on_chosen_day": len(result.chosen),
            "cases": {
                "kept": result.kept, "missed_and_told": result.told, "missed_in_silence": result.silent,
                "kept_on_chosen_day": result.chosen,
            },
        }  # fmt: skip


def gather(session: Session, policy: Policy, first: date, last: date, *, now: datetime) -> Report:
    """The report on `first` to `last`, both included, as it stands at `now`."""
    since, until = at_local(first, time()), at_local(last, END_OF_DAY) + timedelta(seconds=1)
    judged = verdicts(session, policy, due_from=since, due_until=until, now=now)
    carried = figures.cases(session, since=since - _LONGEST_COMPLAINT, until=until)
    older = figures.promises(session, due_from=since - _LONGEST_COMPLAINT, commitments=ANNUAL, told=False)
    every = [promise for promise, _ in older]
    answers = figures.answers(session, since=since, until=until)
    performance = measure(judged, carried, order=tuple(policy.commitments), first=first, last=last)
    return Report(policy, performance, annual_return(every, carried, policy.calendar, first, last, answers), now)


def verdicts(
    session: Session,
    policy: Policy,
    *,
    now: datetime,
    due_from: datetime | None = None,
    due_until: datetime | None = None,
) -> Sequence[tuple[Promise, Verdict]]:
    """Every promise that was due in that time, judged under the policy version that it was made under."""
    versions: dict[str, Policy] = {policy.version: policy}
    judged = []
    for promise, version in figures.promises(session, due_from=due_from, due_until=due_until):
        if version not in versions:
            content = figures.policy_content(session, version)
            versions[version] = restore_policy(content) if content else policy
        then = versions[version]
        judged.append((promise, judge(promise, _rule(then, promise.commitment), then.calendar, now)))
    return judged


def _rule(policy: Policy, commitment: str) -> Commitment:
    rules: Mapping[str, Commitment] = policy.commitments
    return rules[commitment]
