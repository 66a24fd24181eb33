"""`doorstep policy show | lint | explain`: what is promised, what is wrong with it, and why a date is what it is."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot.sla import Commitment, Explanation, Policy, SlaError, load_policy, shipped_policies
from bot.sla.calendar import ZONE
from bot.sla.lint import Finding, Severity, lint
from bot.sla.policy import in_words, start_in_words
from bot.sla.qualities import STATUSES, Row, trace
from bot.wallclock import SystemClock

_PIPED_WIDTH: Final = 230
"""A pipe has no edge to wrap at: one commitment a line, so that grep works."""
_ROOM_FOR_A_TABLE: Final = 150
"""On a narrower screen each commitment is told in a few short lines instead of columns."""
_LABEL_WIDTH: Final = 40
_PAGE: Final = """\
# Policy traceability

Every commitment and every other sentence of the shipped policies: where it stands, what meets it, what the tenant is
told and when, what is kept as evidence, and what becomes of it. Made by `doorstep policy show --markdown`; a test fails
when this page is not up to date, when a sentence of a document is not listed, and when something is called kept that no
test shows.

- `kept`: Doorstep keeps it, and the named test shows it.
- `recorded`: no clock, but what is needed to show it is stored.
- `off-channel`: no message can keep it.
- `planned`: not yet, and why.

