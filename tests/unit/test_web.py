"""The HTTP application's own promises: readiness, headers, and faults that repeat nothing."""

import logging
from collections.abc import Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter

from bot.web import LARGEST_BODY, application

SECRET = "my flat is full of smoke, 07700 900123"


async def _fault(_request: web.Request) -> web.Response:
    raise RuntimeError(SECRET)


async def _take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


def app(found: Mapping[str, bool | int | str]) -> web.Application:
    async def ready() -> Mapping[str, bool | int | str]:
        return found

    figures = CollectorRegistry()
    Counter("doorstep_things", "Things", registry=figures).inc()
    return application([web.get("/fault", _fault), web.post("/take", _take)], ready=ready, figures=figures)


@pytest.mark.parametrize(
    ("found", "status"),
    [({"database": True, "backlog": 0}, 200), ({"database": False}, 503), ({"database": True, "backlog": 7}, 200)],
)
async def test_readiness_is_what_was_found(found: Mapping[str, bool | int | str], status: int) -> None:
    async with TestClient(TestServer(app(found))) as client, client.get("/readyz") as answer:
        assert answer.status == status
        assert await answer.json() == found


async def test_a_fault_repeats_nothing_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with TestClient(TestServer(app({}))) as client, client.get("/fault") as answer:
            assert answer.status == 500
            assert SECRET not in await answer.text()
    assert "request_failed" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("path", ["/healthz", "/fault", "/nowhere"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    async with TestClient(TestServer(app({}))) as client, client.get(path) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_metrics_are_in_prometheus_form() -> None:
    async with TestClient(TestServer(app({}))) as client, client.get("/metrics") as answer:
        assert "doorstep_things_total 1.0" in await answer.text()


async def test_a_body_too_large_for_any_webhook_is_refused() -> None:
    async with (
        TestClient(TestServer(app({}))) as client,
        client.post("/take", data=b"x" * (LARGEST_BODY + 1)) as answer,
    ):
        assert answer.status == 413
