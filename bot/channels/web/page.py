"""The hosted chat page, its words and its static files: read once, checked at start, served with strict headers."""

import hashlib
import json
import re
import string
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.channels.web.frames import LONGEST_TEXT

HERE: Final = Path(__file__).parent

PhoneNumbers = Callable[[], Sequence[tuple[str, str]]]
"""The numbers to ring at this hour, each with its label, the most urgent first."""

_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_PLACEHOLDERS: Final = {"service", "numbers", "left", "limit"}
_NOT_DIALLED: Final = re.compile(r"[^\d+]")


class WordsError(ValueError):
    """The web chat's words cannot be used; the message is `file:line: reason`."""


@dataclass(frozen=True, slots=True)
class Words:
    """The web chat's own words, by section."""

    page: Mapping[str, Any]
    widget: Mapping[str, str]
    errors: Mapping[str, str]
    privacy: Mapping[str, Any]


def load_words(path: Path = HERE / "words.toml") -> Words:
    """Read and check the words. Raises WordsError for a missing or unknown key or placeholder, and for bad TOML."""
    text = path.read_text(encoding="utf-8")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise WordsError(f"{path}:{line[1] if line else 1}: {error}") from error
    expected = tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))
    for section, keys in expected.items():
        given = tables.get(section, {})
        for key in keys:
            if not given.get(key) or type(given[key]) is not type(keys[key]):
                raise WordsError(f"{path}:{_line(text, f'[{section}]')}: [{section}] has no usable {key}")
        for key in given:
            if key not in keys:
                raise WordsError(f"{path}:{_line(text, key)}: [{section}] {key} is not a word of the web chat")
            _check_placeholders(path, text, key, given[key])
    return Words(tables["page"], tables["widget"], tables["errors"], tables["privacy"])


def _check_placeholders(path: Path, text: str, key: str, value: str | list[str]) -> None:
    for words in [value] if isinstance(value, str) else value:
        for _, name, _, _ in string.Formatter().parse(words):
            if name is not None and name not in _PLACEHOLDERS:
                raise WordsError(f"{path}:{_line(text, key)}: {key} has an unknown placeholder {{{name}}}")


def _line(text: str, start: str) -> int:
    return next((number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start)), 1)


def spoken(numbers: Sequence[tuple[str, str]]) -> str:
    """The numbers as one phrase for the end of a sentence."""
    return ", ".join(f"{label} {number}" for label, number in numbers)


class Pages:
    """`/chat`, `/widget.js` and `/chat/static/…`, whole in memory: a request reads no file.

    `frame_ancestors` are the CSP sources that may embed the page (`'self'` and the landlord's own websites).
    """

    def __init__(
        self,
        words: Words,
        *,
        service_name: str,
        numbers: PhoneNumbers,
        privacy_url: str | None,
        frame_ancestors: Sequence[str],
        public_url: str | None,
    ) -> None:
        for source in frame_ancestors:
            if re.search(r"[\s;,]", source) or not source:
                raise ValueError(f"{source!r} cannot be a frame ancestor")
        self._words = words
        self._service_name = service_name
        self._numbers = numbers
        self._privacy_url = privacy_url
        self._ancestors = " ".join(frame_ancestors) or "'none'"
        self._public_url = public_url
        environment = Environment(
            loader=FileSystemLoader(HERE / "static"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._template = environment.get_template("chat.html")
        self._notice = environment.get_template("privacy.html").render(
            words=words.privacy, service=service_name, language=words.page["language"]
        )
        self._files = {
            path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted((HERE / "static").iterdir())
            if path.suffix in _TYPES and path.name != "widget.js"
        }
        digest = hashlib.sha256(b"".join(content for content, _ in self._files.values())).hexdigest()[:12]
        self._tag = f'"{digest}"'
        settings = json.dumps(dict(words.widget), ensure_ascii=False)
        self._widget = (
            (HERE / "static" / "widget.js").read_text(encoding="utf-8").replace('"__WORDS__"', settings).encode()
        )
        self._widget_tag = f'"{hashlib.sha256(self._widget).hexdigest()[:12]}"'

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/chat", self.chat),
            web.get("/chat/static/{name}", self.static),
            web.get("/widget.js", self.widget),
            web.get("/privacy", self.privacy),
        ]

    async def privacy(self, _request: web.Request) -> web.Response:
        """The privacy notice, for associations whose policy names no page of their own."""
        return web.Response(text=self._notice, content_type="text/html")

    async def chat(self, request: web.Request) -> web.Response:
        """The chat page: alone, or inside the widget with `?embed=1`."""
        numbers = [
            {"label": label, "number": number, "dial": _NOT_DIALLED.sub("", number)}
            for label, number in self._numbers()
        ]
        page = {
            key: words.replace("{service}", self._service_name) if isinstance(words, str) else words
            for key, words in self._words.page.items()
        }
        config = {"words": page, "service": self._service_name, "numbers": numbers, "limit": LONGEST_TEXT}
        body = self._template.render(
            words=page,
            service=self._service_name,
            numbers=numbers,
            privacy_url=self._privacy_url,
            embedded=request.query.get("embed") == "1",
            theme=request.query.get("theme") if request.query.get("theme") in {"light", "dark"} else "auto",
            # `<` written as an escape, so that no word can end the script element it stands in.
            config=json.dumps(config, ensure_ascii=False).replace("<", "\\u003c"),
        )
        return web.Response(text=body, content_type="text/html", headers=self._headers(request))

    def _headers(self, request: web.Request) -> dict[str, str]:
        connect = "'self'"
        # Safari before 15.4 does not count wss: as 'self'.
        host = self._public_url.split("//", 1)[1] if self._public_url else request.host
        if re.fullmatch(r"[A-Za-z0-9.\-]+(:\d+)?", host):
            connect += f" ws://{host} wss://{host}"
        return {
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                f"connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors {self._ancestors}"
            ),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
        }

    async def static(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        content, media_type = found
        # One tag for all files: modules import each other, so they must change together.
        headers = {"ETag": self._tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if request.headers.get("If-None-Match") == self._tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=content, content_type=media_type, charset="utf-8", headers=headers)

    async def widget(self, request: web.Request) -> web.Response:
        """The launcher script, for other sites to load (hence open to every origin: it holds no secret)."""
        headers = {
            "ETag": self._widget_tag,
            "Cache-Control": "public, max-age=600",
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "X-Content-Type-Options": "nosniff",
        }
        if request.headers.get("If-None-Match") == self._widget_tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._widget, content_type="text/javascript", charset="utf-8", headers=headers)
