"""How much a message's scores speak for a danger: shared by training and serving."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SOFTNESS: Final = 0.4
"""How far the second-best matters count beside the best; the value that sees most dangers among examples not seen."""

PART_DOUBT: Final = 0.6
"""How much more a part of a message must sound like danger than the whole does: what makes it harmless ("all fixed now",
"last winter") often stands in another sentence. Less doubt finds more dangers in the middle of letters, and raises more
false alarms."""


def presence(scores: "NDArray[np.float64]", hazards: int) -> "NDArray[np.float64]":
    """The log-odds of a danger, from rows of scores of which the first `hazards` columns are dangers and the others
    every other matter."""
    raised = np.exp((scores - scores.max(axis=-1, keepdims=True)) / _SOFTNESS)
    danger = raised[..., :hazards].sum(axis=-1)
    odds: NDArray[np.float64] = np.log(danger + 1e-12) - np.log(raised[..., hazards:].sum(axis=-1) + 1e-12)
    return odds


def odds(scores: Sequence[float], hazards: int) -> float:
    """`presence` of a single row."""
    most = max(scores)
    raised = [math.exp((score - most) / _SOFTNESS) for score in scores]
    return math.log(sum(raised[:hazards]) + 1e-12) - math.log(sum(raised[hazards:]) + 1e-12)
