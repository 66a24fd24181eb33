"""`doorstep token` and `doorstep webhook`: what other systems may read, and what they are told."""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlmodel import Session

from bot import settings as settings_module
from bot.bootstrap import NLU_DATA
from bot.desk import token as tokens
from bot.desk import webhook as webhooks
from bot.desk.office import Office
from bot.desk.publish import NAMES
from bot.desk.token import LASTS, SCOPES, TokenError
from bot.desk.webhook import WebhookError
from bot.sla import load_policy
from bot.store import open_store, schema
from bot.store.outside import ApiToken, Webhook
from bot.wallclock import SystemClock
from bot.wording import Wording, load_responses

T = TypeVar("T")
Work = Callable[[Session, Office, datetime], T]

_ACTOR: Final = "command line"
_PIPED_WIDTH: Final = 240


def add_parser(subparsers: Any) -> None:
    """Add both commands to the command's subparsers; the chosen action is `args.run(args)`."""
    _add_tokens(subparsers)
    _add_webhooks(subparsers)


def _add_tokens(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "token",
        help="what other systems may read through the API",
        description="Tokens for the API (docs/api.md). A token is shown once, when it is made; only a digest of it is kept.",
    )
    actions = parser.add_subparsers(dest="token_action", metavar="add|list|revoke", required=True)
    add = actions.add_parser("add", help="make a token and print it, once")
    add.add_argument("name", metavar="NAME", help="whose it is, such as 'housing system'")
    add.add_argument(
        "--scopes", required=True, type=_words, metavar="SCOPE,…",
        help="; ".join(f"{scope}: {what}" for scope, what in SCOPES.items()),
    )  # fmt: skip
    add.add_argument(
        "--days",
        type=_days,
        default=LASTS.days,
        help="how long it is good for; 0: until it is taken back (default: %(default)s)",
    )
    add.set_defaults(run=run_token_add)
    listing = actions.add_parser("list", help="every token, what it is good for, and when it was used last")
    listing.set_defaults(run=run_token_list)
    revoke = actions.add_parser("revoke", help="take a token back, at once")
    revoke.add_argument("which", metavar="NAME|ID")
    revoke.set_defaults(run=run_token_revoke)


def _add_webhooks(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "webhook",
        help="what other systems are told when it happens",
        description="Signed webhooks (docs/api.md). What happens is posted, at least once and in order, to whoever listens.",
    )
    actions = parser.add_subparsers(dest="webhook_action", metavar="add|list|test|enable|remove", required=True)
    add = actions.add_parser("add", help="tell an address of what happens, and print the secret that signs it")
    add.add_argument("url", metavar="URL")
    add.add_argument(
        "--events", required=True, type=_words, metavar="EVENT,…", help=f"`all`, or some of {', '.join(NAMES)}"
    )
    add.add_argument("--in-confidence", action="store_true", help="also of cases of people at risk")
    add.set_defaults(run=run_webhook_add)
    listing = actions.add_parser("list", help="every webhook, what waits for it, and what went wrong last")
    listing.set_defaults(run=run_webhook_list)
    test = actions.add_parser("test", help="send a harmless event, to see whether anything arrives")
    enable = actions.add_parser("enable", help="begin anew with one that was disabled")
    enable.add_argument("--skip", action="store_true", help="forget what is waiting for it")
    remove = actions.add_parser("remove", help="tell it nothing any more, and forget what is waiting")
    for action, run in ((test, run_webhook_test), (enable, run_webhook_enable), (remove, run_webhook_remove)):
        action.add_argument(
            "which", metavar="ID|URL", help="as `doorstep webhook list` shows it; the beginning of an id will do"
        )
        action.set_defaults(run=run)


# --- tokens


def run_token_add(args: argparse.Namespace) -> int:
    lasts = timedelta(days=args.days) if args.days else None

    def work(session: Session, office: Office, now: datetime) -> tuple[ApiToken, str]:
        return tokens.add(session, office, args.name, args.scopes, now=now, actor=_ACTOR, lasts=lasts)

    def told(made: tuple[ApiToken, str]) -> str:
        until = f" until {made[0].expires_at:%Y-%m-%d}" if made[0].expires_at else ""
        return f"{made[1]}\nThis is shown once. It is good for {', '.join(made[0].scopes)}{until}."

    return _carry_out(work, told)


