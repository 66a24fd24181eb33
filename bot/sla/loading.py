"""Policy files (TOML) to `Policy`. Strict: one file that does not say everything, or says too much, is refused whole."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, Final, cast, get_args

from bot.messages import SERVICE_REQUESTS
from bot.sla.calendar import STATUTORY, WEEKDAYS, Calendar, Hol, Period, SpecialDay, StatutoryDay, statutory_days
from bot.sla.commitment import (
    CASE_KINDS,
    CATEGORIES,
    CHANNEL_CLASSES,
    CHANNELS,
    COMMITMENT_IDS,
    EVENTS,
    KINDS,
    MODES,
    OUTCOMES,
    PAUSES,
    PRIORITIES,
    REPAIR_CATEGORIES,
    STATUSES,
    STATUTE_IDS,
    WORKING_DAY_MODES,
    Applies,
    Commitment,
    Mode,
    Status,
)
from bot.sla.errors import PolicyError
from bot.sla.policy import (
    Complaints,
    Contact,
    Link,
    Phone,
    Policy,
    Reading,
    Repair,
    RepealedLaw,
    Rung,
    Source,
    Surveys,
    Team,
)
from bot.sla.toml_reader import Document, Table, nearest, read_document

SHIPPED: Final = Path(__file__).parent / "policies"
_STARTS: Final = frozenset({"deemed", "actual", *(f"event:{event}" for event in EVENTS)})
_ROUTES: Final = frozenset({"call", "text", "email", "webhook"})
_MAX_YEARS: Final = 100


def shipped_policies() -> tuple[str, ...]:
    """The names that `load_policy` knows without a path."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.toml")))


def load_policy(name_or_path: str | Path) -> Policy:
    """Load a shipped policy by name, or any policy file by path.

    Raises PolicyError with every fault of the file, each as `file:line: reason`.
    """
    text = str(name_or_path)
    if text in shipped_policies():
        return _read(read_document(SHIPPED / f"{text}.toml"))
    path = Path(text)
    if path.suffix == ".toml" or path.exists():
        return _read(read_document(path))
    known = ", ".join(shipped_policies())
    raise PolicyError(
        [f"{text}:1: no policy of that name (known: {known}) and no such file{nearest(text, shipped_policies())}"]
    )


def parse_policy(text: str, name: str = "policy.toml") -> Policy:
    """Load a policy from the text of a file; `name` stands in front of its faults."""
    return _read(Document(name, text))


def restore_policy(snapshot: str) -> Policy:
    """The policy that `Policy.snapshot` was taken of, with the statutory days that were known then: so the dates of last
    year are worked out again under the rules and the calendar of last year."""
    kept = json.loads(snapshot)
    document = Document("snapshot", "")
    document.data = _revive(kept["policy"])
    days = {date.fromisoformat(day): StatutoryDay(*named) for day, named in kept["statutory"].items()}
    return _read(document, days)


def _read(document: Document, statutory: Mapping[date, StatutoryDay] | None = None) -> Policy:
    root = document.root()
    about = root.table("association")
    facts: dict[str, Any] = {key: about.text(key) for key in ("id", "name", "short_name", "service_name")}
    facts["website"] = about.text_or_none("website")
    about.done()
    facts["sources"] = _sources(root)
    calendar = root.table("calendar")
    facts["hours_unverified"] = calendar.text_or_none("hours_unverified")
    facts["calendar"] = _calendar(calendar, statutory)
    facts["confirmed_years"] = frozenset(_years(calendar, "confirmed"))
    calendar.done()
    phones = root.table("phones", required=False)
    facts["office_phone"] = _phone(phones.table_or_none("office"))
    facts["emergency_phone"] = _phone(phones.table_or_none("emergency"))
    phones.done()
    links = root.table("links", required=False)
    facts["privacy"] = _link(links.table_or_none("privacy"))
    facts["complaints_page"] = _link(links.table_or_none("complaints"))
    links.done()
    facts["teams"] = _teams(root)
    facts["complaints"] = _complaints(root.table("complaints"))
    on_call = root.table("on_call")
    facts["ladder"] = _ladder(on_call)
    facts["emergency_routes"] = tuple(on_call.strings("routes", _ROUTES, required=True))
    on_call.done()
    facts["quiet_hours"] = _quiet_hours(root)
    facts["surveys"] = _surveys(root)
    letterhead = root.table("letterhead", required=False)
    facts["letterhead"] = tuple(letterhead.lines("address"))
    letterhead.text_or_none("source")
    letterhead.done()
    facts["channel_classes"] = _channel_classes(root.table("channel_classes"))
    facts["severities"] = _severities(root)
    facts["repairs"] = _repairs(root.table("repairs"))
    facts["commitments"] = _commitments(root.table("commitments"), facts["sources"])
    facts["readings"] = _readings(root, facts["commitments"])
    facts["repealed"] = _repealed(root)
    root.done()
    _check_cross_references(root, facts)
    document.finish()
    snapshot = _snapshot(document.data, facts["calendar"])
    version = hashlib.sha256(snapshot.encode()).hexdigest()[:12]
    policy = Policy(**facts, version=version, snapshot=snapshot, file=document.name, lines=document.places())
    _check_nothing_is_unanswered(document, policy)
    document.finish()
    return policy


