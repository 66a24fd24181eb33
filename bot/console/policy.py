"""`/staff/policy`: every promise as it is kept, and what the lint of the policy finds, for the people who own it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from aiohttp import web

from bot.console.explanations import in_words
from bot.desk.office import Office
from bot.desk.staff import SignedIn
from bot.sla import Commitment, Policy
from bot.sla.lint import Finding, Severity, lint
from bot.wallclock import WallClock
from bot.wording import day_in_words

_GROUPS: Final = (
    (
        Severity.ERROR,
        "errors",
        "To be decided",
        "The policy contradicts itself, or will soon fail. Somebody must decide.",
    ),
    (Severity.WARNING, "warnings", "To be confirmed", "The association must confirm or supply these."),
    (Severity.NOTE, "notes", "Worth knowing", "Decided; here for the record."),
)
_STATUSES: Final = {"kept": "Clock runs", "recorded": "Recorded, no clock", "off-channel": "Not by message"}


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one severity."""

    id: str
    title: str
    lead: str
    findings: Sequence[Finding]
    folded: bool


@dataclass(frozen=True, slots=True)
class Promised:
    """One commitment as it is shown."""

    id: str
    title: str
    figure: str
    repeat: bool
    counting: str
    clause: str
    law: str | None
    kept_by: str
    status: str
    status_in_words: str
    unverified: str | None
    in_force: str | None


@dataclass(frozen=True, slots=True)
class Document:
    letter: str
    title: str
    reviewed: str | None
    review_due: str | None
    overdue: bool
    unverified: str | None


class PolicyPage:
    """The page; reads the policy of this process and nothing else."""

    def __init__(
        self, office: Office, wall_clock: WallClock, outcome: Callable[[str], str], page: Callable[..., web.Response]
    ) -> None:
        self._office = office
        self._wall_clock = wall_clock
        self._outcome = outcome
        self._page = page

    async def show(self, _request: web.Request, who: SignedIn) -> web.StreamResponse:
        policy = self._office.policy
        today = self._office.local(self._wall_clock.now()).date()
        return self._page("policy.html", who=who, csrf=who.csrf, **contents(policy, today, self._outcome))


def contents(policy: Policy, today: date, outcome: Callable[[str], str]) -> dict[str, Any]:
    """What the template shows."""
    found = lint(policy, today)
    return {
        "groups": [
            Group(id_, title, lead, [each for each in found if each.severity is severity], severity is Severity.NOTE)
            for severity, id_, title, lead in _GROUPS
        ],
        "commitments": [_promised(each, today, outcome) for each in policy.commitments.values()],
        "known": {each.id: each.title for each in policy.commitments.values()},
        "sources": [
            Document(
                each.letter, each.title, _date(each.reviewed), _date(each.review_due),
                each.review_due is not None and each.review_due < today, each.unverified,
            )
            for each in policy.sources.values()
        ],
        "version": policy.version,
    }  # fmt: skip


def _promised(rule: Commitment, today: date, outcome: Callable[[str], str]) -> Promised:
    force = None
    if rule.effective_from and today < rule.effective_from:
        force = f"In force from {_date(rule.effective_from)}"
    elif not rule.in_force(today):
        force = f"Ended on {_date(rule.effective_until)}"
    return Promised(
        id=rule.id, title=rule.title, figure=rule.figure, repeat=rule.repeat, counting=_counted(rule), clause=rule.clause,
        law=rule.law, kept_by=outcome(rule.met_by), status=rule.status,
        status_in_words=_STATUSES.get(rule.status, in_words(rule.status)), unverified=rule.unverified, in_force=force,
    )  # fmt: skip


def _counted(rule: Commitment) -> str:
    """How the figure is counted, without the figure."""
    return rule.counting.partition(": ")[2].removeprefix(rule.figure).lstrip(" ,;").capitalize()


def _date(day: date | None) -> str | None:
    return f"{day_in_words(day)} {day.year}" if day else None
