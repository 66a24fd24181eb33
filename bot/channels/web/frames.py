"""The frames of the web chat's socket, JSON text both ways: read into values, written from values. Pure.

Unknown types and unknown fields are ignored by both sides, so that an old page and a new server understand each other.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bot.messages import Choice

LONGEST_TEXT: Final = 2_000
"""Characters (code points) a tenant may send in one message."""

_LARGEST_SEQ: Final = 2**53 - 1  # the largest whole number a browser can hold exactly
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class BadFrame(ValueError):
    """A frame that is not understood. `code` is what the client is told, `client_id` the message it was about."""

    def __init__(self, code: str, client_id: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.client_id = client_id


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame: which session, and the last `seq` that the client has seen of it."""

    token: str | None
    after: int


@dataclass(frozen=True, slots=True)
class Say:
    """Something the tenant typed."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Press:
    """A button the tenant pressed."""

    id: str
    value: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The tenant has seen everything up to `seq`: the web's delivery receipt."""

    seq: int


@dataclass(frozen=True, slots=True)
class Typing:
    """The tenant is typing."""


ClientFrame = Hello | Say | Press | Seen | Typing


@dataclass(frozen=True, slots=True)
class WebMessage:
    """One message of a session's transcript, in either direction, as the page shows it."""

    seq: int
    """Its place in the session, rising over both directions and over every conversation of the session."""
    id: str
    """The message's id; for the tenant's own messages the id that their browser gave it."""
    author: str
    """`bot`, `staff` or `tenant`."""
    name: str
    text: str
    choices: tuple[Choice, ...]
    at: datetime
    urgent: bool = False
    """Safety advice: shown apart and announced at once."""


def parse(raw: str) -> ClientFrame | None:
    """The client's frame, or None for a type that this server does not know. Raises BadFrame for anything else."""
    try:
        frame = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadFrame("bad_json") from error
    if not isinstance(frame, dict):
        raise BadFrame("bad_json")
    match frame.get("type"):
        case "hello":
            token = frame.get("session")
            return Hello(token if isinstance(token, str) else None, _seq(frame.get("after") or 0))
        case "message":
            return _say(frame)
        case "choice":
            client_id = _client_id(frame)
            value = frame.get("value")
            if not isinstance(value, str) or not value or len(value) > LONGEST_TEXT:
                raise BadFrame("bad_frame", client_id)
            return Press(client_id, value)
        case "ack":
            return Seen(_seq(frame.get("seq")))
        case "typing":
            return Typing()
        case str():
            return None
        case _:
            raise BadFrame("bad_frame")


def session_frame(token: str, *, is_open: bool, name: str, replay: int) -> str:
    """`replay` says how many messages of the past follow: a page does not read those out as news."""
    return _write({"type": "session", "token": token, "open": is_open, "name": name, "replay": replay})


def message_frame(message: WebMessage) -> str:
    frame: dict[str, Any] = {
        "type": "message",
        "seq": message.seq,
        "id": message.id,
        "from": message.author,
        "name": message.name,
        "text": message.text,
        "choices": [{"label": choice.label, "value": choice.value} for choice in message.choices],
        "at": message.at.astimezone(UTC).isoformat(timespec="milliseconds"),
    }
    if message.urgent:
        frame["urgent"] = True
    return _write(frame)


def accepted_frame(client_id: str, seq: int) -> str:
    return _write({"type": "accepted", "id": client_id, "seq": seq})


def typing_frame(name: str) -> str:
    return _write({"type": "typing", "name": name})


def error_frame(code: str, text: str, client_id: str | None = None) -> str:
    frame = {"type": "error", "code": code, "text": text}
    if client_id is not None:
        frame["id"] = client_id
    return _write(frame)


def _say(frame: Mapping[str, Any]) -> Say:
    client_id = _client_id(frame)
    text = frame.get("text")
    if not isinstance(text, str):
        raise BadFrame("bad_frame", client_id)
    text = _storable(text)
    if not text:
        raise BadFrame("empty", client_id)
    if len(text) > LONGEST_TEXT:
        raise BadFrame("too_long", client_id)
    return Say(client_id, text)


def _client_id(frame: Mapping[str, Any]) -> str:
    client_id = frame.get("id")
    if not isinstance(client_id, str) or not _CLIENT_ID.fullmatch(client_id):
        raise BadFrame("bad_frame")
    return client_id


def _seq(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST_SEQ:
        raise BadFrame("bad_frame")
    return value


def _storable(text: str) -> str:
    """Without control characters (PostgreSQL refuses NUL) and halves of surrogate pairs (no encoding can write them)."""
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def _write(frame: Mapping[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
