import pytest

from bot.sla import Policy, load_policy


@pytest.fixture(scope="session")
def berwickshire() -> Policy:
    return load_policy("berwickshire")


@pytest.fixture(scope="session")
def east_lothian() -> Policy:
    return load_policy("east_lothian")


@pytest.fixture(scope="session", params=["berwickshire", "east_lothian"])
def policy(request: pytest.FixtureRequest) -> Policy:
    return load_policy(request.param)
