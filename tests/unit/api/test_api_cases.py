"""What other systems read about cases, and that every date is explained alike wherever it is asked for."""

import json
from datetime import date, timedelta

import pytest
from unit.api.house import MONDAY, PHONE, House

from bot.desk import case as cases
from bot.desk import milestone
from bot.desk.choice import Choice, choose_later
from bot.store.tables import Case, Clock, Event


async def test_a_case_is_read_whole_with_its_promises_and_why_each_date_is_what_it_is(house: House) -> None:
    await house.let_in("read:cases")
    case = await house.open(room="kitchen")
    told = (await house.get(f"/cases/{case.reference}")).json
    assert (told["reference"], told["kind"], told["category"], told["status"]) == (
        case.reference, "repair", "dripping_tap", "open",
    )  # fmt: skip
    assert (told["words"], told["details"]) == ("the tap drips", {"room": "kitchen"})
    clock = next(each for each in told["clocks"] if each["commitment"] == "routine_repair")
    assert (clock["state"], clock["due_at"], clock["clause"]) == ("running", "2026-12-03T23:59:59Z", "B:112")
    assert "Due: Thursday 3 December 2026, 11:59:59pm." in clock["why"]
    assert told["next_due"]["commitment"] == min(told["clocks"], key=lambda each: each["due_at"])["commitment"]
