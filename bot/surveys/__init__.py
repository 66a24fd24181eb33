"""Asking how repairs went: the sweep that sends what is due, and the page that a survey's link opens.

What is asked, whom and when is decided by `bot.desk.survey` (`docs/reaching-people.md`).
"""

from bot.surveys.page import SurveyPage
from bot.surveys.sweep import PURPOSE, Surveys

__all__ = ["PURPOSE", "SurveyPage", "Surveys"]
