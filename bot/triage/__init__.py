"""Triage: is anyone or anything in danger, and what is to be said at once?

Every inbound text is read here before the dialogue reads it, in any state of a conversation. The rules are data
(`nlu_data/hazards.yml`, `nlu_data/lexicons/`, `nlu_data/languages/`; see `docs/triage.md`); this package reads them and
is otherwise a pure function of the text.

    TriageError     a data file cannot be used: `file:line: reason`
"""

from bot.triage.assess import Triage, load_triage
from bot.triage.data import TriageError
from bot.triage.languages import ENGLISH, Language

__all__ = ["ENGLISH", "Language", "Triage", "TriageError", "load_triage"]
