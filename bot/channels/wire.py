"""HTTP towards a provider: an answer, or the channel error that its absence means.

Client libraries blur "the connection was never made" and "no answer came", log addresses with tokens and numbers in them, and
drop the Retry-After header. So ours are each given a transport that is a few lines around this. It logs nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import hdrs

from bot.channels import PermanentFailure, TemporaryFailure, UnknownOutcome

LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of an answer that is not a file: a hundred updates with long texts stay well below."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer with a status below 500, other than 429."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Wire:
    """Connections to one provider, opened when first needed. `timeout` is in seconds, for a whole exchange."""

    def __init__(self, provider: str, timeout: float) -> None:
        self._provider = provider
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float = 0.0,
        largest: int = LARGEST_ANSWER,
    ) -> Answer:
        """One request; redirections are not followed. `patience` is how many seconds more than usual the provider may take.

        Raises TemporaryFailure if the provider cannot have acted on the request (never connected, 429, 5xx), UnknownOutcome
        if it may have, and PermanentFailure if the answer has more than `largest` bytes.
        """
        if self._session is None:
            # Idle connections are given up before the provider closes them: a send that meets a connection just being
            # closed is one whose outcome is unknown.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200, keepalive_timeout=10))
        limits = aiohttp.ClientTimeout(total=self._timeout + patience, sock_connect=min(self._timeout, 5.0))
        try:
            async with self._session.request(
                method, url, params=params, data=data, headers=headers, timeout=limits, allow_redirects=False
            ) as response:
                body = await _read(response, largest)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TemporaryFailure(f"{self._provider} could not be reached") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnknownOutcome(f"the connection to {self._provider} broke off") from error
        if len(body) > largest:
            raise PermanentFailure(f"{self._provider} answered with more than {largest} bytes")
        if response.status == 429 or response.status >= 500:
            said = _object(body)
            raise TemporaryFailure(
                f"{self._provider} answered {response.status}",
                code=str(said.get("code") or response.status),
                retry_after=_retry_after(response.headers, said),
            )
        return Answer(response.status, body, response.headers)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    """The body, or so much of it that it is seen to be too large."""
    chunks = bytearray()
    async for chunk in response.content.iter_any():
        chunks += chunk
        if len(chunks) > largest:
            response.close()
            break
    return bytes(chunks)


def _object(body: bytes) -> dict[str, Any]:
    """What a provider says in JSON; a gateway in front of it answers in other forms."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _retry_after(headers: Mapping[str, str], said: Mapping[str, Any]) -> float | None:
    """How many seconds to wait: Twilio says so in the header, Telegram in the answer. (The header may also hold a date,
    which no provider of ours sends.)"""
    header = headers.get(hdrs.RETRY_AFTER, "").strip()
    if header.isdecimal():
        return float(header)
    parameters = said.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return float(seconds) if isinstance(seconds, int | float) else None
