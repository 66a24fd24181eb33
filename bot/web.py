"""The aiohttp application: built from route tables that are handed to it, it knows none of those who made them."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from bot import faults

log = logging.getLogger(__name__)

LARGEST_BODY: Final = 256 * 1024
"""Bytes. No provider's webhook comes near it; photos have an upload path of their own."""

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

Check = Callable[[], Awaitable[Mapping[str, bool | int | str]]]
"""What readiness looks at: names and values; a value of False means not ready."""


def application(
    routes: Iterable[web.AbstractRouteDef], *, ready: Check, figures: CollectorRegistry,
    middlewares: Iterable[Middleware] = (),
) -> web.Application:  # fmt: skip
    """The application that serves `routes` beside `/healthz`, `/readyz` and `/metrics`."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_guard, *middlewares])
    app.router.add_routes(routes)
    app.router.add_get("/healthz", _healthz)

    async def readyz(_request: web.Request) -> web.Response:
        found = dict(await ready())
        failing = any(value is False for value in found.values())  # `in` would take a backlog of 0 for False
        return web.json_response(found, status=503 if failing else 200)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(figures), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"alive": True})


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Security headers on everything; a fault becomes a plain 500 that repeats nothing of the request."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        _add_headers(error)
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the caller gets a plain answer
        resource = request.match_info.route.resource
        log.error("request_failed", extra={"route": resource.canonical if resource else "none"} | faults.of(error))
        response = web.Response(status=500, text="Something went wrong on our side. Please try again.")
    if not response.prepared:
        _add_headers(response)
    return response


def _add_headers(response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Content-Security-Policy", _POLICY)
