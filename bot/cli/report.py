"""`doorstep report` and `doorstep evidence`: what was promised and kept, and the evidence of one case."""

import argparse
import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot import references
from bot import settings as settings_module
from bot.bootstrap import assemble
from bot.reports import Report, UnknownCase, evidence_pack, gather, pack_faults, page, public_page, write_csv
from bot.reports.page import hours, percent
from bot.sla import load_policy
from bot.sla.calendar import local
from bot.store import open_store, schema, seals
from bot.wallclock import SystemClock

_PIPED_WIDTH: Final = 160


def add_parser(subparsers: Any) -> None:
    report = subparsers.add_parser(
        "report",
        help="performance against the published targets",
        description="What was promised and kept, and the regulator's annual return (docs/performance.md).",
    )
    report.add_argument(
        "--from",
        dest="first",
        type=_day,
        metavar="DATE",
        help="first day (default: 1 April, when the regulator's year began)",
    )
    report.add_argument("--to", dest="last", type=_day, metavar="DATE", help="last day (default: today)")
    report.add_argument(
        "--format", choices=("table", "csv", "json", "html"), default="table", help="default: %(default)s"
    )
    report.add_argument(
        "--public", action="store_true", help="a page of targets and results to publish: HTML without cases"
    )
    report.add_argument("--out", type=Path, metavar="FILE", help="write to a file instead of the screen")
    report.set_defaults(run=run_report)

    evidence = subparsers.add_parser(
        "evidence",
        help="everything about one case as one file, with its proof",
        description="Messages, deliveries, clocks with their proof, what staff did, and the chain that proves it.",
    )
    what = evidence.add_mutually_exclusive_group(required=True)
    what.add_argument("reference", nargs="?", metavar="REFERENCE", help="the case, such as R-4K7M-2QX")
    what.add_argument("--check", type=Path, metavar="FILE", help="check the proof in a pack; needs no database")
    what.add_argument(
        "--chain", action="store_true", help="check the whole chain in the database, and print its newest seal"
    )
    evidence.add_argument("--out", type=Path, metavar="FILE", help="where to write the pack (default: REFERENCE.html)")
    evidence.set_defaults(run=run_evidence)


def run_report(args: argparse.Namespace) -> int:
    """Print or write the report. 2 if the days are the wrong way round."""
    now = SystemClock().now()
    last: date = args.last or local(now).date()
    first: date = args.first or date(last.year - (last < date(last.year, 4, 1)), 4, 1)
    if first > last:
        print(f"doorstep report: --from {first} is after --to {last}", file=sys.stderr)
        return 2
    settings = settings_module.load()
    policy = load_policy(settings.policy)
    store = open_store(settings.database_url)
    try:
        schema.check(store)
        report = store.run_now(lambda session: gather(session, policy, first, last, now=now))
    finally:
        store.close_now()
    form = "html" if args.public else args.format
    if args.out is not None:
        with args.out.open("w", encoding="utf-8", newline="") as file:
            _write(report, form, args.public, file)
        print(f"Written to {args.out}.")
    else:
        _write(report, form, args.public, sys.stdout)
    return 0


def run_evidence(args: argparse.Namespace) -> int:
    """Write a pack, or check one. 1 if a proof does not hold or there is no such case."""
    if args.check is not None:
        return _tell(pack_faults(args.check.read_text(encoding="utf-8")), "The proof holds: nothing in it was changed.")
    doorstep = assemble(settings_module.load(), SystemClock())
    try:
        if args.chain:
            faults, newest = doorstep.store.run_now(lambda session: (seals.check(session), seals.head(session)))
            told = (
                f"Seal {newest['number']} of {newest['at']}: {newest['hash']}" if newest else "Nothing is sealed yet."
            )
            return _tell(faults, f"The chain holds. {told}")
        reference = references.read(args.reference) or args.reference
        text = doorstep.store.run_now(
            lambda session: evidence_pack(session, doorstep.office, reference, now=doorstep.wall_clock.now())
        )
    except UnknownCase as error:
        print(f"doorstep evidence: {error}", file=sys.stderr)
        return 1
    finally:
        doorstep.store.close_now()
    out: Path = args.out or Path(f"{reference}.html")
    out.write_text(text, encoding="utf-8")
    print(f"Written to {out}.")
    return _tell(pack_faults(text), "Its proof holds.")


def _tell(faults: list[str], well: str) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(well)
    return 1 if faults else 0


# --- the four formats


def _write(report: Report, form: str, public: bool, file: Any) -> None:
    if form == "html":
        file.write(public_page(report) if public else page(report))
    elif form == "json":
        file.write(json.dumps(report.as_json(), ensure_ascii=False, indent=2) + "\n")
    elif form == "csv":
        write_csv(report, file)
    else:
        _table(report, file)


def _table(report: Report, file: Any) -> None:
    screen = Console(file=file, highlight=False)
    if not screen.is_terminal:
        screen = Console(file=file, highlight=False, width=_PIPED_WIDTH)
    performance = report.performance
    screen.print(Text(f"{report.policy.name}: {performance.first} to {performance.last}", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Promise", overflow="fold")
    table.add_column("Target", no_wrap=True)
    for column in ("Due", "Kept", "Told", "Silent", "Share", "Later"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in performance.results:
        figures = (each.due, len(each.kept), len(each.told), len(each.silent))
        table.add_row(
            report.title(each.commitment),
            report.figure(each.commitment),
            *(str(n) for n in figures),
            percent(each.share),
            str(len(each.chosen) or ""),
        )
    screen.print(table)
    screen.print(
        f"First response: automatic {hours(performance.automatic)} ({len(performance.automatic.cases)} cases), "
        f"by a person {hours(performance.human)} ({len(performance.human.cases)} cases); half within, half after."
    )
    screen.print(f"{performance.received} cases received, {performance.out_of_hours} while the office was closed.")
    annual = Table(box=box.SIMPLE_HEAD, pad_edge=False, title="Annual Return on the Charter", title_justify="left")
    for column in ("No.", "Indicator", "Figure", "Unit", "Cases", "Note"):
        annual.add_column(column, overflow="fold", justify="right" if column in {"Figure", "Cases"} else "left")
    for row in report.annual:
        figure = "–" if row.value is None else f"{row.value:.1f}"
        annual.add_row(row.number, row.title, figure, row.unit, str(len(row.cases) or ""), row.note)
    screen.print(annual)
    screen.print("The cases behind each figure: --format json, csv or html.")


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-12-24") from error
    if not date(1970, 1, 2) < day < date.max - timedelta(days=1):
        raise argparse.ArgumentTypeError(f"{text} is not a date that can be reported on")
    return day