def run_token_list(_args: argparse.Namespace) -> int:
    def told(found: tuple[list[ApiToken], datetime]) -> str | None:
        rows = [
            (each.id, each.name, ", ".join(each.scopes), _when(each.last_used_at), _state_of(each, found[1]))
            for each in found[0]
        ]
        return _show(
            ("id", "name", "good for", "last used", "state"), rows, "There are no tokens: nobody can use the API."
        )

    return _carry_out(lambda session, _office, now: (tokens.everyone(session), now), told)


def run_token_revoke(args: argparse.Namespace) -> int:
    return _carry_out(
        lambda session, office, now: tokens.revoke(session, office, args.which, now=now, actor=_ACTOR),
        lambda token: f"{token.name} lets nobody in any more.",
    )


def _state_of(token: ApiToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return f"taken back {token.revoked_at:%Y-%m-%d}"
    if token.expires_at is None:
        return "good"
    return f"{'good until' if tokens.is_good(token, now=now) else 'too old since'} {token.expires_at:%Y-%m-%d}"


# --- webhooks


def run_webhook_add(args: argparse.Namespace) -> int:
    events: Sequence[str] = NAMES if args.events == ["all"] else args.events

    def work(session: Session, office: Office, now: datetime) -> Webhook:
        return webhooks.add(session, office, args.url, events, now=now, actor=_ACTOR, in_confidence=args.in_confidence)

    return _carry_out(
        work,
        lambda hook: (
            f"id      {hook.id}\nsecret  {hook.secret}\nThe secret is shown once. Try it: doorstep webhook test {hook.id}"
        ),
    )


def run_webhook_list(_args: argparse.Namespace) -> int:
    def told(found: list[tuple[Webhook, int]]) -> str | None:
        rows = [
            (each.id, each.url, _told_of(each), str(waiting), _when(each.delivered_at), _standing(each))
            for each, waiting in found
        ]
        return _show(
            ("id", "address", "events", "waiting", "last arrived", "state"), rows, "No other system is told anything."
        )

    return _carry_out(lambda session, _office, _now: webhooks.everyone(session), told)


def run_webhook_test(args: argparse.Namespace) -> int:
    return _carry_out(
        lambda session, office, now: webhooks.ping(session, office, args.which, now=now),
        lambda hook: f"An event is on its way to {hook.url}: it is sent by the running Doorstep, within seconds.",
    )


def run_webhook_enable(args: argparse.Namespace) -> int:
    return _carry_out(
        lambda session, office, now: webhooks.enable(
            session, office, args.which, now=now, actor=_ACTOR, skip=args.skip
        ),
        lambda hook: f"{hook.url} is told again.",
    )


def run_webhook_remove(args: argparse.Namespace) -> int:
    return _carry_out(
        lambda session, office, now: webhooks.remove(session, office, args.which, now=now, actor=_ACTOR),
        lambda hook: f"{hook.url} is told nothing any more.",
    )


def _told_of(hook: Webhook) -> str:
    events = "all" if set(NAMES) <= set(hook.events) else ", ".join(hook.events)
    return f"{events}; in confidence too" if hook.in_confidence else events


def _standing(hook: Webhook) -> str:
    if hook.disabled_at is not None:
        return f"disabled {hook.disabled_at:%Y-%m-%d}: {hook.last_error}"
    if hook.failing_since is not None:
        return f"failing since {_when(hook.failing_since)}: {hook.last_error}"
    return "told"


# --- both


def _carry_out(work: Work[T], told: Callable[[T], str | None]) -> int:
    """Open the database, do the work in one transaction, print what came of it."""
    settings = settings_module.load()
    clock = SystemClock()
    office = Office(load_policy(settings.policy), Wording(load_responses(NLU_DATA / "domain")), clock, numbers={})
    store = open_store(settings.database_url)
    try:
        schema.check(store)
        result = store.run_now(lambda session: work(session, office, clock.now()))
    except (TokenError, WebhookError) as fault:
        print(f"doorstep: {fault}", file=sys.stderr)
        return 1
    finally:
        store.close_now()
    if text := told(result):
        print(text)
    return 0


def _show(headings: Sequence[str], rows: Sequence[Sequence[str]], otherwise: str) -> str | None:
    if not rows:
        return otherwise
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    screen = Console()
    if not screen.is_terminal:
        screen = Console(width=_PIPED_WIDTH)
    screen.print(table)
    return None


def _when(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "never"


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _days(text: str) -> int:
    if not text.isdecimal() or int(text) > 3660:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days (0 to 3660)")
    return int(text)
