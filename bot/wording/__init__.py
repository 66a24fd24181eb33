"""Everything said to tenants: a response key and its arguments become words and choices.

    WordingError            a key that does not exist, a placeholder nobody fills
    └── ResponsesError      a file of responses that cannot be used; the message is one `file:line: reason` per fault

Dialogue, triage, desk and promises speak in keys (`bot.messages.Say`); only this package knows the words, which are
data: the `responses:` of `nlu_data/domain/*.yml`.
"""

from bot.wording.choices import match_choice
from bot.wording.dates import day_in_words, moment_in_words, time_in_words
from bot.wording.errors import ResponsesError, WordingError
from bot.wording.gsm import Segments, normalise, segments
from bot.wording.lint import Fault, lint_words
from bot.wording.render import Rendered, Wording
from bot.wording.responses import Responses, load_responses

__all__ = [
    "Fault",
    "Rendered",
    "Responses",
    "ResponsesError",
    "Segments",
    "Wording",
    "WordingError",
    "day_in_words",
    "lint_words",
    "load_responses",
    "match_choice",
    "moment_in_words",
    "normalise",
    "segments",
    "time_in_words",
]
