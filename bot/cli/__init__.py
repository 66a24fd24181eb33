"""The command line: `doorstep`, also `python -m bot`.

Each command's module adds its parser and leaves a `run(args) -> int` in it. Faults in what a person gave (settings, files,
arguments) are printed as they are, to stderr, with exit code 1; wrong usage is 2, as argparse has it.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final

_COMMANDS: Final = ("serve", "check", "nlu", "chat", "policy", "staff")
"""The modules of this package that hold commands. Imported when the parser is built, so each keeps its imports light."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="doorstep",
        description="The messaging front door of a social landlord.",
        epilog="Settings come from the environment and .env: see `doorstep check --settings`.",
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in _COMMANDS:
        importlib.import_module(f"bot.cli.{name}").add_parser(subparsers)
    return parser


def command_names() -> list[str]:
    """Every command, as it is typed after `doorstep`."""
    actions = build_parser()._subparsers._group_actions  # type: ignore[union-attr]  # argparse has no public way to ask
    return [name for action in actions for name in (action.choices or ())]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = build_parser().parse_args(argv)
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
    from bot.settings import SettingsError
    from bot.sla import PolicyError
    from bot.store import StoreError
    from bot.triage import TriageError
    from bot.wording import WordingError

    return (SettingsError, PolicyError, DialogueError, TriageError, WordingError, StoreError)
