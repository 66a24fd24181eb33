"""What is wrong, missing or unconfirmed in a policy that loads: found from its data, for the people who own it."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations
from typing import Final

from bot.sla.commitment import Commitment
from bot.sla.policy import Policy, Reading


class Severity(StrEnum):
    ERROR = "error"
    """The policy contradicts itself or will soon fail: someone must decide before tenants rely on it."""
    WARNING = "warning"
    """The association must confirm or supply something."""
    NOTE = "note"
    """Worth knowing; decided."""


@dataclass(frozen=True, slots=True)
class Finding:
    severity: Severity
    code: str
    text: str
    line: int
    commitments: tuple[str, ...] = ()


_ANSWERS: Final = frozenset({
    "full_reply", "full_reply_or_delay_notice", "response_or_specific_ack", "response", "first_response", "call_made", "reply",
})  # fmt: skip
_REPAIRS: Final = frozenset({"attended", "completed"})
_FAMILIES: Final = {"an answer": _ANSWERS, "a repair": _REPAIRS}
"""Outcomes that a tenant would call the same thing: two figures for one of them need a word of explanation."""

_BARE_DAYS: Final = re.compile(r"\b(?:\d+|[a-z]+) days?\b", re.IGNORECASE)
_PRINTED: Final = re.compile(
    r"\b(?P<n>\d+|one|two|three|five|ten|twenty) (?P<working>working )?(?P<unit>day|hour|minute|month)s?\b"
)
_WORDS: Final = {"one": 1, "two": 2, "three": 3, "five": 5, "ten": 10, "twenty": 20}
_UNITS: Final = {
    "after": "working day", "incl": "working day", "days": "day", "days_incl": "day", "hours": "hour", "minutes": "minute",
    "month": "month", "month_hard": "month",
}  # fmt: skip


def lint(policy: Policy, today: date) -> tuple[Finding, ...]:
    """Everything to be said about the policy on this day, errors first, then in the order of the file."""
    found: list[Finding] = []
    for check in (_sources, _figures, _contradictions, _readings, _unverified, _facts, _calendar, _in_force):
        found.extend(check(policy, today))
    rank = list(Severity)
    return tuple(sorted(found, key=lambda finding: (rank.index(finding.severity), finding.line, finding.code)))


def _sources(policy: Policy, today: date) -> Iterator[Finding]:
    for source in policy.sources.values():
        line = policy.lines.get(f"sources.{source.letter}", 1)
        if source.review_due and source.review_due < today:
            text = f"{source.title}: its review was due on {source.review_due} and has not been recorded"
            yield Finding(Severity.WARNING, "review-overdue", text, line)
        if source.unverified:
            yield Finding(Severity.WARNING, "source-unverified", f"{source.title}: {source.unverified}", line)


def _figures(policy: Policy, today: date) -> Iterator[Finding]:
    """What a document prints against what is kept."""
    repealed = {law.title: law for law in policy.repealed}
    for rule in policy.commitments.values():
        printed = rule.printed or ""
        dead = repealed.get(rule.printed_law or "")
        if dead:
            text = f"{rule.id}: {rule.clause.split(' ')[0]} cites the {dead.title}, which is repealed; {dead.replaced_by} holds"
            yield _about(policy, rule, Severity.WARNING, "dead-law", f"{text} ({rule.figure} instead of {printed!r})")
        if _BARE_DAYS.search(printed) and "working" not in printed and "calendar" not in printed:
            text = f"{rule.id}: {printed!r} does not say working or calendar days; kept as {rule.figure}"
            yield _about(policy, rule, Severity.WARNING, "unit-missing", text)
        if (figure := _printed_figure(printed)) and figure != (rule.n, _UNITS[rule.mode]) and not dead:
            severity = Severity.NOTE if rule.law or rule.note else Severity.ERROR
            text = f"{rule.id}: printed {printed!r}, kept as {rule.figure}: {rule.law or rule.note or 'no reason is given'}"
            yield _about(policy, rule, severity, "figure-differs", text)
        if rule.fallback:
            text = f"{rule.id}: the association names no figure; {rule.figure} is taken from: {rule.fallback}"
            yield _about(policy, rule, Severity.NOTE, "fallback", text)


def _printed_figure(printed: str) -> tuple[int, str] | None:
    match = _PRINTED.search(printed.lower())
    if not match:
        return None
    number = match["n"]
    unit = ("working " if match["working"] else "") + match["unit"]
    return (_WORDS.get(number) or int(number), unit)


def _contradictions(policy: Policy, today: date) -> Iterator[Finding]:
    """Two figures for the same thing in the same case, unless a reading says how they go together."""
    for first, second, family in _at_odds(policy):
        if not any(r.reconciles and {first.id, second.id} <= r.commitments for r in policy.readings):
            pair = f"{first.id} ({first.figure}) and {second.id} ({second.figure})"
            text = f"{pair} promise {family} in the same case, and no reading says how they go together"
            yield _about(policy, second, Severity.ERROR, "contradiction", text, first)


def _at_odds(policy: Policy) -> Iterator[tuple[Commitment, Commitment, str]]:
    opening = [rule for rule in policy.commitments.values() if rule.event is None]
    for first, second in combinations(opening, 2):
        family = _same_thing(first, second)
        if family and (first.n, first.mode) != (second.n, second.mode) and _same_case(policy, first, second):
            yield first, second, family


def _same_thing(first: Commitment, second: Commitment) -> str | None:
    return next((name for name, family in _FAMILIES.items() if {first.met_by, second.met_by} <= family), None)


def _same_case(policy: Policy, first: Commitment, second: Commitment) -> bool:
    pairs = [(a, b) for a in first.applies for b in second.applies if a.overlaps(b)]
    # Right to Repair clocks name days, others name categories or nothing: some category must have both.
    return any(
        limit.qualifying_days is None
        or any(r.qualifying_days == limit.qualifying_days for r in policy.repairs.values())
        for pair in pairs
        for limit in pair
    )


def _readings(policy: Policy, today: date) -> Iterator[Finding]:
    at_odds = [{first.id, second.id} for first, second, _ in _at_odds(policy)]
    for reading in policy.readings:
        severity, ending = (Severity.WARNING, "; to be confirmed") if reading.open else (Severity.NOTE, "")
        named = {name for pair in at_odds if pair <= reading.commitments for name in pair if reading.reconciles}
        figures = ", ".join(f"{rule.id} {rule.figure}" for rule in policy.commitments.values() if rule.id in named)
        text = f"{reading.issue}{f' [{figures}]' if figures else ''}. Read as: {reading.resolution}{ending}"
        code = "contradiction" if figures else "reading"
        yield Finding(severity, code, text, _line(policy, reading), tuple(sorted(reading.commitments)))


def _unverified(policy: Policy, today: date) -> Iterator[Finding]:
    reasons: dict[str, list[Commitment]] = {}
    for rule in policy.commitments.values():
        if rule.unverified:
            reasons.setdefault(rule.unverified, []).append(rule)
    for reason, rules in reasons.items():
        names = tuple(rule.id for rule in rules)
        line = policy.lines.get(f"commitments.{names[0]}", 1)
        yield Finding(Severity.WARNING, "unverified", f"{reason}: {', '.join(names)}", line, names)
    lists: dict[str, list[str]] = {}
    for category, repair in policy.repairs.items():
        if repair.unverified:
            lists.setdefault(repair.unverified, []).append(category)
    for reason, categories in lists.items():
        line = policy.lines.get(f"repairs.{categories[0]}", 1)
        text = f"priority of {', '.join(categories)} to be confirmed: {reason}"
        yield Finding(Severity.WARNING, "repairs-unverified", text, line)


def _facts(policy: Policy, today: date) -> Iterator[Finding]:
    phones = (("emergency", policy.emergency_phone), ("office", policy.office_phone))
    for name, phone in phones:
        line = policy.lines.get(f"phones.{name}", 1)
        if phone is None:
            text = f"no {name} number is known: tenants are not given one"
            yield Finding(Severity.WARNING, "phone-missing", text, line)
        elif not phone.verified:
            text = f"the {name} number {phone.number} is unverified ({phone.source}): tenants are not given it"
            yield Finding(Severity.WARNING, "phone-unverified", text, line)
    if policy.hours_unverified:
        line = policy.lines.get("calendar.hours_unverified", 1)
        yield Finding(Severity.WARNING, "hours-unverified", f"opening hours: {policy.hours_unverified}", line)
    if policy.privacy_url is None:
        text = "no verified privacy notice: the first message cannot link to one"
        yield Finding(Severity.WARNING, "link-missing", text, policy.lines.get("links.privacy", 1))
    line = policy.lines.get("complaints", 1)
    if policy.complaint_handler is None:
        yield Finding(Severity.WARNING, "handler-missing", "complaints: no handler is named", line)
    for who, contact in (("ombudsman", policy.ombudsman), ("advocacy", policy.advocacy)):
        if not contact.verified:
            text = f"complaints: {contact.name}, {contact.phone} is unverified ({contact.source})"
            yield Finding(Severity.WARNING, "contact-unverified", text, policy.lines.get(f"complaints.{who}", line))


def _calendar(policy: Policy, today: date) -> Iterator[Finding]:
    line = policy.lines.get("calendar.years", 1)
    last = policy.calendar.years[-1]
    if today.year not in policy.calendar.years:
        text = f"the calendar does not cover {today.year}: no date can be worked out"
        yield Finding(Severity.ERROR, "calendar-ends", text, line)
    elif last <= today.year:
        text = f"the calendar ends with {last}: dates that reach into {last + 1} cannot be worked out"
        yield Finding(Severity.ERROR, "calendar-ends", text, line)
    # Next year's closures are to be in by 1 October, before promises reach into it.
    wanted = [today.year, *([today.year + 1] if today.month >= 10 else [])]
    line = policy.lines.get("calendar.confirmed", line)
    for year in wanted:
        if year not in policy.confirmed_years:
            text = f"closures of {year} are not confirmed: only statutory days are left out"
            yield Finding(Severity.WARNING, "closures-unconfirmed", text, line)


def _in_force(policy: Policy, today: date) -> Iterator[Finding]:
    for rule in policy.commitments.values():
        if rule.effective_from and today < rule.effective_from:
            text = f"{rule.id}: in force only from {rule.effective_from}"
            yield _about(policy, rule, Severity.NOTE, "not-yet-in-force", text)
        elif not rule.in_force(today):
            text = f"{rule.id}: ended on {rule.effective_until}"
            yield _about(policy, rule, Severity.WARNING, "no-longer-in-force", text)
        if rule.status != "kept":
            yield _about(policy, rule, Severity.NOTE, "no-clock", f"{rule.id}: {rule.status}, no clock runs")


def _about(policy: Policy, rule: Commitment, severity: Severity, code: str, text: str, *others: Commitment) -> Finding:
    line = policy.lines.get(f"commitments.{rule.id}", 1)
    return Finding(severity, code, text, line, _ids((rule, *others)))


def _ids(rules: Iterable[Commitment]) -> tuple[str, ...]:
    return tuple(sorted(rule.id for rule in rules))


def _line(policy: Policy, reading: Reading) -> int:
    return policy.lines.get(f"readings.{policy.readings.index(reading)}", 1)
