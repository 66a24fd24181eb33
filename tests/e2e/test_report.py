"""From a tenant's text to the report, the page to publish and the evidence of a case."""

import csv
import io
import json
import re
from datetime import date, timedelta
from typing import Any

import pytest

from bot.cli import main
from bot.cli.report import _write
from bot.reports import Report, UnknownCase, evidence_pack, gather, pack_faults, page, public_page
from bot.store import seals
from tests.e2e.conftest import World


async def report_of(world: World, first: date = date(2026, 11, 1), last: date = date(2026, 12, 31)) -> Report:
    policy, now = world.doorstep.office.policy, world.clock.now()
    return await world.doorstep.store.read(lambda session: gather(session, policy, first, last, now=now))


async def a_repair(world: World) -> str:
    for words in ("my kitchen tap is dripping", "12 Castle Street, Duns TD11 3DX", "Sam Taylor", "yes", "no", "yes"):
        await world.text(words)
        if cases := await world.cases():
            await world.doorstep.outbox.deliver_due()
            return cases[0].reference
    raise AssertionError("no case was opened")


async def test_a_case_is_in_the_report_with_both_first_responses_apart(world: World) -> None:
    reference = await a_repair(world)
    report = await report_of(world)
    assert report.performance.received == 1
    assert report.performance.automatic.cases == (reference,)
    assert report.performance.human.cases == ()


async def test_a_promise_broken_without_a_word_is_called_that_with_its_case(world: World) -> None:
    reference = await a_repair(world)
    world.clock.advance(timedelta(days=20))  # nobody sweeps, so nobody is told
    report = await report_of(world)
    silent = {each.commitment: each.silent for each in report.performance.results if each.silent}
    assert silent["routine_repair"] == (reference,)
    assert reference in page(report)


async def test_a_promise_broken_with_a_word_in_time_is_called_that(world: World) -> None:
    reference = await a_repair(world)
    for _ in range(20 * 4):
        world.clock.advance(timedelta(hours=6))
        await world.doorstep.promises.sweep()
        await world.doorstep.outbox.deliver_due()
    report = await report_of(world)
    results = {each.commitment: each for each in report.performance.results}
    assert results["routine_repair"].told == (reference,)
    assert all(each.silent == () for each in results.values())


async def test_the_page_to_publish_names_no_case(world: World) -> None:
    reference = await a_repair(world)
    world.clock.advance(timedelta(days=20))
    published = public_page(await report_of(world))
    assert "Attend a repair that is not an emergency" in published
    assert "10 days" in published
    assert reference not in published
    assert not re.search(r"\b[RCES]-[0-9A-Z]{4}-[0-9A-Z]{3}\b", published)


async def test_charts_say_in_words_what_they_show_and_run_no_script(world: World) -> None:
    await a_repair(world)
    world.clock.advance(timedelta(days=20))
    shown = page(await report_of(world))
    assert '<svg role="img" aria-label="' in shown
    assert "missed without a word 1" in shown
    assert "<script" not in shown


async def test_every_format_tells_the_same(world: World) -> None:
    reference = await a_repair(world)
    world.clock.advance(timedelta(days=20))
    report = await report_of(world)
    told: dict[str, Any] = {}
    for form in ("table", "csv", "json", "html"):
        file = io.StringIO()
        _write(report, form, False, file)
        told[form] = file.getvalue()
    rows = [row for row in csv.DictReader(io.StringIO(told["csv"])) if row["by"] == "all"]
    document = json.loads(told["json"])
    assert {row["commitment"]: int(row["due"]) for row in rows} == {
        each["id"]: each["due"] for each in document["commitments"]
    }
    assert next(row for row in rows if row["commitment"] == "routine_repair")["cases_missed_in_silence"] == reference
    assert "Attend a repair that is not an emergency" in told["table"]
    assert "Annual Return on the Charter" in told["html"]


async def test_a_pack_holds_words_deliveries_clocks_with_their_proof_and_the_chain(world: World) -> None:
    reference = await a_repair(world)
    await world.doorstep.store.run(lambda session: seals.seal(session, now=world.clock.now()))
    pack = await pack_of(world, reference)
    assert "my kitchen tap is dripping" in pack
    assert "taken by the provider" in pack
    assert "Counts as received" in pack or "Received:" in pack
    assert "Day 10 is" in pack or "Day 1 is" in pack
    assert "The newest seal is number 1" in pack
    assert pack_faults(pack) == []


async def test_a_pack_that_was_touched_is_found_out(world: World) -> None:
    reference = await a_repair(world)
    await world.doorstep.store.run(lambda session: seals.seal(session, now=world.clock.now()))
    pack = await pack_of(world, reference)
    assert pack_faults(pack.replace('"verb": "case_opened"', '"verb": "case_closed"')) != []
    assert pack_faults("<html></html>") == ["there is no proof in this file"]


async def test_a_tenants_words_in_a_pack_are_only_words(world: World) -> None:
    reference = await a_repair(world)
    await world.text('<script>alert("x")</script> thanks')
    pack = await pack_of(world, reference)
    assert "&lt;script&gt;alert" in pack
    assert "<script>alert" not in pack
    assert pack_faults(pack) == []


async def test_a_case_that_does_not_exist_is_said_to_be_unknown(world: World) -> None:
    with pytest.raises(UnknownCase, match="there is no case R-0000-000"):
        await pack_of(world, "R-0000-000")


def test_days_the_wrong_way_round_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--from", "2026-12-31", "--to", "2026-12-01"]) == 2
    assert "is after" in capsys.readouterr().err


def test_the_proof_of_a_pack_is_checked_without_a_database(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = tmp_path / "pack.html"
    pack.write_text('<script type="application/json" id="proof">{"events": [], "seals": []}</script>', encoding="utf-8")
    assert main(["evidence", "--check", str(pack)]) == 0
    assert "holds" in capsys.readouterr().out
    pack.write_text("nothing", encoding="utf-8")
    assert main(["evidence", "--check", str(pack)]) == 1


async def pack_of(world: World, reference: str) -> str:
    office, now = world.doorstep.office, world.clock.now()
    return await world.doorstep.store.read(lambda session: evidence_pack(session, office, reference, now=now))
