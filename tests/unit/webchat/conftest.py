import aiohttp
import pytest
from unit.webchat.chat_server import ChatServer, Tab


@pytest.fixture
async def serve():
    """Start a server with these options; it is stopped when the test is over."""
    servers = []

    async def start(*arguments, **options):
        servers.append(ChatServer(*arguments, **options))
        return await servers[-1].start()

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def server(serve):
    return await serve()


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def tab(http, server):
    """A tab that has said hello and has a session of its own."""
    tab = await Tab(http, server).connect()
    yield tab
    await tab.close()