# --- the calendar


def _calendar(table: Table, statutory: Mapping[date, StatutoryDay] | None) -> Calendar | None:
    """None once a fault was noted that leaves nothing to build."""
    faults = len(table.document.faults)
    years = _years(table, "years", required=True)
    span = range(0)
    if len(years) != 2 or not 1950 <= years[0] <= years[1] < years[0] + _MAX_YEARS or years[1] > 2100:
        table.fault("years", "calendar: years must be the first and the last year covered, such as [2026, 2030]")
    else:
        span = range(years[0], years[1] + 1)
    week_table = table.table("week")
    week = tuple(tuple(Period(*hours) for hours in week_table.periods(day.lower())) for day in WEEKDAYS)
    week_table.done()
    if not any(week):
        table.fault("week", "calendar: the office never opens")
    closed_on = frozenset(table.strings("closed_on", STATUTORY, required=True))
    days = dict(statutory) if statutory is not None else statutory_days(span)
    for change in table.tables("statutory"):
        _change_statutory(change, days, span)
    special: dict[date, SpecialDay] = {}
    for item in table.tables("days"):
        _special_day(item, special, span)
    if len(table.document.faults) > faults:
        return None
    return Calendar(years=span, week=week, statutory=days, closed_on=closed_on, special=special)


def _years(table: Table, key: str, *, required: bool = False) -> list[int]:
    values = table.items(key, required=required)
    if all(type(value) is int for value in values):
        return values
    table.fault(key, f"{table.label}: {key} must hold years such as 2026")
    return []


def _change_statutory(table: Table, days: dict[date, StatutoryDay], span: range) -> None:
    day = table.day_or_none("date", required=True)
    name = table.text_or_none("name")
    dropped = table.flag("dropped", default=False)
    table.done()
    if day is None:
        return
    if day.year not in span:
        table.fault("date", f"{table.label}: {day} is in a year that the calendar does not cover")
    elif dropped:
        days.pop(day, None)
    elif name is None:
        table.fault(None, f"{table.label}: say the day's name, or dropped = true")
    else:
        days[day] = StatutoryDay("one_off", name)


def _special_day(table: Table, special: dict[date, SpecialDay], span: range) -> None:
    first = table.day_or_none("date", required=True)
    last = table.day_or_none("until") or first
    periods = tuple(Period(*hours) for hours in table.periods("hours"))
    reason = table.text("reason")
    table.done()
    if first is None or last is None:
        return
    if last < first:
        table.fault("until", f"{table.label}: until {last} is before {first}")
    elif first.year not in span or last.year not in span:
        table.fault("date", f"{table.label}: {first} is in a year that the calendar does not cover")
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        if day in special:
            table.fault("date", f"{table.label}: {day} is named twice")
        special[day] = SpecialDay(periods, reason)


def _quiet_hours(root: Table) -> tuple[time, time] | None:
    table = root.table_or_none("quiet_hours")
    if table is None:
        return None
    span = _span(table)
    table.done()
    return span


def _surveys(root: Table) -> Surveys | None:
    table = root.table_or_none("surveys")
    if table is None:
        return None
    span = _span(table)
    days = {name: table.integer(name) for name in ("days_between", "days_to_answer", "remind_after_days")}
    table.text_or_none("note")
    table.done()
    if span is None:
        return None
    if not (span[0] < span[1] and days["days_between"] > 0 and days["days_to_answer"] > 0 <= days["remind_after_days"]):
        table.fault(
            None, "surveys: the hours must be from earlier to later, the days 1 or more (remind_after_days: or 0)"
        )
    return Surveys(span, **days)


