"""`doorstep simulate`: a year of an association's life, in minutes, on a clock moved by hand."""

import argparse
import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from bot.cli.policy import configured_policy
from bot.simulation import Outcome, Plan, simulate
from bot.simulation.year import FIRST_DAY
from bot.sla import load_policy, shipped_policies
from bot.sla.performance import Verdict


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "simulate",
        help="a simulated year: how often each commitment was kept",
        description="The real intake, dialogue, desk, sweeps and outbox with simulated tenants, staff and provider faults "
        "(docs/simulation.md). The same seed is the same run.",
    )
    parser.add_argument("--days", type=_count, default=365, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--contacts", type=_count, default=1000, metavar="N", help="how many tenants (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--from", dest="first", type=_day, default=FIRST_DAY, metavar="DATE", help="first day (default: %(default)s)"
    )
    parser.add_argument(
        "--policy", metavar="NAME|PATH",
        help=f"{', '.join(shipped_policies())}, or a policy file (default: DOORSTEP_POLICY, else berwickshire)",
    )  # fmt: skip
    parser.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, metavar="N", help="processes (default: one for each core)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run it. 0 if nothing was missed in silence or left behind, 1 if something was."""
    name = args.policy or configured_policy(os.environ, Path(".env"))
    load_policy(name)  # a faulty file is refused before anything is loaded
    plan = Plan(name, args.days, args.contacts, args.seed, args.first)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
        TimeRemainingColumn(), console=Console(file=sys.stderr), disable=args.json or not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task(f"{args.days} days, {args.contacts} tenants", total=1.0)
        outcome = simulate(plan, jobs=args.jobs, progress=lambda done: bar.update(task, completed=done))
    if args.json:
        print(json.dumps(outcome.as_json(), indent=2))
    else:
        _show(outcome)
    for promise in outcome.silent:
        print(
            f"missed in silence: {promise.commitment} of {promise.case}, due {promise.due.isoformat()}", file=sys.stderr
        )
    for what in outcome.left_behind:
        print(f"left behind: {what}", file=sys.stderr)
    return 1 if outcome.silent or outcome.left_behind else 0


def _show(outcome: Outcome) -> None:
    screen = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=100)
    told = outcome.as_json()
    screen.print(
        f"{told['policy']}: {told['days']} days, {told['contacts']} tenants, seed {told['seed']}. "
        f"{told['messages']['in']} messages in, {told['messages']['out']} out, {told['cases']} cases."
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Commitment", no_wrap=True)
    for column in ("Kept", "Missed and told", "Missed in silence"):
        table.add_column(column, justify="right")
    for each in told["commitments"]:
        table.add_row(each["id"], *(str(each[verdict.value]) for verdict in list(Verdict)[:3]))
    screen.print(table)
    screen.print("Faults: " + ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in told["faults"].items()))
    screen.print(
        f"The chain over all events {'holds' if outcome.chain_holds else 'DOES NOT HOLD'}. Run: {outcome.digest[:16]}"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000000")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-12-24") from error
