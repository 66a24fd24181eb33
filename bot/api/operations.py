"""One definition of each operation, from which both its route and its description are made: they cannot come to differ."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from bot import __doc__ as _about
from bot.api.problems import MEDIA_TYPE, TITLES, Problem, ProblemAnswer
from bot.api.questions import Question
from bot.desk.publish import EVENTS, PING
from bot.desk.token import SCOPES
from bot.store.outside import ApiToken

BASE: Final = "/api/v1"
DESCRIPTION: Final = f"{BASE}/openapi.json"
_IN_PATH: Final = re.compile(r"{(\w+)}")
_REF: Final = "#/components/schemas/{model}"
_ABOUT: Final = """\
Reads what Doorstep holds: cases and their promises, conversations, contacts, performance, the policy. Nothing is changed
through it. Every reading of personal data is on record. Fields may be added to answers: ignore those you do not know."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What of a person's data an answer holds: written down before it is sent."""

    subject: str
    """The id of the row that was read."""
    what: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation answers: a model, or a file."""

    answer: BaseModel | None = None
    file: str = ""
    name: str = ""
    """Of a file: what it is to be saved as."""
    readings: Sequence[Reading] = ()


Handle = Callable[[ApiToken, Any, datetime], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that can be asked."""

    path: str
    """Below `BASE`; what stands in braces is a field of `question`."""
    id: str
    tag: str
    summary: str
    scope: str
    question: type[Question]
    answer: type[BaseModel] | None
    """None: the answer is an HTML file."""
    handle: Handle
    description: str = ""

    @property
    def in_path(self) -> Sequence[str]:
        return _IN_PATH.findall(self.path)

    def read(self, request: web.Request) -> Question:
        """What is asked. Raises Problem that names everything that is wrong with it, and where."""
        given: dict[str, Any] = dict(request.match_info)
        faults = []
        for name in dict.fromkeys(request.query):
            values = request.query.getall(name)
            if name in given or len(values) > 1:
                faults.append({"in": "query", "name": name, "detail": "is given more than once"})
            given.setdefault(name, values[0])
        try:
            asked = self.question.model_validate(given)
        except ValidationError as error:
            faults += [self._fault(each["loc"], each["type"], each["msg"]) for each in error.errors(include_url=False)]
        if faults:
            count = "1 thing is" if len(faults) == 1 else f"{len(faults)} things are"
            raise Problem("invalid-request", f"{count} wrong with it.", errors=faults)
        return asked

    def _fault(self, place: tuple[int | str, ...], kind: str, said: str) -> dict[str, str]:
        name = str(place[0]) if place else ""
        if kind == "extra_forbidden":
            known = ", ".join(each for each in _names(self.question) if each not in self.in_path)
            said = f"is not a parameter of this; there are {known}" if known else "is not a parameter: there are none"
        return {
            "in": "path" if name in self.in_path else "query", "name": name, "detail": said.removeprefix("Value error, "),
        }  # fmt: skip


def _names(question: type[Question]) -> list[str]:
    return [field.alias or name for name, field in question.model_fields.items()]


# --- the description


def describe(operations: Sequence[Operation], server: str | None) -> dict[str, Any]:
    """The OpenAPI 3.1 document of these operations, and of the webhooks."""
    models: list[type[BaseModel]] = [each.answer for each in operations if each.answer is not None]
    models.append(ProblemAnswer)
    _, found = models_json_schema([(each, "serialization") for each in models], ref_template=_REF)
    schemas = found["$defs"] | {"Event": _event_schema()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Doorstep", "version": "1", "description": _ABOUT, "summary": (_about or "").splitlines()[0]},
        "servers": [{"url": f"{server or ''}{BASE}"}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in operations)],
        "paths": {each.path: {"get": _operation(each)} for each in operations},
        "webhooks": {told.name: {"post": _webhook(told.name, told.summary)} for told in (*EVENTS.values(), PING)},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer",
                    "description": "Made by `doorstep token add`. Scopes: "
                    + "; ".join(f"`{scope}`: {what}" for scope, what in SCOPES.items()),
                },
            },
        },
    }  # fmt: skip


