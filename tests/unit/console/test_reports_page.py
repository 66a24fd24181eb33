"""`/staff/reports`: promises and results with their cases, a page to publish, figures to download, evidence for managers."""

import csv
import io
from datetime import timedelta

from unit.console.house import Browser, Case, Event, House

from bot.reports import pack_faults


async def test_a_missed_promise_is_shown_with_its_case(house: House):
    await house.tenant_says("my tap drips")
    (case,) = await house.rows(Case)
    house.clock.advance(timedelta(days=11))
    ama = await house.sign_in("Ama Mensah", house.client)

    shown = await ama.get("/staff/reports?from=2026-11-01&to=2026-12-31")

    assert "Attend a repair that is not an emergency" in shown
    assert case.reference in shown
    assert '<svg role="img"' in shown
    assert "Annual Return on the Charter" in shown


async def test_nothing_on_the_page_breaks_its_own_rules_against_styles_and_scripts(house: House, ama: Browser):
    await house.tenant_says("my tap drips")
    shown = await ama.get("/staff/reports")
    assert "style=" not in shown
    assert "<script" not in shown.split("<main", 1)[1]


async def test_days_that_make_no_sense_are_said_and_the_usual_ones_shown(house: House, ama: Browser):
    for query in ("from=2026-12-31&to=2026-01-01", "from=yesterday", "from=0001-01-01&to=9999-12-31"):
        await ama.get(f"/staff/reports?{query}")
        assert ama.status == 200
        assert ama.said() != ""
        assert ama.field("from") == "2026-04-01"


async def test_the_page_to_publish_names_no_case(house: House, ama: Browser):
    await house.tenant_says("my tap drips")
    (case,) = await house.rows(Case)
    assert case.reference not in await ama.get("/staff/reports/public?from=2026-11-01&to=2027-01-31")
    assert "our targets and results" in ama.page


async def test_the_figures_come_as_a_table_for_spreadsheets(house: House, ama: Browser):
    await house.tenant_says("my tap drips")
    house.clock.advance(timedelta(hours=10))
    rows = list(csv.DictReader(io.StringIO(await ama.get("/staff/reports/figures.csv?from=2026-11-01&to=2026-12-31"))))
    assert all(row["commitment"] for row in rows)


async def test_a_manager_takes_evidence_and_that_is_on_record(house: House):
    await house.tenant_says("my tap drips")
    (case,) = await house.rows(Case)
    manager = await house.sign_in("Moira Grant", house.client, role="manager")

    pack = await manager.get(f"/staff/cases/{case.id}/evidence")

    assert "my tap drips" in pack
    assert pack_faults(pack) == []
    taken = [each for each in await house.rows(Event) if each.verb == "evidence_taken"]
    assert [each.subject for each in taken] == [case.id]


async def test_an_officer_takes_no_evidence_away(house: House, ama: Browser):
    await house.tenant_says("my tap drips")
    (case,) = await house.rows(Case)
    await ama.get(f"/staff/cases/{case.id}/evidence")
    assert ama.status == 403
    assert not [each for each in await house.rows(Event) if each.verb == "evidence_taken"]


async def test_reports_need_signing_in(house: House):
    response = await house.guest().get("/staff/reports", allow_redirects=False)
    assert response.status in {302, 303}