Where the law has a figure beside the policy's, both clocks run and are shown; the earliest leads.
"""


def add_parser(subparsers: Any) -> None:
    """Add `policy` to the command's subparsers; the chosen action is `args.run(args)`."""
    parser = subparsers.add_parser(
        "policy",
        help="the commitments, what is wrong with them, and why a date is what it is",
        description="What an association promises, as its policy file has it (docs/policy.md).",
    )
    actions = parser.add_subparsers(dest="policy_action", metavar="show|lint|explain", required=True)

    show = actions.add_parser(
        "show", help="every commitment and every other sentence of the policy, and what becomes of it"
    )
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    form.add_argument("--markdown", action="store_true", help="docs/policy-traceability.md, for every shipped policy")

    check = actions.add_parser("lint", help="contradictions and gaps in the policy data; exit 1 if one is an error")
    check.add_argument("--on", type=_day, metavar="DATE", help="the day to judge by (default: today)")
    check.add_argument("--json", action="store_true", help="one JSON document instead of lines")

    explain = actions.add_parser("explain", help="when a commitment falls due, and every day skipped with its reason")
    explain.add_argument(
        "--commitment", required=True, metavar="ID", help="such as text_response; `policy show` lists them"
    )
    explain.add_argument(
        "--received",
        required=True,
        type=_moment,
        metavar="TIME",
        help="the starting event, such as 2026-12-24T18:30; local time unless it has an offset",
    )
    explain.add_argument("--json", action="store_true", help="the public JSON form")

    for action in (show, check, explain):
        action.add_argument(
            "--policy",
            metavar="NAME|PATH",
            help=f"{', '.join(shipped_policies())}, or a policy file (default: DOORSTEP_POLICY, else berwickshire)",
        )
        action.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Carry out the chosen action. 0 if all is well, 1 for a refused policy, commitment or date, or a lint error."""
    try:
        policy = load_policy(args.policy or configured_policy(os.environ, Path(".env")))
        if args.policy_action == "show" and args.markdown:
            print(traceability_page(), end="")
            return 0
        if args.policy_action == "show":
            return _show(policy, as_json=args.json)
        if args.policy_action == "lint":
            return _lint(policy, args.on or SystemClock().now().astimezone(ZONE).date(), as_json=args.json)
        return _explain(policy, policy.explain(args.commitment, args.received), as_json=args.json)
    except SlaError as error:
        print(error, file=sys.stderr)
        return 1


# --- show


def _show(policy: Policy, *, as_json: bool) -> int:
    rows = trace(policy)
    if as_json:
        _print_json(
            {
                "policy": policy.id,
                "name": policy.name,
                "version": policy.version,
                "commitments": [
                    _commitment_json(rule) | _row_json(row)
                    for rule, row in zip(policy.commitments.values(), rows, strict=False)
                ],
                "qualities": [
                    {"id": row.id, "clause": row.clause, "asks": row.asks, "how": row.met_by} | _row_json(row)
                    for row in rows[len(policy.commitments) :]
                ],
            }
        )
        return 0
    console = _console()
    console.print(Text(f"{policy.name} ({policy.id}, version {policy.version})", style="bold"))
    for source in policy.sources.values():
        reviewed = f", reviewed {source.reviewed}" if source.reviewed else ""
        due = f", review due {source.review_due}" if source.review_due else ""
        console.print(Text(f"  {source.letter}: {source.title}{reviewed}{due}"))
    console.print(Text(f"Open {policy.hours_in_words()}{' (unverified)' if policy.hours_unverified else ''}"))
    if console.width < _ROOM_FOR_A_TABLE:
        _show_narrow(console, policy, rows)
        return 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Commitment", no_wrap=True)
    table.add_column("Promise", overflow="fold")
    table.add_column("Figure", no_wrap=True)
    table.add_column("Counted", overflow="fold")
    table.add_column("Clause", overflow="fold")
    table.add_column("Status", no_wrap=True)
    table.add_column("Unverified", overflow="fold", style="yellow")
    for rule, row in zip(policy.commitments.values(), rows, strict=False):
        cells = (
            rule.id,
            rule.title,
            rule.figure,
            rule.counting,
            rule.clause,
            _status(rule, row),
            rule.unverified or "",
        )
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    console.print(Text("What becomes of it", style="bold"))
    console.print(_fates(rows))
    return 0


def _show_narrow(console: Console, policy: Policy, rows: Sequence[Row]) -> None:
    timed = dict(zip(policy.commitments.values(), rows, strict=False))
    for rule, row in timed.items():
        console.print()
        console.print(Text(rule.id, style="bold"), Text(f"{rule.title}: {rule.figure}"))
        console.print(Padding(Text(f"{rule.counting}\n{rule.clause} · {_status(rule, row)}"), (0, 0, 0, 4)))
        if rule.unverified:
            console.print(Padding(Text(f"unverified: {rule.unverified}", style="yellow"), (0, 0, 0, 4)))
    for row in rows[len(timed) :]:
        console.print()
        console.print(Text(row.id, style="bold"), Text(row.asks))
        reason = f"\n{row.reason}" if row.reason else ""
        console.print(Padding(Text(f"{row.met_by}\n{row.clause} · {row.status}{reason}"), (0, 0, 0, 4)))


def _fates(rows: Sequence[Row]) -> Table:
    """Every commitment and every untimed sentence: what meets it, what tenants are told, what is kept, how it stands."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("Clause", overflow="fold", max_width=24)
    for column in ("Asked", "Met by", "Told", "Evidence"):
        table.add_column(column, overflow="fold")
    table.add_column("Status", overflow="fold")
    for row in rows:
        status = f"{row.status}: {row.reason}" if row.reason else row.status
        cells = (row.id, row.clause, row.asks, row.met_by, row.told or "", row.evidence, status)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _status(rule: Commitment, row: Row) -> str:
    return f"{row.status}, fallback" if rule.fallback else row.status


def _row_json(row: Row) -> dict[str, Any]:
    found = {"status": row.status, "told": row.told, "evidence": row.evidence, "tests": list(row.tests)}
    return found | ({"reason": row.reason} if row.reason else {})


