"""Another system beside the whole product: it is told of a case that a tenant opens by text, and asks what it is about."""

from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.desk import token as tokens
from bot.desk import webhook as hooks
from tests.e2e.conftest import World


async def test_a_text_becomes_a_case_that_another_system_is_told_of_and_reads(world: World) -> None:
    told = []

    async def listen(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/told", listen)
    office, now = world.doorstep.office, world.clock.now()
    async with TestServer(app) as server:
        url = str(server.make_url("/told"))
        await world.doorstep.store.run(lambda s: hooks.add(s, office, url, ["case.opened"], now=now, actor="test"))
        _, token = await world.doorstep.store.run(
            lambda s: tokens.add(s, office, "housing system", ["read:cases"], now=now, actor="test")
        )
        await world.text("the stair light is out and I fell, there are sparks coming from the fuse box")
        await world.doorstep.webhooks.settle()
    reference = told[0]["data"]["case"]
    assert (told[0]["type"], told[0]["data"]["priority"]) == ("case.opened", "emergency")
    address = f"{world.base}/api/v1/cases/{reference}"
    async with world.http.get(address) as refused:
        assert refused.status == 401
    async with world.http.get(address, headers={"Authorization": f"Bearer {token}"}) as answer:
        case = await answer.json()
    assert (case["reference"], case["next_due"]["commitment"]) == (reference, "emergency_repair")
    assert "sparks" in case["words"]
