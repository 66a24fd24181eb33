"""What text messages and calls through Twilio have in common: how its library reaches it, and how its calls to us are known."""

import logging
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from aiohttp import hdrs, web
from multidict import MultiDict
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator

from bot.channels.wire import Wire

log = logging.getLogger(__name__)


async def signed_by_twilio(request: web.Request, validator: RequestValidator, public_url: str) -> MultiDict[str]:
    """The parameters of a call that Twilio has signed; anything else is turned away."""
    signature = request.headers.get("X-Twilio-Signature", "")
    body = await request.read()
    try:
        # Twilio signs values as they are: blanks are kept and nothing is trimmed.
        params = MultiDict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=500))
    except ValueError as error:
        raise web.HTTPBadRequest(text="not a form") from error
    # Behind a proxy the address we see is not the one Twilio called, so it is put together from the public one.
    if not signature or not validator.validate(public_url + request.raw_path, params, signature):
        log.warning("call_refused", extra={"path": request.path})
        raise web.HTTPForbidden(text="not signed by Twilio")
    return params


def at(api_url: str | None, address: str) -> str:
    """One of Twilio's addresses, moved to where DOORSTEP_TWILIO_API_URL says."""
    if api_url is None:
        return address
    parts = urlsplit(address)
    return api_url + parts.path + (f"?{parts.query}" if parts.query else "")


class Transport(AsyncHttpClient):  # type: ignore[misc]
    """How Twilio's library reaches Twilio, or whatever stands at `api_url`: the library has no setting for that."""

    def __init__(self, wire: Wire, api_url: str | None) -> None:
        super().__init__(log, is_async=True)
        self._wire = wire
        self._api_url = api_url

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        allow_redirects: bool = False,
    ) -> Response:
        headers = dict(headers or {})
        if auth is not None:
            headers[hdrs.AUTHORIZATION] = aiohttp.encode_basic_auth(*auth)
        known = {name: str(value) for name, value in (params or {}).items() if value is not None}
        # The library names the form's type itself; aiohttp, given a mapping, would prepare for files as well.
        form = urlencode(data, doseq=True).encode() if data else None
        answer = await self._wire.call(
            method.upper(), at(self._api_url, uri), params=known or None, data=form, headers=headers
        )
        return Response(answer.status, answer.body.decode("utf-8", "replace"), answer.headers)