def traceability_page() -> str:
    """docs/policy-traceability.md: every shipped policy, sentence by sentence."""
    lines = [_PAGE]
    for name in shipped_policies():
        policy = load_policy(name)
        rows = trace(policy)
        counts = ", ".join(f"{sum(row.status == status for row in rows)} {status}" for status in STATUSES)
        lines += [f"## {policy.name}", "", f"{len(rows)} rows: {counts}.", ""]
        titles = ("### Promises with a time", "### Everything else")
        for title, part in zip(titles, (rows[: len(policy.commitments)], rows[len(policy.commitments) :]), strict=True):
            lines += [title, "", *_markdown(part), ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown(rows: Sequence[Row]) -> list[str]:
    lines = ["| id | clause | asked | met by | told | evidence | status |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        asked = f"{row.asks} ({row.clock})" if row.clock else row.asks
        shown = [f"`{row.status}`" + (f": {row.reason}" if row.reason else "")]
        if row.status == "kept":
            shown += [f"`{test.rpartition('::')[2]}`" for test in row.tests]
        cells = (f"`{row.id}`", row.clause, asked, row.met_by, row.told or "", row.evidence, "<br>".join(shown))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _commitment_json(rule: Commitment) -> dict[str, Any]:
    optional = {
        "repeat": rule.repeat or None,
        "extension": "agreed" if rule.extension_agreed else rule.extension,
        "extension_months": rule.extension_months,
        "fallback": rule.fallback,
        "unverified": rule.unverified,
        "note": rule.note,
        "printed": rule.printed,
        "law": rule.law,
        "tenant_chooses": rule.tenant_chooses or None,
        "effective_from": rule.effective_from.isoformat() if rule.effective_from else None,
        "effective_until": rule.effective_until.isoformat() if rule.effective_until else None,
    }
    return {
        "id": rule.id,
        "title": rule.title,
        "n": rule.n,
        "mode": rule.mode,
        "start": rule.start,
        "hol": rule.hol,
        "met_by": rule.met_by,
        "clause": rule.clause,
        "status": rule.status,
        "figure": rule.figure,
        "counting": rule.counting,
    } | {key: value for key, value in optional.items() if value is not None}


# --- lint


def _lint(policy: Policy, today: date, *, as_json: bool) -> int:
    findings = lint(policy, today)
    if as_json:
        _print_json({"policy": policy.id, "on": today.isoformat(), "findings": [_finding_json(f) for f in findings]})
    else:
        for finding in findings:
            print(f"{policy.file}:{finding.line}: {finding.severity}: [{finding.code}] {finding.text}")
        counts = {severity: sum(f.severity is severity for f in findings) for severity in Severity}
        print(f"{policy.id}: " + ", ".join(f"{n} {severity}{'' if n == 1 else 's'}" for severity, n in counts.items()))
    return 1 if any(finding.severity is Severity.ERROR for finding in findings) else 0


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity.value,
        "code": finding.code,
        "line": finding.line,
        "commitments": list(finding.commitments),
        "text": finding.text,
    }


# --- explain


def _explain(policy: Policy, proof: Explanation, *, as_json: bool) -> int:
    if as_json:
        _print_json(proof.as_json())
        return 0
    rule = policy.commitments[proof.commitment]
    console = _console()
    console.print(Text(f"{rule.id}: {rule.title}", style="bold"))
    console.print(Text(f"{policy.name}, {proof.clause}"))
    console.print()
    rows = [
        (start_in_words(rule), in_words(proof.received)),
        ("Counts as received", in_words(proof.deemed_received)),
        ("Due", in_words(proof.due)),
    ]
    if rule.event:
        del rows[1]
    if proof.planned != proof.due:
        rows.append(("Plan to act by", in_words(proof.planned)))
    for label, words in rows:
        console.print(Text(f"{label + ':':<{_LABEL_WIDTH}}{words}"))
    console.print()
    console.print(Text("Why", style="bold"))
    for number, step in enumerate(proof.why, start=1):
        console.print(Text(f"{number:>3}. {step}"))
    return 0


# --- reading and printing


def configured_policy(environ: Mapping[str, str], env_file: Path) -> str:
    """The policy that the product would run with. Only this setting is read: showing a policy needs no other."""
    return environ.get("DOORSTEP_POLICY") or dotenv_values(env_file).get("DOORSTEP_POLICY") or "berwickshire"


def _moment(text: str) -> datetime:
    """A moment given on the command line: local time in Scotland unless it carries an offset."""
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            # A repeated autumn hour means the first one; a time that spring leaves out is shifted forward.
            moment = moment.replace(tzinfo=ZONE, fold=0)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a moment such as 2026-12-24T18:30") from error


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-12-24") from error


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPED_WIDTH)


def _print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2))
