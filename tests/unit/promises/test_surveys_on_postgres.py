"""Several processes ask at the same time how repairs went."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from sqlmodel import Session

from bot.desk import milestone, survey
from bot.links import Links
from bot.store import Store, open_store, schema
from bot.store.tables import Case, Event, Message, Survey
from bot.surveys import Surveys
from tests.unit.promises.house import House


@pytest.fixture
def stores(postgres_server: str) -> Iterator[list[Store]]:
    """Three connections' worth of processes over one database."""
    name = f"s{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    opened = [open_store(f"{postgres_server}/{name}") for _ in range(3)]
    schema.migrate(opened[0])
    yield opened
    for each in opened:
        each.close_now()


@pytest.mark.postgres
async def test_three_processes_ask_each_person_once_and_an_answer_counts_for_all_their_repairs(
    stores: list[Store],
) -> None:
    house = House(stores[0], "east_lothian")
    for number in range(8):
        for category in ("dripping_tap", "gutter"):
            case = await house.open(category=category, address=f"+4477009003{number:02}")

            def finish(session: Session, case_id: str = case.id) -> None:
                mine = session.get_one(Case, case_id)
                milestone.reached(session, house.office, mine, "completed", house.staff, now=house.now)

            await house.run(finish)
    house.clock.move_to(datetime(2026, 11, 24, 11, 5, tzinfo=UTC))
    links = Links("k" * 40, "https://example.org", house.clock)
    sweepers = [Surveys(each, house.office, links, house.clock, house.outbox.nudge) for each in stores]
    await asyncio.gather(*(each.sweep() for each in sweepers))
    await asyncio.gather(*(each.sweep() for each in sweepers))
    asked = [each for each in await house.rows(Message) if each.kind == "survey"]
    assert sorted(each.address for each in asked) == [f"+4477009003{number:02}" for number in range(8)]
    await house.deliver()

    def answer(session: Session) -> None:
        one = session.get_one(Survey, asked[0].detail["surveys"][0])
        survey.rate(session, house.office, one, 5, by="sms", now=house.now)

    await house.run(answer)
    assert [each.score for each in await house.rows(Survey)].count(5) == 2
    assert len([each for each in await house.rows(Event) if each.verb == "survey_answered"]) == 2
    clocks = [each for each in (await house.clocks()).values() if each.commitment == "repair_survey"]
    assert {each.state for each in clocks} == {"met"}
