import re
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sla import REPAIR_CATEGORIES, PolicyError, load_policy, parse_policy, restore_policy, shipped_policies
from bot.sla.loading import SHIPPED

PROMISES = yaml.safe_load(Path(__file__).with_name("promises.yaml").read_text(encoding="utf-8"))
BERWICKSHIRE = (SHIPPED / "berwickshire.toml").read_text(encoding="utf-8")
EAST_LOTHIAN = (SHIPPED / "east_lothian.toml").read_text(encoding="utf-8")

ROWS = [
    (policy, name, row)
    for policy in ("berwickshire", "east_lothian")
    for name, row in (PROMISES[policy] | PROMISES["both"]).items()
]


@pytest.mark.parametrize(("policy", "name", "row"), ROWS, ids=[f"{policy}-{name}" for policy, name, _ in ROWS])
def test_every_promise_is_there_with_its_figure(policy, name, row):
    rule = load_policy(policy).commitments[name]
    extension = "agreed" if rule.extension_agreed else rule.extension
    assert (rule.n, rule.mode, rule.start) == (row["n"], row["mode"], row["start"])
    assert rule.hol == row.get("hol")
    assert rule.repeat == row.get("repeat", False)
    assert (extension, rule.extension_months) == (row.get("extension"), row.get("extension_months"))
    assert rule.met_by == row.get("met_by", rule.met_by)


def test_two_policies_are_shipped():
    assert shipped_policies() == ("berwickshire", "east_lothian")


def test_a_promise_without_a_figure_of_the_associations_own_names_where_it_comes_from(east_lothian):
    fallbacks = {rule.id: rule.fallback for rule in east_lothian.commitments.values() if rule.fallback}
    assert fallbacks.keys() == {"progress_update", "callback", "format_request", "home_visit"}
    assert fallbacks["callback"] == "voicemail_response"
    assert all(east_lothian.commitments[name].unverified for name in fallbacks)


def test_every_figure_of_the_undated_page_is_unverified(east_lothian):
    from_page = [rule for rule in east_lothian.commitments.values() if rule.clause.startswith("T:")]
    assert len(from_page) > 20
    assert all("date unknown" in (rule.unverified or "") for rule in from_page)


def test_stricter_law_stands_beside_the_figure_it_replaces(berwickshire):
    rule = berwickshire.commitments["subject_access"]
    assert rule.printed == "Within 40 days"
    assert rule.printed_law == "Data Protection Act 1998"
    assert "one month" in (rule.law or "")


def test_both_policies_know_every_category_of_repair(policy):
    assert policy.repairs.keys() == REPAIR_CATEGORIES


def test_a_policy_loads_from_a_path(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text(BERWICKSHIRE, encoding="utf-8")
    assert load_policy(path).commitments == load_policy("berwickshire").commitments
    assert load_policy(str(path)).version == load_policy("berwickshire").version


def test_the_version_changes_with_any_figure():
    changed = parse_policy(BERWICKSHIRE.replace("n = 6\n", "n = 4\n", 1))
    assert changed.version != load_policy("berwickshire").version


def test_the_version_changes_with_any_closure():
    closure = '\n[[calendar.days]]\ndate = 2027-01-05\nhours = []\nreason = "staff day"\n\n[quiet_hours]'
    assert parse_policy(BERWICKSHIRE.replace("\n[quiet_hours]", closure)).version != load_policy("berwickshire").version


def test_a_policy_is_restored_from_its_snapshot_with_the_holidays_of_its_day(policy):
    restored = restore_policy(policy.snapshot)
    assert restored.version == policy.version
    assert restored.commitments == policy.commitments
    assert list(restored.commitments) == list(policy.commitments)
    assert restored.calendar.statutory == policy.calendar.statutory


def test_a_snapshot_keeps_the_holidays_it_was_made_with(policy):
    kept = policy.snapshot.replace('"2026-06-15"', '"2026-06-16"')
    assert kept != policy.snapshot
    assert sum(day.isoformat() == "2026-06-16" for day in restore_policy(kept).calendar.statutory) == 1


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        PolicyError, match=r"berwickshir:1: no policy of that name \(known: berwickshire, east_lothian\)"
    ):
        load_policy("berwickshir")


def test_a_missing_file_is_named():
    with pytest.raises(PolicyError, match=r"nowhere/ours.toml:1: cannot be read: No such file"):
        load_policy("nowhere/ours.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "ours.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match=r"ours.toml:1: not UTF-8"):
        load_policy(path)


