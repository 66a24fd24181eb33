"""The report as a table for spreadsheets."""

import csv
from typing import Final, TextIO

from bot.reports.report import Report

_COLUMNS: Final = (
    "by", "value", "commitment", "target", "due", "kept", "missed_and_told", "missed_in_silence", "share_kept",
    "kept_on_chosen_day", "cases_kept", "cases_missed_and_told", "cases_missed_in_silence", "cases_kept_on_chosen_day",
)  # fmt: skip


def write_csv(report: Report, file: TextIO) -> None:
    """Every figure, and the references of its cases, a row for each commitment in each group."""
    told = report.as_json()
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    groups = [("all", "all", told["commitments"])]
    groups += [(name, value, results) for name, by in told["by"].items() for value, results in by.items()]
    for name, value, results in groups:
        for each in results:
            figures = [
                each[key]
                for key in (
                    "id",
                    "target",
                    "due",
                    "kept",
                    "missed_and_told",
                    "missed_in_silence",
                    "share_kept",
                    "kept_on_chosen_day",
                )
            ]
            cases = [
                " ".join(each["cases"][key])
                for key in ("kept", "missed_and_told", "missed_in_silence", "kept_on_chosen_day")
            ]
            writer.writerow([name, value, *figures, *cases])
