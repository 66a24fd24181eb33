"""An association's policy as the rest of the product asks about it. Loaded by `bot.sla.loading`, never changed."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from bot.sla.calendar import WEEKDAYS, Calendar, Period, local
from bot.sla.commitment import EVENTS, Commitment
from bot.sla.counting import count
from bot.sla.errors import UnknownCommitment, YearNotCovered

_FIRST_YEAR: Final = 1900
_LAST_YEAR: Final = 2200
"""Beyond these no clock is explained, not even one that needs no calendar: such a date is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Phone:
    """A number that tenants may be given, but only if `verified`: somebody at the association stands by it."""

    number: str
    """As it is spoken and printed, with spaces."""
    label: str
    verified: bool
    source: str


@dataclass(frozen=True, slots=True)
class Link:
    """A page that tenants may be pointed to, only if `verified`."""

    url: str
    verified: bool
    source: str


@dataclass(frozen=True, slots=True)
class Team:
    """Who has a case. `label` is how tenants are told about them, such as `our repairs team`."""

    name: str
    label: str
    phone: Phone | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """An organisation outside the association that helps with complaints."""

    name: str
    phone: str
    url: str | None
    verified: bool
    source: str


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the on-call ladder: whoever it is has until `until_minutes` after the first alert to take the emergency;
    then the next rung is alerted, and after the last one the whole ladder again.

    The first rung is the 24-hour line: how it is reached is a setting of the installation and not part of the policy.
    """

    name: str
    until_minutes: int
    call: str | None = None
    text: str | None = None
    email: str | None = None
    verified: bool = False
    """Somebody has checked that these reach the right people. Until then nobody is told anything through them."""
    source: str = ""
    may_authorise: bool = False
    """Can be asked for an authorisation."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """How it can be reached: an address for each route."""
        given = {"call": self.call, "text": self.text, "email": self.email}
        return {route: address for route, address in given.items() if address}


@dataclass(frozen=True, slots=True)
class Repair:
    """How a category of repair is treated unless a person decides otherwise."""

    priority: str
    qualifying_days: int | None = None
    """Working days under the Right to Repair scheme; None if the category does not qualify."""
    unless: Mapping[str, str] = field(default_factory=dict)
    """Answers of the tenant, by question, any one of which means that it does not qualify after all."""
    condition: str | None = None
    """What must also be true for it to qualify, or to have this priority."""
    unverified: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A document that clauses refer to by its letter."""

    letter: str
    title: str
    reviewed: date | None
    review_due: date | None
    unverified: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A place where the documents are silent, ambiguous or at odds, and how this policy file reads them."""

    id: str
    issue: str
    resolution: str
    commitments: frozenset[str]
    open: bool
    """The association has yet to confirm it."""
    reconciles: bool
    """Says how different figures for the same thing in one case go together."""


@dataclass(frozen=True, slots=True)
class RepealedLaw:
    title: str
    replaced_by: str


@dataclass(frozen=True, slots=True)
class Complaints:
    """What the model complaints handling procedure has associations tell people."""

    ombudsman: Contact
    advocacy: Contact
    handler: str | None
    stage2_within_months: int
    stage2_after_decision_months: int
    ombudsman_within_months: int
    ombudsman_post: str | None


@dataclass(frozen=True, slots=True)
class Surveys:
    """How people are asked how a repair went. Every repair is asked about, several in one message where need be."""

    hours: tuple[time, time]
    """Local times between which the question is sent."""
    days_between: int
    """A person is asked once in so many days at most, and what is finished meanwhile is left out. 1: no repair is left out."""
    days_to_answer: int
    remind_after_days: int
    """Working days after which somebody who has not answered is asked once more; 0: never."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A date with its proof. Instants are aware UTC; `as_json` shows them in local time."""

    commitment: str
    policy: str
    version: str
    """The policy's version, so that the date can be worked out again under the rules that made it."""
    received: datetime
    deemed_received: datetime
    """When the clock starts: `received` itself where the commitment does not wait for the office to open."""
    due: datetime
    """The promise, or the law's limit. It never moves."""
    planned: datetime
    """When the association must act to keep it: the last closing time at or before `due`; `due` itself for elapsed time."""
    warn_from: datetime
    """From here on a tenant who will be let down has to be told: the last fifth of the period, two working days at most."""
    skipped: tuple[tuple[date, str], ...]
    counting: str
    clause: str
    why: tuple[str, ...]
    """The steps from `received` to `due`, one plain sentence each."""

    def as_json(self) -> dict[str, Any]:
        """The public form (`doorstep policy explain --json`)."""
        return {
            "commitment": self.commitment,
            "policy": self.policy,
            "received": _iso(self.received),
            "deemed_received": _iso(self.deemed_received),
            "due": _iso(self.due),
            "skipped": [{"date": day.isoformat(), "reason": reason} for day, reason in self.skipped],
            "counting": self.counting,
            "clause": self.clause,
        }


