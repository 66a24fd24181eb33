"""The report as HTML: for staff with the cases behind every figure, for the public without any."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from bot.reports import charts
from bot.reports.charts import Part
from bot.reports.report import Report
from bot.sla.performance import Result, Times
from bot.wording import day_in_words

_NAMES: Final = {"month": "Month", "channel": "Channel", "kind": "Kind of case", "need": "Communication need"}


def page(report: Report) -> str:
    """One HTML file for staff: every figure opens to its cases."""
    return _render("page.html", report, cases=True)


def public_page(report: Report) -> str:
    """One HTML file to publish: targets and results, and no case."""
    return _render("public.html", report, cases=False)


def fragment(report: Report) -> Markup:
    """The figures alone, for a page of the console."""
    return Markup(_render("figures.html", report, cases=True))


def _render(template: str, report: Report, *, cases: bool) -> str:
    return templates().get_template(template).render(
        report=report, performance=report.performance, names=_NAMES, cases=cases,
        first=_day(report.performance.first), last=_day(report.performance.last),
        months=_by_month(report),
    )  # fmt: skip


@cache
def templates() -> Environment:
    """The HTML templates of this package."""
    found = Environment(
        loader=PackageLoader("bot.reports"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    found.filters |= {"percent": percent, "hours": hours, "bar": _bar, "number": _number, "together": together}
    return found


def _day(day: date) -> str:
    return f"{day_in_words(day)} {day.year}"


def percent(share: float | None) -> str:
    """Such as `93%`. What is not quite all is never rounded up to all."""
    if share is None:
        return "–"
    shown = round(100 * share)
    return f"{min(shown, 99) if share < 1 else 100}%"


def hours(times: Times | float | None) -> str:
    """Such as `12 minutes`, `3.4 hours`, `2.1 days`."""
    value = times.median if isinstance(times, Times) else times
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 60:.0f} minutes"
    return f"{value:.1f} hours" if value < 48 else f"{value / 24:.1f} days"


def together(results: Sequence[Result]) -> Result:
    """All commitments of a group counted as one."""
    return Result(
        "", tuple(case for each in results for case in each.kept), tuple(case for each in results for case in each.told),
        tuple(case for each in results for case in each.silent), tuple(case for each in results for case in each.chosen),
    )  # fmt: skip


def _bar(result: Result) -> Markup:
    parts = [
        Part("kept", len(result.kept), charts.KEPT),
        Part("missed, and the tenant was told in time", len(result.told), charts.TOLD),
        Part("missed without a word", len(result.silent), charts.SILENT),
    ]
    return Markup(charts.bar(parts))


def _by_month(report: Report) -> Markup:
    values: list[tuple[str, float | None]] = []
    for month, results in report.performance.by["month"].items():
        share = together(results).share
        label = f"{date.fromisoformat(month + '-01'):%b %Y}"
        values.append((label, None if share is None else 100 * share))
    return Markup(charts.columns(values))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}".removesuffix(".0")
