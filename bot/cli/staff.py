"""`doorstep staff add | list | disable | reset`: accounts of the staff console and their roles."""

import argparse
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlmodel import Session

from bot import settings as settings_module
from bot.bootstrap import NLU_DATA
from bot.desk import staff as accounts
from bot.desk.office import Office
from bot.desk.staff import StaffError
from bot.sla import load_policy
from bot.store import open_store, schema
from bot.store.tables import Staff
from bot.wallclock import SystemClock
from bot.wording import Wording, load_responses

T = TypeVar("T")

_LOCAL: Final = "http://127.0.0.1:8080"
_ACTOR: Final = "command line"
_PIPED_WIDTH: Final = 200


def add_parser(subparsers: Any) -> None:
    """Add `staff` to the command's subparsers; the chosen action is `args.run(args)`."""
    parser = subparsers.add_parser(
        "staff",
        help="accounts of the staff console and their roles",
        description="Accounts of the staff console. New and forgotten passwords are set through a link that works once.",
    )
    actions = parser.add_subparsers(dest="staff_action", metavar="add|list|disable|reset", required=True)

    add = actions.add_parser("add", help="make an account (or bring a disabled one back) and print its one-time link")
    add.add_argument("email", metavar="EMAIL")
    add.add_argument("--name", required=True, help="as tenants see it, such as 'Ama Mensah'")
    add.add_argument("--job-title", required=True, metavar="TITLE", help="as tenants see it, such as 'Repairs officer'")
    add.add_argument("--team", required=True, help="as tenants see it, such as 'Repairs'")
    add.add_argument(
        "--role", choices=accounts.ROLES, default="officer", help="what the person may do (default: %(default)s)"
    )
    add.set_defaults(run=run_add)

    listing = actions.add_parser("list", help="every account")
    listing.set_defaults(run=run_list)

    disable = actions.add_parser("disable", help="close an account and sign it out everywhere")
    disable.add_argument("email", metavar="EMAIL")
    disable.set_defaults(run=run_disable)

    reset = actions.add_parser("reset", help="forget the password, sign out everywhere, print a new one-time link")
    reset.add_argument("email", metavar="EMAIL")
    reset.set_defaults(run=run_reset)


def run_add(args: argparse.Namespace) -> int:
    def work(session: Session, office: Office) -> str:
        now = office.wall_clock.now()
        member = accounts.add(
            session, office, email=args.email, name=args.name, job_title=args.job_title, team=args.team,
            role=args.role, now=now, actor=_ACTOR,
        )  # fmt: skip
        return accounts.invite(session, office, member, now=now, actor=_ACTOR)

    return _print_link(work)


def run_reset(args: argparse.Namespace) -> int:
    return _print_link(
        lambda session, office: accounts.reset(
            session, office, args.email, now=office.wall_clock.now(), actor=_ACTOR
        )
    )  # fmt: skip


def run_disable(args: argparse.Namespace) -> int:
    def work(session: Session, office: Office) -> Staff:
        return accounts.disable(session, office, args.email, now=office.wall_clock.now(), actor=_ACTOR)

    return _carry_out(work, lambda member: f"{member.email} can no longer sign in.")


def run_list(_args: argparse.Namespace) -> int:
    return _carry_out(lambda session, _office: accounts.everyone(session), _show)


def _print_link(work: Callable[[Session, Office], str]) -> int:
    base = settings_module.load().public_url or _LOCAL
    return _carry_out(work, lambda token: accounts.link_address(base, token))


def _carry_out(work: Callable[[Session, Office], T], told: Callable[[T], str | None]) -> int:
    """Open the database, do the work in one transaction, print what came of it."""
    settings = settings_module.load()
    policy = load_policy(settings.policy)
    office = Office(policy, Wording(load_responses(NLU_DATA / "domain")), SystemClock(), numbers={})
    store = open_store(settings.database_url)
    try:
        schema.check(store)
        result = store.run_now(lambda session: work(session, office))
    except StaffError as fault:
        print(f"doorstep: {fault}", file=sys.stderr)
        return 1
    finally:
        store.close_now()
    if text := told(result):
        print(text)
    return 0


def _show(members: list[Staff]) -> None:
    if not members:
        print("There are no accounts yet: `doorstep staff add` makes one.")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("email", "name", "job title", "team", "role", "state"):
        table.add_column(heading, overflow="fold")
    for each in members:
        row = (each.email, each.name, each.job_title, each.team, each.role, _state(each))
        table.add_row(*(Text(cell) for cell in row))
    screen = Console()
    if not screen.is_terminal:
        screen = Console(width=_PIPED_WIDTH)
    screen.print(table)


def _state(member: Staff) -> str:
    if member.disabled_at is not None:
        return f"disabled {member.disabled_at:%Y-%m-%d}"
    return "active" if member.password_hash else "has not chosen a password"