@dataclass(frozen=True)
class Policy:
    """Everything that differs between associations. `load_policy` makes one."""

    id: str
    name: str
    short_name: str
    service_name: str
    website: str | None
    version: str
    """Changes with any word of the file and with any statutory day: clocks point at it."""
    snapshot: str
    """The whole policy as JSON, statutory days included; `restore_policy` reads it back."""
    calendar: Calendar
    hours_unverified: str | None
    confirmed_years: frozenset[int]
    """Years whose local closures the association has confirmed."""
    commitments: Mapping[str, Commitment]
    sources: Mapping[str, Source]
    repairs: Mapping[str, Repair]
    severities: Mapping[str, str]
    """The grade a case gets while nobody has graded it, by category."""
    channel_classes: Mapping[str, str]
    teams: tuple[tuple[Team, frozenset[str]], ...]
    """Each team with the kinds and categories it handles; the first that fits has the case, the last takes the rest."""
    complaints: Complaints
    ladder: tuple[Rung, ...]
    emergency_routes: tuple[str, ...]
    """How the 24-hour line is tried, in order."""
    quiet_hours: tuple[time, time] | None
    """Local times between which nothing is sent that the tenant did not just ask for, emergencies excepted."""
    surveys: Surveys | None = None
    """None: nobody is asked how a repair went."""
    letterhead: tuple[str, ...] = ()
    """The association's postal address, line by line, for letters."""
    readings: tuple[Reading, ...] = ()
    repealed: tuple[RepealedLaw, ...] = ()
    office_phone: Phone | None = None
    emergency_phone: Phone | None = None
    privacy: Link | None = None
    complaints_page: Link | None = None
    file: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    """Where a part of the policy stands in its file, by dotted path such as `commitments.text_response`."""

    # --- facts

    @property
    def privacy_url(self) -> str | None:
        """The privacy notice, if the association stands by the address."""
        return self.privacy.url if self.privacy and self.privacy.verified else None

    @property
    def complaints_url(self) -> str | None:
        """The complaints page, if the association stands by the address."""
        return self.complaints_page.url if self.complaints_page and self.complaints_page.verified else None

    @property
    def ombudsman(self) -> Contact:
        return self.complaints.ombudsman

    @property
    def advocacy(self) -> Contact:
        return self.complaints.advocacy

    @property
    def complaint_handler(self) -> str | None:
        return self.complaints.handler

    def phone(self, instant: datetime) -> Phone | None:
        """Whom a tenant may ring now: the office while it is open, else the 24-hour line. Only a verified number is ever
        given; None where there is none."""
        if self.office_phone and self.office_phone.verified and self.calendar.is_open(instant):
            return self.office_phone
        return self.emergency_phone if self.emergency_phone and self.emergency_phone.verified else None

    def channel_class(self, channel: str) -> str:
        """`text`, `social`, `live`, `written` or `voicemail`. Raises KeyError for a channel that does not exist."""
        return self.channel_classes[channel]

    def priority(self, category: str) -> str:
        """`emergency`, `urgent` or `routine`. Raises KeyError for an unknown category."""
        return self.repairs[category].priority

    def qualifying_days(self, category: str, answers: Mapping[str, Any] | None = None) -> int | None:
        """Working days under the Right to Repair scheme; None if the category does not qualify or is no repair.

        `answers` are the tenant's, by question (`OpenCase.details`): one of them may say that it does not qualify.
        What nobody asked counts in the tenant's favour.
        """
        repair = self.repairs.get(category)
        if repair is None or any((answers or {}).get(asked) == said for asked, said in repair.unless.items()):
            return None
        return repair.qualifying_days

    def team(self, kind: str, category: str) -> Team:
        """Who has a case of this kind and category. A team named for the category comes before one named for the kind."""
        for wanted in (category, kind):
            for team, handles in self.teams:
                if wanted in handles:
                    return team
        return self.teams[-1][0]

    def hours_in_words(self) -> str:
        """The week's opening hours, such as `Monday to Friday, 9am to 5pm`."""
        groups: list[tuple[int, int, tuple[Period, ...]]] = []
        for day, periods in enumerate(self.calendar.week):
            if groups and groups[-1][1] == day - 1 and groups[-1][2] == periods:
                groups[-1] = (groups[-1][0], day, periods)
            elif periods:
                groups.append((day, day, periods))
        return "; ".join(f"{_days_in_words(first, last)}, {_periods_in_words(p)}" for first, last, p in groups)

    # --- commitments

    def opening_commitments(
        self,
        *,
        kind: str,
        category: str,
        priority: str = "routine",
        channel_class: str,
        severity: str | None = None,
        answers: Mapping[str, Any] | None = None,
        on: date | None = None,
    ) -> tuple[Commitment, ...]:
        """Every clock that starts when such a case is opened, in the file's order.

        `severity` is the grade of a graded category; without it the policy's default holds. `answers` are the tenant's
        (`OpenCase.details`). `on`, the day of receipt, leaves out commitments that were not in force on it.
        """
        grade = severity or self.severities.get(category)
        qualifying = self.qualifying_days(category, answers) if kind == "repair" else None
        return tuple(
            commitment
            for commitment in self.commitments.values()
            if commitment.event is None
            and commitment.status == "kept"
            and (on is None or commitment.in_force(on))
            and any(
                applies.matches(
                    kind=kind,
                    category=category,
                    priority=priority,
                    channel_class=channel_class,
                    severity=grade,
                    qualifying_days=qualifying,
                )
                for applies in commitment.applies
            )
        )

    def opening_clocks(
        self,
        *,
        kind: str,
        category: str,
        priority: str = "routine",
        channel_class: str,
        received: datetime,
        severity: str | None = None,
        answers: Mapping[str, Any] | None = None,
    ) -> tuple[Explanation, ...]:
        """The dates of `opening_commitments` for a case received at this instant, the strictest first: it leads. What is
        promised only while the office is open is left out when it is not."""
        is_open = self.calendar.is_open(received)
        opening = self.opening_commitments(
            kind=kind,
            category=category,
            priority=priority,
            channel_class=channel_class,
            severity=severity,
            answers=answers,
            on=local(received).date(),
        )
        promised = (self.explain(c.id, received) for c in opening if is_open or not c.while_open)
        return tuple(sorted(promised, key=lambda clock: clock.due))

    def commitment(self, commitment_id: str) -> Commitment:
        """Raises UnknownCommitment, which suggests the nearest id."""
        try:
            return self.commitments[commitment_id]
        except KeyError:
            near = difflib.get_close_matches(commitment_id, self.commitments, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(self.commitments))}"
            raise UnknownCommitment(f"{self.id} has no commitment {commitment_id!r}{hint}") from None

    def explain(self, commitment_id: str, received: datetime, *, extended: bool = False) -> Explanation:
        """When this commitment falls due, and why.

        `received` is the starting event: the moment of arrival, or the moment of the event for a commitment that starts
        on one. `extended` counts with the extension that the rule allows. Raises UnknownCommitment, YearNotCovered, and
        ValueError for a naive time or an extension that the rule does not give a figure for.
        """
        rule = self.commitment(commitment_id)
        if extended:
            rule = _extended(rule)
        if not _FIRST_YEAR <= received.year <= _LAST_YEAR:
            raise YearNotCovered(received.year, self.calendar.years[0], self.calendar.years[-1])
        received = local(received).astimezone(UTC)
        deemed = self.calendar.deemed_received(received) if rule.start == "deemed" else received
        counted = count(self.calendar, rule.n, rule.mode, rule.hol, received, deemed)
        planned = self._planned(rule, deemed, counted.due)
        return Explanation(
            commitment=rule.id,
            policy=self.id,
            version=self.version,
            received=received,
            deemed_received=deemed,
            due=counted.due,
            planned=planned,
            warn_from=self._warn_from(rule, deemed, counted.due),
            skipped=counted.skipped,
            counting=rule.counting,
            clause=rule.clause,
            why=tuple(self._why(rule, received, deemed, counted.first_day, counted.skipped, counted.due, planned)),
        )

    def put_off(self, proof: Explanation, until: datetime) -> Explanation:
        """The same promise with another end: when to act to keep it, and when to warn, are worked out anew."""
        rule = self.commitment(proof.commitment)
        return replace(
            proof, due=until, planned=self._planned(rule, proof.deemed_received, until),
            warn_from=self._warn_from(rule, proof.deemed_received, until),
        )  # fmt: skip

    def _planned(self, rule: Commitment, deemed: datetime, due: datetime) -> datetime:
        if rule.mode in {"hours", "minutes"}:
            return due
        day = local(due).date()
        first = local(deemed).date()
        while day >= first and day.year in self.calendar.years:
            if self.calendar.periods(day):
                closing = self.calendar.closing(day)
                return closing if deemed < closing <= due else due
            day -= timedelta(days=1)
        return due

    def _warn_from(self, rule: Commitment, deemed: datetime, due: datetime) -> datetime:
        fifth = due - (due - deemed) / 5
        if rule.mode in {"hours", "minutes"}:
            return fifth
        here = local(due)
        day, left = here.date(), 2
        while left and day.year in self.calendar.years and day > local(fifth).date():
            day -= timedelta(days=1)
            left -= day.year in self.calendar.years and self.calendar.works(day)
        if left:
            return fifth
        return max(fifth, datetime.combine(day, here.time(), here.tzinfo).astimezone(UTC))

    def _why(
        self,
        rule: Commitment,
        received: datetime,
        deemed: datetime,
        first_day: date | None,
        skipped: tuple[tuple[date, str], ...],
        due: datetime,
        planned: datetime,
    ) -> list[str]:
        why = [f"{start_in_words(rule)}: {in_words(received)}."]
        if rule.start == "deemed" and deemed != received:
            why.append(f"The office was closed then, so it counts as received when it next opens: {in_words(deemed)}.")
        elif rule.start == "deemed":
            why.append("The office was open then, so it counts as received at once.")
        elif not rule.event:
            why.append("This clock does not wait for the office to open: it runs from the moment of arrival.")
        why.append(f"Promised: {rule.figure} ({rule.clause}). Counted as {rule.counting}.")
        why.extend(_days_in_order(first_day, skipped))
        if (
            rule.effective_from
            and not rule.in_force(local(received).date())
            and local(received).date() < rule.effective_from
        ):
            why.append(f"Beware: this rule is in force only from {_day_in_words(rule.effective_from)}.")
        elif not rule.in_force(local(received).date()):
            why.append(f"Beware: this rule ended on {rule.effective_until}.")
        why.append(f"Due: {in_words(due)}.")
        if planned < due and local(planned).date() != local(due).date():
            why.append(f"The office is closed that day: plan to act by {in_words(planned)}. The due date stays.")
        if rule.law:
            why.append(f"Law: {rule.law}.")
        if rule.fallback:
            why.append(f"{self.short_name} names no figure of its own; this one is taken from: {rule.fallback}.")
        if rule.unverified:
            why.append(f"To be confirmed by {self.short_name}: {rule.unverified}.")
        why.append(f"Worked out under policy {self.id}, version {self.version}.")
        return why


