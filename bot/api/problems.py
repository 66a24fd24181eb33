"""What is wrong with a request, as `application/problem+json` (RFC 9457): which rule, what it says, and where.

Problem
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, Field

MEDIA_TYPE: Final = "application/problem+json"
TITLES: Final[Mapping[str, tuple[int, str]]] = {
    "no-token": (401, "A token is needed"),
    "bad-token": (401, "This token does not let anybody in"),
    "missing-scope": (403, "This token is not good for that"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "This address can only be read"),
    "invalid-request": (422, "The request does not say what is wanted"),
    "too-many-requests": (429, "Too many requests"),
    "server-error": (500, "Something went wrong on our side"),
}
"""Each kind of problem, with its status."""


class Fault(BaseModel):
    """One thing that is wrong, and where."""

    where: str = Field(alias="in", description="`path`, `query` or `header`.")
    name: str
    detail: str


class ProblemAnswer(BaseModel):
    """What is wrong with a request (RFC 9457)."""

    type: str = Field(description=f"`urn:doorstep:problem:` and one of {', '.join(TITLES)}.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for.")
    errors: list[Fault] | None = Field(None, description="Of an invalid request: everything that is wrong with it.")


@dataclass
class Problem(Exception):
    """Raised wherever a request is found wanting; becomes the answer."""

    kind: str
    detail: str
    errors: Sequence[Mapping[str, str]] = ()
    headers: Mapping[str, str] | None = None

    def answer(self, path: str) -> web.Response:
        status, title = TITLES[self.kind]
        told: dict[str, Any] = {
            "type": f"urn:doorstep:problem:{self.kind}", "title": title, "status": status, "detail": self.detail,
            "instance": path,
        }  # fmt: skip
        if self.errors:
            told["errors"] = [dict(each) for each in self.errors]
        headers = {"Cache-Control": "no-store", **(self.headers or {})}
        return web.Response(
            status=status, body=json.dumps(told, ensure_ascii=False).encode(), headers=headers, content_type=MEDIA_TYPE
        )