def _span(table: Table) -> tuple[time, time] | None:
    found = []
    for key in ("from", "to"):
        text = table.text(key)
        try:
            found.append(time.fromisoformat(text))
        except ValueError:
            table.fault(key, f"{table.label}: {text!r} is not a time such as 21:00")
    return (found[0], found[1]) if len(found) == 2 else None


# --- the association


def _sources(root: Table) -> dict[str, Source]:
    found = {}
    table = root.table("sources")
    for letter in table.keys:
        source = table.table(letter)
        found[letter] = Source(
            letter=letter,
            title=source.text("title"),
            reviewed=source.day_or_none("reviewed"),
            review_due=source.day_or_none("review_due"),
            unverified=source.text_or_none("unverified"),
        )
        source.done()
    return found


def _phone(table: Table | None) -> Phone | None:
    if table is None:
        return None
    phone = Phone(table.text("number"), table.text("label"), table.flag("verified"), table.text("source"))
    digits = phone.number.replace(" ", "")
    if phone.number and not (digits.removeprefix("+").isdigit() and 3 <= len(digits) <= 16):
        table.fault("number", f"{table.label}: {phone.number!r} is not a telephone number")
    table.done()
    return phone


def _link(table: Table | None) -> Link | None:
    if table is None:
        return None
    link = Link(table.text("url"), table.flag("verified"), table.text("source"))
    if link.url and not link.url.startswith("https://"):
        table.fault("url", f"{table.label}: url must start with https://")
    table.done()
    return link


def _teams(root: Table) -> tuple[tuple[Team, frozenset[str]], ...]:
    found = []
    for table in root.tables("teams", required=True):
        team = Team(table.text("name"), table.text("label"), _phone(table.table_or_none("phone")))
        found.append((team, frozenset(table.strings("handles", CASE_KINDS | CATEGORIES, required=True))))
        table.done()
    if not found:
        root.fault(None, "teams: at least one team must have the cases")
    return tuple(found)


def _complaints(table: Table) -> Complaints:
    complaints = Complaints(
        ombudsman=_contact(table.table("ombudsman")),
        advocacy=_contact(table.table("advocacy")),
        handler=table.text_or_none("handler"),
        stage2_within_months=table.integer("stage2_within_months"),
        stage2_after_decision_months=table.integer("stage2_after_decision_months"),
        ombudsman_within_months=table.integer("ombudsman_within_months"),
        ombudsman_post=table.text_or_none("ombudsman_post"),
    )
    table.done()
    return complaints


def _contact(table: Table) -> Contact:
    contact = Contact(
        name=table.text("name"),
        phone=table.text("phone"),
        url=table.text_or_none("url"),
        verified=table.flag("verified"),
        source=table.text("source"),
    )
    table.done()
    return contact


def _ladder(table: Table) -> tuple[Rung, ...]:
    rungs: list[Rung] = []
    for item in table.tables("rungs", required=True):
        rung = _rung(item)
        item.done()
        if rungs and rung.until_minutes <= rungs[-1].until_minutes:
            item.fault("until_minutes", "on_call: each rung must have longer than the one before")
        rungs.append(rung)
    if not rungs:
        table.fault("rungs", "on_call: an emergency needs someone to alert")
    return tuple(rungs)


def _rung(item: Table) -> Rung:
    rung = Rung(
        name=item.text("name"),
        until_minutes=item.integer("until_minutes"),
        call=item.text_or_none("call"),
        text=item.text_or_none("text"),
        email=item.text_or_none("email"),
        verified=item.flag("verified", default=False),
        source=item.text_or_none("source") or "",
        may_authorise=item.flag("may_authorise", default=False),
    )
    for route in ("call", "text"):
        number = rung.addresses.get(route)
        if number is not None and not re.fullmatch(r"\+[1-9]\d{6,14}", number.replace(" ", "")):
            item.fault(
                route, f"on_call: {number!r} is not a telephone number in its international form, such as +44 1361 ..."
            )
    if rung.email is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", rung.email):
        item.fault("email", f"on_call: {rung.email!r} is not an email address")
    if rung.verified and not rung.source:
        item.fault("verified", "on_call: a verified rung needs the source that it was checked against")
    return rung


def _channel_classes(table: Table) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in sorted(CHANNEL_CLASSES):
        for channel in table.strings(name, CHANNELS, required=True):
            if channel in found:
                table.fault(name, f"channel_classes: {channel} is both {found[channel]} and {name}")
            found[channel] = name
    table.done()
    for channel in sorted(CHANNELS - found.keys()):
        table.fault(None, f"channel_classes: {channel} has no class")
    return found