def line_of(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


REFUSED = [
    ("n = 6\n", "n = 0\n", r"commitments.emergency_repair: n must be 1 or more, not 0"),
    ("n = 6\n", 'n = "6"\n', r"commitments.emergency_repair: n must be a whole number, not '6'"),
    ("n = 6\n", "n = true\n", r"commitments.emergency_repair: n must be a whole number, not True"),
    ('mode = "hours"', 'mode = "hour"', r"unknown value 'hour'; did you mean 'hours'\?"),
    ('start = "event:last_check"', 'start = "event:full_moon"', r"start: unknown value 'event:full_moon'"),
    ('met_by = "attended"', 'met_by = "attend"', r"met_by: unknown value 'attend'; did you mean 'attended'\?"),
    ('printed = "Within 6 hours"', 'prited = "Within 6 hours"', r"unknown key 'prited'; did you mean 'printed'\?"),
    ('clause = "B:111"', 'clause = "X:111"', r"clause 'X:111' does not begin with a letter of \[sources\]"),
    ('priorities = ["emergency"]', 'priorities = ["dire"]', r"priorities: unknown value 'dire'"),
    ("[commitments.callback]", "[commitments.call_back]", r"commitments: unknown id 'call_back'; did you mean 'callback'\?"),
    ('no_power = { priority = "emergency"', 'no_power = { priority = "dire"', r"repairs.no_power: priority: unknown value"),
    ("no_power = {", "no_powers = {", r"repairs: unknown category 'no_powers'"),
    ("qualifying_days = 7, condition", "qualifying_days = 5, condition", r"no commitment is for repairs with 5 qual"),
    ('monday = ["09:00-17:00"]', 'monday = ["09:00-25:00"]', r"'09:00-25:00' is not a period such as 09:00-17:00"),
    ('monday = ["09:00-17:00"]', 'monday = ["17:00-09:00"]', r"17:00-09:00 closes before it opens"),
    ('monday = ["09:00-17:00"]', 'monday = ["09:00-13:00", "12:00-17:00"]', r"12:00-17:00 does not come after"),
    ("years = [2024, 2035]", "years = [2035, 2024]", r"years must be the first and the last year covered"),
    ("reviewed = 2020-01-13", 'reviewed = "13 January 2020"', r"reviewed must be a date such as 2026-12-24"),
    ('number = "0800 652 8104"', 'number = "ask at reception"', r"'ask at reception' is not a telephone number"),
    ('sms"]', 'fax"]', r"channel_classes: text: unknown value 'fax'"),
    ('from = "21:00"', 'from = "nine"', r"quiet_hours: 'nine' is not a time"),
    ('name = "duty officer", until_minutes = 10', 'name = "duty officer", until_minutes = 5', r"each rung must have longer"),
    ("verified = true\nsource = \"B:67", "verified = \"yes\"\nsource = \"B:67", r"verified must be true or false, not 'yes'"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "reason"), REFUSED)
def test_a_fault_is_refused_with_its_place_and_reason(good, bad, reason):
    assert good in BERWICKSHIRE
    text = BERWICKSHIRE.replace(good, bad, 1)
    with pytest.raises(PolicyError) as refusal:
        parse_policy(text, "ours.toml")
    fault = next((f for f in refusal.value.faults if re.search(reason, f)), None)
    assert fault, refusal.value.faults
    line = int(re.match(r"ours\.toml:(\d+): ", fault)[1])
    assert abs(line - line_of(text, bad)) <= bad.count("\n") + 2


EXACT_LINES = [
    ('mode = "hours"', 'mode = "hour"'),
    ("n = 6\n", "n = -1\n"),
    ('monday = ["09:00-17:00"]', 'monday = ["nine to five"]'),
    ("loose_banister = { priority", "loose_banister = { prority"),
    ('title = "Data Protection Act 1998"', 'titel = "Data Protection Act 1998"'),
]


@pytest.mark.parametrize(("good", "bad"), EXACT_LINES)
def test_a_fault_points_at_its_very_line(good, bad):
    text = BERWICKSHIRE.replace(good, bad, 1)
    with pytest.raises(PolicyError, match=rf"^ours.toml:{line_of(text, bad)}: |\nours.toml:{line_of(text, bad)}: "):
        parse_policy(text, "ours.toml")


def test_every_fault_is_reported_at_once_in_the_order_of_the_file():
    text = BERWICKSHIRE.replace("n = 6\n", "n = 0\n", 1).replace('mode = "minutes"', 'mode = "moments"', 1)
    text = text.replace('clause = "B:119"', "", 1)
    with pytest.raises(PolicyError) as refusal:
        parse_policy(text, "ours.toml")
    assert [fault.split(": ", 1)[1] for fault in refusal.value.faults] == [
        "commitments.emergency_repair: n must be 1 or more, not 0",
        "commitments.social_response: clause is missing",
        "commitments.office_visit: mode: unknown value 'moments'; did you mean 'month'?",
    ]


@pytest.mark.parametrize("key", ["title", "n", "mode", "start", "applies", "met_by", "clause"])
def test_a_commitment_that_leaves_something_out_is_refused(key):
    head, tail = BERWICKSHIRE.split("[commitments.emergency_repair]", 1)
    text = f"{head}[commitments.emergency_repair]{re.sub(rf'^{key} = .*$', '', tail, count=1, flags=re.M)}"
    with pytest.raises(PolicyError, match=f"commitments.emergency_repair: {key} is missing"):
        parse_policy(text)


@pytest.mark.parametrize(
    "name", ["subject_access", "freedom_of_information", "right_to_repair_1", "damp_work", "data_protection_complaint"]
)
def test_a_policy_that_leaves_out_what_the_law_asks_is_refused(name):
    text = re.sub(rf"\[commitments\.{name}\].*?(?=\n\[|\n# )", "", EAST_LOTHIAN, flags=re.S)
    with pytest.raises(PolicyError, match=f"{name} is missing, and the law asks for it"):
        parse_policy(text)


def test_working_days_must_say_which_days_are_left_out():
    text = BERWICKSHIRE.replace('start = "deemed"\nhol = "org"\n', 'start = "deemed"\n', 1)
    with pytest.raises(PolicyError, match=r'mode after leaves days out: hol must say which \("org" or "stat"\)'):
        parse_policy(text)


def test_elapsed_time_leaves_no_days_out():
    text = BERWICKSHIRE.replace('mode = "hours"\n', 'mode = "hours"\nhol = "org"\n', 1)
    with pytest.raises(PolicyError, match="mode hours leaves no day out, so hol means nothing"):
        parse_policy(text)


def test_a_request_that_nothing_is_promised_for_is_refused():
    text = BERWICKSHIRE.replace('"praise", ', "", 1)
    with pytest.raises(PolicyError, match=r"nothing is promised for routine service_request praise by live, voicemail"):
        parse_policy(text)


def test_a_day_named_twice_is_refused():
    day = '\n[[calendar.days]]\ndate = 2027-01-05\nhours = []\nreason = "staff day"\n'
    with pytest.raises(PolicyError, match="2027-01-05 is named twice"):
        parse_policy(BERWICKSHIRE.replace("\n[quiet_hours]", f"{day}{day}\n[quiet_hours]"))


def test_a_closure_outside_the_covered_years_is_refused():
    day = '\n[[calendar.days]]\ndate = 2036-01-05\nhours = []\nreason = "staff day"\n'
    with pytest.raises(PolicyError, match="2036-01-05 is in a year that the calendar does not cover"):
        parse_policy(BERWICKSHIRE.replace("\n[quiet_hours]", f"{day}\n[quiet_hours]"))


def test_closures_half_days_and_corrections_of_the_statutory_list_are_read():
    changes = """
[[calendar.days]]
date = 2026-12-29
until = 2026-12-31
hours = []
reason = "winter closure"

[[calendar.days]]
date = 2026-12-24
hours = ["09:00-12:30"]
reason = "Christmas Eve"

[[calendar.statutory]]
date = 2027-06-14
name = "Jubilee"

[[calendar.statutory]]
date = 2026-11-30
dropped = true
"""
    calendar = parse_policy(BERWICKSHIRE.replace("\n[quiet_hours]", f"{changes}\n[quiet_hours]")).calendar
    assert calendar.skipped(date(2026, 12, 30), "org") == "winter closure"
    assert calendar.works(date(2026, 12, 30), "stat")
    assert calendar.periods(date(2026, 12, 24))[0].closes.isoformat() == "12:30:00"
    assert calendar.skipped(date(2027, 6, 14), "stat") == "Jubilee"
    assert calendar.works(date(2026, 11, 30), "stat")


def test_text_that_is_not_toml_is_refused_with_its_line():
    with pytest.raises(PolicyError, match=r"^ours.toml:2: not TOML: "):
        parse_policy("[association]\nid = \n", "ours.toml")


def test_the_same_commitment_twice_is_refused():
    with pytest.raises(PolicyError, match=r"^ours.toml:\d+: not TOML: "):
        parse_policy(f'{BERWICKSHIRE}\n[commitments.callback]\ntitle = "again"\n', "ours.toml")


def test_an_empty_file_is_refused_with_everything_it_lacks():
    with pytest.raises(PolicyError) as refusal:
        parse_policy("", "ours.toml")
    for missing in ("association is missing", "calendar is missing", "commitments is missing", "repairs is missing"):
        assert any(missing in fault for fault in refusal.value.faults)


VALUES = [
    "5",
    '"x"',
    "[]",
    "[5]",
    "{}",
    "{ a = 1 }",
    "true",
    "2026-01-01",
    '""',
    "[[]]",
    "1.5",
    "[{}]",
    '["x"]',
    "-3",
    "10:00:00",
]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_is_wrong_with_a_file_is_a_refusal_with_lines_and_never_a_crash(data):
    lines = BERWICKSHIRE.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        key = re.match(r"\w+ = ", lines[number])
        header = re.fullmatch(r"\[+([\w.]+)\]+", lines[number])
        if key:
            lines[number] = key[0] + data.draw(st.sampled_from(VALUES))
        elif header:
            lines[number] = data.draw(st.sampled_from([f"[{header[1]}x]", f"[[{header[1]}]]", "here = 5"]))
        else:
            lines[number] = ""
    assert all(re.match(r"ours\.toml:\d+: \w", fault) for fault in faults("\n".join(lines)))


def faults(text: str) -> tuple[str, ...]:
    try:
        parse_policy(text, "ours.toml")
    except PolicyError as refusal:
        return refusal.faults
    return ()