def _days_in_order(first_day: date | None, skipped: tuple[tuple[date, str], ...]) -> list[str]:
    steps = [(day, f"{_day_in_words(day)} is left out: {reason}.") for day, reason in skipped]
    if first_day is not None:
        steps.append((first_day, f"Day 1 is {_day_in_words(first_day)}."))
    return [words for _, words in sorted(steps)]


def _extended(rule: Commitment) -> Commitment:
    if rule.extension is not None:
        return replace(rule, n=rule.n + rule.extension)
    if rule.extension_months is not None:
        return replace(rule, n=rule.n + rule.extension_months)
    if rule.extension_agreed:
        raise ValueError(f"{rule.id} is extended to a date that is agreed with the tenant, not by a figure")
    raise ValueError(f"{rule.id} cannot be extended")


_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def start_in_words(rule: Commitment) -> str:
    """What the moment given to `explain` is, such as `Received` or `The start of stage 2`."""
    return EVENTS[rule.event].capitalize() if rule.event else "Received"


def in_words(instant: datetime) -> str:
    """Such as `Tuesday 24 November 2026, 5pm`, in local time."""
    here = local(instant)
    return f"{_day_in_words(here.date())}, {clock_in_words(here.time())}"


def clock_in_words(clock: time) -> str:
    """Such as `9am`, `12:30pm`, `11:59:59pm`."""
    hour = clock.hour % 12 or 12
    minutes = f":{clock.minute:02}" if clock.minute or clock.second else ""
    seconds = f":{clock.second:02}" if clock.second else ""
    return f"{hour}{minutes}{seconds}{'am' if clock.hour < 12 else 'pm'}"


def _day_in_words(day: date) -> str:
    return f"{WEEKDAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def _days_in_words(first: int, last: int) -> str:
    if first == last:
        return WEEKDAYS[first]
    return f"{WEEKDAYS[first]} {'and' if last == first + 1 else 'to'} {WEEKDAYS[last]}"


def _periods_in_words(periods: tuple[Period, ...]) -> str:
    return " and ".join(f"{clock_in_words(p.opens)} to {clock_in_words(p.closes)}" for p in periods)


def _iso(instant: datetime) -> str:
    return local(instant).isoformat()
