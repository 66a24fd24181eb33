"""What is learned from examples: features of a text, and one linear model over them with two questions to it.

The first question, what a message is for, is answered for `bot.dialogue`; the second, whether it tells of a danger, for
`bot.triage`. Both are read from one counting of the text's features. See `docs/understanding.md`.
"""

from bot.learning.errors import ModelError
from bot.learning.model import Model, Suspicion

__all__ = ["Model", "ModelError", "Suspicion"]
