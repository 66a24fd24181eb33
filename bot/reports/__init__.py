"""Reports for people: performance against the published targets, the regulator's annual return, evidence packs.

report = gather(session, policy, first, last, now=now)      # rows in, figures out
page(report) · public_page(report)                          # one HTML file each, charts inline
"""

from bot.reports.pack import UnknownCase, evidence_pack, pack_faults
from bot.reports.page import fragment, page, public_page
from bot.reports.report import Report, gather
from bot.reports.table import write_csv

__all__ = [
    "Report", "UnknownCase", "evidence_pack", "fragment", "gather", "pack_faults", "page", "public_page", "write_csv",
]  # fmt: skip
