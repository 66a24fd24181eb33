"""Someone at risk at home: careful words, a person at once, and no trace where that is unsafe."""

from sqlmodel import select

from bot.store.tables import Contact
from tests.e2e.conftest import World


async def test_whoever_says_it_is_not_safe_to_write_is_not_written_to(world: World) -> None:
    said = await world.text("my husband hit me again and i am scared of him")
    assert "0800 027 1234" in said[0]
    assert not any("High Street" in each or "address" in each for each in said)
    await world.text("in the bathroom, the door is locked")
    await world.text("no he checks my phone")

    contact = await world.doorstep.store.read(lambda session: session.exec(select(Contact)).one())
    assert contact.no_trace_since == world.clock.now()
    [case] = await world.cases()
    assert (case.category, case.details["safe_to_message"]) == ("safeguarding", "no")
    assert [each.kind for each in await world.tasks() if each.urgent] == ["safeguarding"]