def _operation(operation: Operation) -> dict[str, Any]:
    scope = f"Scope: `{operation.scope}`."
    content: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}
    if operation.answer is not None:
        content = {"application/json": {"schema": {"$ref": _REF.format(model=operation.answer.__name__)}}}
    etag = {"ETag": {"schema": {"type": "string"}, "description": "Send it back as If-None-Match."}}
    problems = {
        str(status): {
            "description": title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model=ProblemAnswer.__name__)}}},
        }
        for kind, (status, title) in TITLES.items()
        if kind not in {"no-token", "method-not-allowed"}
    }
    unchanged = {"304": {"description": "It is as it was under the ETag that was sent."}}
    return {
        "operationId": operation.id, "tags": [operation.tag], "summary": operation.summary,
        "description": f"{operation.description} {scope}".strip(), "parameters": _parameters(operation),
        "responses": {
            "200": {"description": "The answer.", "content": content} | ({"headers": etag} if operation.answer else {}),
            **(unchanged if operation.answer else {}), **problems,
        },
    }  # fmt: skip


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    schema = operation.question.model_json_schema(mode="validation")
    found = []
    for name, field in schema.get("properties", {}).items():
        shape = {key: value for key, value in field.items() if key not in {"title", "description"}}
        options = [each for each in shape.get("anyOf", ()) if each != {"type": "null"}]
        if len(options) == 1:  # what may be left out is left out, and never null
            shape = options[0] | {key: value for key, value in shape.items() if key not in {"anyOf", "default"}}
        in_path = name in operation.in_path
        described = {"description": field["description"]} if "description" in field else {}
        found.append(
            {
                "name": name,
                "in": "path" if in_path else "query",
                "required": in_path or name in schema.get("required", ()),
            }
            | described
            | {"schema": shape}
        )
    return found


def _webhook(name: str, summary: str) -> dict[str, Any]:
    headers = {
        "webhook-id": "The id of the event: the same at every attempt.",
        "webhook-timestamp": "When it was signed, in seconds since 1970.",
        "webhook-signature": "`v1,` and the base64 of the HMAC-SHA256 of id, timestamp and body, joined by full stops, "
        "under the webhook's secret.",
    }  # fmt: skip
    return {
        "operationId": name, "summary": summary, "security": [], "tags": [],
        "parameters": [
            {"name": each, "in": "header", "required": True, "description": words, "schema": {"type": "string"}}
            for each, words in headers.items()
        ],
        "requestBody": {
            "required": True, "content": {"application/json": {"schema": {"$ref": _REF.format(model="Event")}}},
        },
        "responses": {
            "2XX": {"description": "It has arrived."}, "410": {"description": "Nobody listens here any more: tell us nothing."},
        },
    }  # fmt: skip


def _event_schema() -> dict[str, Any]:
    instant = {"type": "string", "format": "date-time"}
    return {
        "type": "object", "description": "Something that happened. Ask the API for what it was about.",
        "required": ["id", "type", "timestamp", "data"],
        "properties": {
            "id": {"type": "string"},
            "type": {"enum": sorted({told.name for told in (*EVENTS.values(), PING)})},
            "timestamp": instant,
            "data": {
                "type": "object",
                "properties": {
                    "case": {"type": "string", "description": "The case's reference."}, "kind": {"type": "string"},
                    "category": {"type": "string"}, "priority": {"type": "string"}, "status": {"type": "string"},
                    "clock": {"type": "string"}, "handover": {"type": "string"}, "conversation": {"type": "string"},
                    "commitment": {"type": "string"}, "due": instant, "due_before": instant,
                    "late": {"type": "boolean"}, "told": {"type": "boolean"},
                },
            },
        },
    }  # fmt: skip
