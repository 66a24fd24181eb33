"""`doorstep check`: is everything that people may edit fit to be served?"""

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from bot import settings as settings_module
from bot.bootstrap import NLU_DATA, banners
from bot.dialogue import DialogueError, action_faults, load_project
from bot.flows import CatalogueError, actions
from bot.settings import Settings, SettingsError
from bot.sla import Policy, PolicyError, load_policy
from bot.triage import TriageError, load_triage
from bot.wording import WordingError, lint_words, load_responses

_FOR_DRAMA: Final = "+447700900"
"""Numbers that Ofcom keeps free for drama begin so."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "check",
        help="validate settings, policy, flows, hazards and words",
        description="Name every fault in settings, policy, flows, hazards and words, with file and line. Exit code 1 if any.",
    )
    parser.add_argument(
        "--live", action="store_true", help="also refuse unverified emergency numbers and development settings"
    )
    parser.add_argument("--settings", action="store_true", help="list the settings and what each is for")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.settings:
        for name, field in Settings.model_fields.items():
            print(f"{settings_module.PREFIX}{name.upper():28} {field.description}")
        return 0
    faults = list(_faults(live=args.live))
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(faults)} fault{'' if len(faults) == 1 else 's'} found." if faults else "Everything is in order.")
    return 1 if faults else 0


def _faults(*, live: bool) -> Iterator[str]:
    settings, named = None, None
    try:
        settings = settings_module.load()
        named = settings.policy
    except SettingsError as error:
        yield from str(error).splitlines()
        named = error.policy
    policy, found = _try(lambda: load_policy(named or Settings.model_fields["policy"].default), PolicyError)
    yield from found
    _, found = _try(lambda: load_triage(NLU_DATA), TriageError)
    yield from found
    responses, found = _try(lambda: load_responses(NLU_DATA / "domain"), WordingError)
    yield from found
    if responses is not None:
        yield from (str(fault) for fault in lint_words(responses))
    project, found = _try(lambda: load_project(NLU_DATA), DialogueError)
    yield from found
    ready, found = _try(lambda: actions(NLU_DATA), CatalogueError)
    yield from found
    if project is not None and ready is not None:
        yield from (str(fault) for fault in action_faults(project, ready))
    if live:
        if settings is not None and settings.dev:
            yield "environment: DOORSTEP_DEV is on; the phone simulator must not be reachable by the public"
        if settings is not None and not (settings.public_url or "").startswith("https://"):
            yield "environment: DOORSTEP_PUBLIC_URL must be an https:// address"
        if policy is not None:
            yield from (f"{policy.file}: {text}" for text in banners(policy))
            yield from _ladder_faults(settings, policy)


def _ladder_faults(settings: Settings | None, policy: Policy) -> Iterator[str]:
    """What keeps an emergency from reaching somebody, or would send it to the wrong people."""
    line = {
        "CALL": settings.emergency_line_call, "TEXT": settings.emergency_line_text,
        "EMAIL": settings.emergency_line_email, "WEBHOOK": settings.emergency_line_webhook,
    } if settings is not None else {}  # fmt: skip
    if settings is not None and not any(line.values()):
        yield "environment: no route to the 24-hour line is set: DOORSTEP_EMERGENCY_LINE_CALL, _TEXT, _EMAIL or _WEBHOOK"
    for name, address in line.items():
        if address is not None and address.startswith(_FOR_DRAMA):
            yield f"environment: DOORSTEP_EMERGENCY_LINE_{name} is a number for tests, which rings nobody"
    for number, rung in enumerate(policy.ladder):
        place = f"{policy.file}:{policy.lines.get('on_call.rungs', policy.lines.get('on_call', 1))}"
        if rung.addresses and not rung.verified:
            yield f"{place}: on_call: how to reach the {rung.name} has not been verified"
        elif number > 0 and not rung.addresses:
            yield f"{place}: on_call: there is no number or address for the {rung.name}"
        if any(address.replace(" ", "").startswith(_FOR_DRAMA) for address in rung.addresses.values()):
            yield f"{place}: on_call: the {rung.name} has a number for tests, which rings nobody"


def _try(load: Callable[[], Any], expected: type[Exception]) -> tuple[Any, list[str]]:
    try:
        return load(), []
    except expected as error:
        return None, str(error).splitlines()