def _severities(root: Table) -> dict[str, str]:
    table = root.table("severities", required=False)
    found = {}
    for category in table.keys:
        if category not in CATEGORIES:
            table.fault(category, f"severities: unknown category {category!r}{nearest(category, CATEGORIES)}")
        found[category] = table.text(category)
    return found


def _repairs(table: Table) -> dict[str, Repair]:
    found = {}
    for category in table.keys:
        if category not in REPAIR_CATEGORIES:
            table.fault(category, f"repairs: unknown category {category!r}{nearest(category, REPAIR_CATEGORIES)}")
        item = table.table(category)
        found[category] = Repair(
            priority=item.choice("priority", PRIORITIES),
            qualifying_days=item.integer_or_none("qualifying_days"),
            unless=_unless(item),
            condition=item.text_or_none("condition"),
            unverified=item.text_or_none("unverified"),
        )
        item.done()
    for category in sorted(REPAIR_CATEGORIES - found.keys()):
        table.fault(None, f"repairs: {category} is missing")
    return found


def _unless(table: Table) -> dict[str, str]:
    answers = table.table("unless", required=False)
    if answers.keys and "qualifying_days" not in table:
        table.fault("unless", f"{table.label}: unless takes away qualifying_days, and there are none")
    return {question: answers.text(question) for question in answers.keys}


# --- commitments


def _commitments(table: Table, sources: Mapping[str, Source]) -> dict[str, Commitment]:
    found = {}
    for name in table.keys:
        if name not in COMMITMENT_IDS:
            table.fault(name, f"commitments: unknown id {name!r}{nearest(name, COMMITMENT_IDS)}")
        found[name] = _commitment(name, table.table(name), sources)
    for name in sorted(STATUTE_IDS - found.keys()):
        table.fault(None, f"commitments: {name} is missing, and the law asks for it")
    return found


def _commitment(name: str, table: Table, sources: Mapping[str, Source]) -> Commitment:
    hol = table.choice("hol", get_args(Hol)) if "hol" in table else None
    extension, agreed = _extension(table)
    commitment = Commitment(
        id=name,
        title=table.text("title"),
        n=table.integer("n"),
        mode=cast(Mode, table.choice("mode", MODES)),
        start=table.choice("start", _STARTS),
        applies=tuple(_applies(item) for item in table.tables("applies", required=True)),
        met_by=table.choice("met_by", OUTCOMES),
        clause=table.text("clause"),
        hol=cast("Hol | None", hol),
        repeat=table.flag("repeat", default=False),
        status=cast(Status, table.choice("status", STATUSES, default="kept")),
        extension=extension,
        extension_months=table.integer_or_none("extension_months"),
        extension_agreed=agreed,
        tenant_chooses=table.flag("tenant_chooses", default=False),
        while_open=table.flag("while_open", default=False),
        pauses=frozenset(table.strings("pauses", PAUSES.keys())),
        fallback=table.text_or_none("fallback"),
        unverified=table.text_or_none("unverified"),
        note=table.text_or_none("note"),
        printed=table.text_or_none("printed"),
        printed_law=table.text_or_none("printed_law"),
        law=table.text_or_none("law"),
        effective_from=table.day_or_none("effective_from"),
        effective_until=table.day_or_none("effective_until"),
    )
    table.done()
    _check_commitment(commitment, table, sources)
    return commitment


def _extension(table: Table) -> tuple[int | None, bool]:
    if "extension" not in table:
        return None, False
    if isinstance(table.peek("extension"), str):
        return None, bool(table.choice("extension", {"agreed"}))
    return table.integer_or_none("extension"), False


def _applies(table: Table) -> Applies:
    applies = Applies(
        kinds=frozenset(table.strings("kinds", KINDS)),
        categories=frozenset(table.strings("categories", CATEGORIES)),
        priorities=frozenset(table.strings("priorities", PRIORITIES)),
        channels=frozenset(table.strings("channels", CHANNEL_CLASSES)),
        severities=frozenset(table.strings("severities")),
        stage=table.integer_or_none("stage"),
        qualifying_days=table.integer_or_none("qualifying_days"),
    )
    table.done()
    return applies


