"""The command line: `doorstep`, also `python -m bot`.

Each command's module adds its parser and leaves a `run(args) -> int` in it. Faults in what a person gave (settings, files,
arguments) are printed as they are, to stderr, with exit code 1; wrong usage is 2, as argparse has it.
"""

import argparse
import importlib
import sys
from collections.abc import Iterable, Sequence
from typing import Final

_MODULES: Final = {
    "serve": "serve", "migrate": "serve", "check": "check", "train": "nlu", "understand": "nlu", "chat": "chat",
    "replay": "chat", "policy": "policy", "why": "why", "report": "report", "evidence": "report", "simulate": "simulate",
    "staff": "staff", "token": "outside", "webhook": "outside",
}  # fmt: skip
"""Every command and the module of this package that holds it."""


def build_parser(modules: Iterable[str] = tuple(dict.fromkeys(_MODULES.values()))) -> argparse.ArgumentParser:
    """The parser of the commands in `modules`."""
    parser = argparse.ArgumentParser(
        prog="doorstep",
        description="The messaging front door of a social landlord.",
        epilog="Settings come from the environment and .env: see `doorstep check --settings`.",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in modules:
        importlib.import_module(f"bot.cli.{name}").add_parser(subparsers)
    return parser


def command_names() -> list[str]:
    """Every command, as it is typed after `doorstep`."""
    return list(_MODULES)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    # A command's module is imported only when it is asked for: the web server's libraries take a second that `policy
    # explain` has no use for.
    known = _MODULES.get(given[0]) if given else None
    args = (build_parser([known]) if known else build_parser()).parse_args(given)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output (head, less) has seen enough.
        sys.stderr.close()
        return 0
    except faults() as fault:
        print(f"doorstep: {fault}", file=sys.stderr)
        return 1


def faults() -> tuple[type[Exception], ...]:
    """What a person can put right: reported by its message alone, without a traceback."""
    from bot.dialogue import DialogueError
    from bot.flows import CatalogueError
    from bot.learning import ModelError
    from bot.settings import SettingsError
    from bot.sla import PolicyError
    from bot.store import StoreError
    from bot.triage import TriageError
    from bot.wording import WordingError

    return (
        SettingsError,
        PolicyError,
        DialogueError,
        ModelError,
        CatalogueError,
        TriageError,
        WordingError,
        StoreError,
    )
