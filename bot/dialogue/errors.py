"""What can go wrong in dialogue.

DialogueError
├── ProjectError   nlu_data/ cannot be used: every fault as `file:line: reason`
└── EngineError    a turn could not be finished: a fault of the flows, never of the tenant's text
"""

from collections.abc import Sequence


class DialogueError(Exception):
    """The root of this package's errors."""


class ProjectError(DialogueError):
    """`faults` holds every fault found, each as `file:line: reason`; the message is all of them, one a line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class EngineError(DialogueError):
    """A turn that could not be finished. The state handed in is untouched, so the same message may be tried again."""