def _check_commitment(commitment: Commitment, table: Table, sources: Mapping[str, Source]) -> None:
    label = table.label
    if not commitment.applies:
        table.fault("applies", f"{label}: applies is empty: say to what, or [{{}}] for anything")
    if commitment.mode in WORKING_DAY_MODES and commitment.hol is None:
        table.fault("mode", f'{label}: mode {commitment.mode} leaves days out: hol must say which ("org" or "stat")')
    if commitment.mode in {"hours", "minutes", "days", "days_incl"} and commitment.hol is not None:
        table.fault("hol", f"{label}: mode {commitment.mode} leaves no day out, so hol means nothing")
    if commitment.repeat and commitment.event is None:
        table.fault("repeat", f"{label}: only a clock that starts on an event can repeat")
    if commitment.extension is not None and commitment.extension_months is not None:
        table.fault("extension", f"{label}: extension and extension_months exclude each other")
    if commitment.extension_months is not None and commitment.mode != "month":
        table.fault("extension_months", f"{label}: only a clock in months can be extended by months")
    if commitment.tenant_chooses and (commitment.mode in {"hours", "minutes"} or commitment.repeat):
        table.fault("tenant_chooses", f"{label}: nobody chooses a later day for what is counted in hours, or repeats")
    letter = commitment.clause.split(":")[0].split(" ")[0]
    if commitment.clause and letter not in sources:
        table.fault("clause", f"{label}: clause {commitment.clause!r} does not begin with a letter of [sources]")
    if (
        commitment.effective_from
        and commitment.effective_until
        and commitment.effective_until < commitment.effective_from
    ):
        table.fault("effective_until", f"{label}: ends before it begins")


# --- the association's readings of its own documents


def _readings(root: Table, commitments: Mapping[str, Commitment]) -> tuple[Reading, ...]:
    found = []
    for table in root.tables("readings"):
        found.append(
            Reading(
                id=table.text("id"),
                issue=table.text("issue"),
                resolution=table.text("resolution"),
                commitments=frozenset(table.strings("commitments", commitments)),
                open=table.flag("open", default=False),
                reconciles=table.flag("reconciles", default=False),
            )
        )
        table.done()
    return tuple(found)


def _repealed(root: Table) -> tuple[RepealedLaw, ...]:
    found = []
    for table in root.tables("repealed"):
        found.append(RepealedLaw(table.text("title"), table.text("replaced_by")))
        table.done()
    return tuple(found)


# --- what only the whole file shows


def _check_cross_references(root: Table, facts: Mapping[str, Any]) -> None:
    commitments: Mapping[str, Commitment] = facts["commitments"]
    promised = {a.qualifying_days for c in commitments.values() for a in c.applies if a.qualifying_days is not None}
    for category, repair in facts["repairs"].items():
        if repair.qualifying_days is not None and repair.qualifying_days not in promised:
            root.document.fault(
                ("repairs", category),
                f"repairs.{category}: no commitment is for repairs with {repair.qualifying_days} qualifying days",
            )
    graded = {(category, grade) for category, grade in facts["severities"].items()}
    known = {
        (cat, grade) for c in commitments.values() for a in c.applies for cat in a.categories for grade in a.severities
    }
    for category, grade in sorted(graded - known):
        root.document.fault(("severities", category), f"severities: no commitment is for {category} of grade {grade!r}")


def _check_nothing_is_unanswered(document: Document, policy: Policy) -> None:
    """Whatever a tenant can ask for, on whatever kind of channel, some clock must start."""
    cases = [("repair", "other", priority) for priority in sorted(PRIORITIES)]
    cases += [("complaint", "general", "routine"), ("enquiry", "general", "routine")]
    cases += [("service_request", category, "routine") for category in sorted(SERVICE_REQUESTS)]
    for kind, category, priority in cases:
        silent = [
            name
            for name in sorted(CHANNEL_CLASSES)
            if not policy.opening_commitments(kind=kind, category=category, priority=priority, channel_class=name)
        ]
        if silent:
            what = kind if category in {"general", "other"} else f"{kind} {category}"
            document.fault(
                ("commitments",), f"commitments: nothing is promised for {priority} {what} by {', '.join(silent)}"
            )


# --- snapshots


def _snapshot(data: Mapping[str, Any], calendar: Calendar) -> str:
    days = {day.isoformat(): [known.id, known.name] for day, known in sorted(calendar.statutory.items())}
    return json.dumps({"policy": _plain(data), "statutory": days}, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return {"date": value.isoformat()} if isinstance(value, date) else value


def _revive(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"date"} and isinstance(value["date"], str):
            return date.fromisoformat(value["date"])
        return {key: _revive(inner) for key, inner in value.items()}
    return [_revive(inner) for inner in value] if isinstance(value, list) else value
