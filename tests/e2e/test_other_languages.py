"""Someone writes in another language than English."""

from sqlmodel import select

from bot.store.tables import Case, Contact, Task
from tests.e2e.conftest import TENANT, World

ORDINARY = "Dzień dobry, kran w kuchni cieknie, proszę o pomoc"
GAS = "Czuć gaz w kuchni, proszę szybko pomóc"
INTERPRETERS = ("interpreter", "interpreter_unchecked")


async def calls(world: World) -> list[Task]:
    return [each for each in await world.tasks() if each.kind in INTERPRETERS]


async def language(world: World) -> str:
    return await world.doorstep.store.read(lambda session: session.exec(select(Contact)).one().language)


async def test_they_are_answered_in_it_and_an_interpreter_is_asked_for(world: World) -> None:
    said = await world.text(ORDINARY)

    assert any("z tłumaczem" in each for each in said), said
    assert await language(world) == "pl"
    [case] = await world.cases()
    assert (case.kind, case.category, case.details["language"]) == ("service_request", "format", "pl")
    assert case.words == ORDINARY
    [task] = await calls(world)
    assert task.kind == "interpreter_unchecked", "no speaker of Polish has read our words yet, and staff have to know"
    assert task.detail == "Polish"


async def test_what_they_write_next_goes_to_the_same_request(world: World) -> None:
    await world.text(ORDINARY)
    said = await world.text("Proszę przyjść jutro, jestem w domu po południu")

    assert any("Przekazaliśmy" in each for each in said), said
    [case] = await world.cases()
    assert len(case.details["added"]) == 1
    assert len(await calls(world)) == 1


async def test_danger_comes_first_and_in_their_words(world: World) -> None:
    said = await world.text(GAS)

    assert "0800 111 999" in said[0]
    assert "Zadzwoń" in said[0]
    assert any("z tłumaczem" in each for each in said)
    [case] = await world.cases()
    assert case.hazard == "gas_leak"
    [task] = await calls(world)
    assert task.urgent
    assert task.case_id == case.id


async def test_the_questions_after_the_advice_are_in_their_words_too(world: World) -> None:
    said = await world.text(GAS)
    assert any("Jaki jest Twój adres?" in each for each in said), said

    await world.text("14 High Street, Duns")
    [case] = await world.cases()
    assert case.details["address"] == "14 High Street, Duns"


async def test_an_interpreter_is_called_for_once_in_an_emergency(world: World) -> None:
    await world.text(GAS)
    said = await world.text("Nadal czuć gaz w kuchni")

    assert not any("tłumaczem" in each for each in said), said
    assert len(await calls(world)) == 1


async def test_english_stays_english(world: World) -> None:
    await world.text("my kitchen tap is dripping", sender=TENANT)

    assert await language(world) == "en"
    assert await calls(world) == []
    assert all(isinstance(each, Case) and "language" not in each.details for each in await world.cases())
