"""`doorstep why R-4K7M-2QX`: every promise on a case, where it stands, and the proof of its date."""

import argparse
import json
import sys
from typing import Any

from sqlmodel import Session, select

from bot import references
from bot import settings as settings_module
from bot.bootstrap import NLU_DATA
from bot.desk import why
from bot.desk.office import Office
from bot.sla import load_policy
from bot.store import open_store, schema
from bot.store.tables import Case
from bot.wallclock import SystemClock
from bot.wording import Wording, load_responses


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "why",
        help="every promise on a case, and why its date is what it is",
        description="Each date under the policy and the calendar that it was promised under (docs/promises.md).",
    )
    parser.add_argument("reference", help="such as R-4K7M-2QX; lower case and missing hyphens are understood")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of sentences")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0 if there is such a case, 1 if not."""
    reference = references.read(args.reference)
    if reference is None:
        print(f"{args.reference} is not a case reference: it looks like R-4K7M-2QX", file=sys.stderr)
        return 1
    settings = settings_module.load()
    store = open_store(settings.database_url)
    try:
        schema.check(store)
        office = Office(
            load_policy(settings.policy), Wording(load_responses(NLU_DATA / "domain")), SystemClock(), numbers={}
        )  # fmt: skip
        found = store.run_now(lambda session: _read(session, office, reference))
    finally:
        store.close_now()
    if found is None:
        print(f"There is no case {reference}.", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps({"case": reference, "promises": found}, indent=2))
        return 0
    for each in found:
        print(f"{each['commitment']}: {each['state']}, due {each['due']}")
        print("\n".join(f"  {step}" for step in each["why"]))
    return 0


def _read(session: Session, office: Office, reference: str) -> list[dict[str, Any]] | None:
    case = session.exec(select(Case).where(Case.reference == reference)).first()
    if case is None:
        return None
    return [each.as_json() for each in why.of_case(session, office, case)]
