"""The page on which a tenant sends photos of their home. GET shows it and changes nothing; POST keeps what was sent.

It needs nothing but a form: no script, no cookie, no account. A file is taken for what is in it, is on disk before the answer,
and comes into the conversation like any photo that a phone sends.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel import Session

from bot.desk import attachment as desk
from bot.desk.brief import is_in_confidence
from bot.desk.office import Office
from bot.links import Link
from bot.messages import UPLOADED, Attachment, ChannelName, Content, Inbound, Say
from bot.store import Store
from bot.store.files import Files
from bot.store.tables import Case, Conversation
from bot.wallclock import WallClock

HERE: Final = Path(__file__).parent
UPLOAD: Final = "photo"
"""The purpose of the link; its subject is a case."""
LINK_LASTS: Final = timedelta(days=2)
LARGEST: Final = 10 * 1024 * 1024
"""Bytes of one file."""
MOST_AT_ONCE: Final = 10
MOST_FOR_A_CASE: Final = 40
_CHUNK: Final = 256 * 1024
_MOST_BYTES: Final = MOST_AT_ONCE * LARGEST + 1024 * 1024
"""Of one form. What is too large is read to its end up to this, so that a browser gets its answer."""
_LONGEST_NAME: Final = 60
_HEADERS: Final = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


@dataclass(frozen=True, slots=True)
class _About:
    """The case that a link is for."""

    id: str
    reference: str
    summary: str
    is_open: bool
    channel: str
    address: str
    sent: int
    """How many files it has from the page."""


@dataclass(slots=True)
class _Taken:
    """What came with one form."""

    files: list[Attachment] = field(default_factory=list)
    faults: list[Say] = field(default_factory=list)


class UploadPage:
    """`serve` is what `bot.links` calls for the purpose `UPLOAD`. `receive` takes in a message and returns once it is on disk;
    `refusal` is the page for a link that cannot be used."""

    def __init__(
        self, store: Store, office: Office, files: Files, wall_clock: WallClock,
        receive: Callable[[Inbound], Awaitable[Any]], refusal: Callable[[], web.Response],
    ) -> None:  # fmt: skip
        self._store = store
        self._office = office
        self._files = files
        self._wall_clock = wall_clock
        self._receive = receive
        self._refusal = refusal
        templates = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = templates.get_template("upload.html")

    async def serve(self, request: web.Request, link: Link) -> web.StreamResponse:
        about = await self._about(link)
        if about is None:
            return self._refusal()
        if request.method != "POST":
            return self._page(about)
        if not about.is_open or about.sent >= MOST_FOR_A_CASE:
            return self._page(about, status=409)
        try:
            taken = await self._take(request, min(MOST_AT_ONCE, MOST_FOR_A_CASE - about.sent))
        except _TooMuch:
            # The rest is not read: this connection can carry nothing more.
            page = self._page(about, [Say("utter_upload_stopped")], status=413)
            page.force_close()
            return page
        if taken.files:
            await self._receive(self._inbound(about, taken.files))
        if not taken.faults and taken.files:
            raise web.HTTPSeeOther(request.path)
        after = await self._about(link)
        return self._page(after or about, taken.faults or [Say("utter_upload_none")], status=400)

    async def _about(self, link: Link) -> _About | None:
        return await self._store.read(lambda session: _about(session, link.subject))

    # --- taking what is sent

    async def _take(self, request: web.Request, most: int) -> _Taken:
        taken, left = _Taken(), _MOST_BYTES
        if request.content_type != "multipart/form-data":
            return taken
        try:
            async for part in await request.multipart():
                if isinstance(part, BodyPartReader) and part.name == "photo":
                    left -= await self._take_one(part, taken, most, left)
        except (ValueError, RuntimeError, HttpProcessingError):
            pass  # not a form, or one that broke off: what came whole before that is kept
        return taken

    async def _take_one(self, part: BodyPartReader, taken: _Taken, most: int, left: int) -> int:
        """Keep one file, or say why not. How many bytes it had. Raises _TooMuch."""
        name, size = _shown_name(part.filename), 0
        incoming = await asyncio.to_thread(self._files.receive, self._wall_clock.uuid().hex)
        with incoming:
            while chunk := await part.read_chunk(_CHUNK):
                size += len(chunk)
                if size > left:
                    raise _TooMuch
                if size <= LARGEST:
                    await asyncio.to_thread(incoming.write, chunk)
            if size == 0:
                return 0  # a browser's way to say that nothing was chosen
            kind = desk.kind_of(incoming.start)
            what = {"what": name or self._label("some_file"), "photos": str(most)}
            if size > LARGEST:
                taken.faults.append(Say("utter_upload_too_large", what))
            elif kind not in desk.PHOTOS:
                taken.faults.append(Say("utter_upload_wrong_kind", what))
            elif len(taken.files) >= most:
                taken.faults.append(Say("utter_upload_too_many", what))
            else:
                digest = await asyncio.to_thread(incoming.keep)
                taken.files.append(Attachment(UPLOADED + digest, str(kind), size))
        return size

    def _inbound(self, about: _About, files: Sequence[Attachment]) -> Inbound:
        """One message with all files. The same files sent twice, by a second press or from another try, are one message."""
        together = hashlib.sha256("".join([about.id, *(each.handle for each in files)]).encode()).hexdigest()[:24]
        return Inbound(
            ChannelName(about.channel), about.address, f"{UPLOADED}{together}", "", Content.MEDIA,
            attachments=tuple(files), case_id=about.id,
        )  # fmt: skip

    # --- showing

    def _page(self, about: _About, faults: Sequence[Say] = (), *, status: int = 200) -> web.Response:
        now = self._wall_clock.now()
        args = {"reference": about.reference, "summary": about.summary, "photos": str(about.sent)}
        full = about.sent >= MOST_FOR_A_CASE
        told = None
        if not about.is_open:
            told = "utter_upload_over"
        elif about.sent:
            told = "utter_upload_enough" if full else "utter_upload_thanks"
        body = self._template.render(
            service=self._office.policy.service_name, title=self._words(Say("utter_upload_title"), now),
            about=self._words(Say("utter_upload_about", args), now).split("\n"),
            told=self._words(Say(told, args), now).split("\n") if told else [],
            faults=[self._words(each, now) for each in faults], error=self._label("error"),
            hint=self._words(Say("utter_upload_hint", {"photos": str(MOST_AT_ONCE)}), now),
            choose=self._label("choose"), send=self._label("send"), form=about.is_open and not full,
        )  # fmt: skip
        return web.Response(text=body, content_type="text/html", status=status, headers=_HEADERS)

    def _words(self, say: Say, now: datetime) -> str:
        return self._office.render([say], channel="page", now=now).text

    def _label(self, name: str) -> str:
        return self._office.wording.label("upload", name)


class _TooMuch(Exception):
    """More was sent than any honest form holds."""


def _about(session: Session, case_id: str) -> _About | None:
    """The case of a link; None if there is none, or if nothing may be sent about it: a person may be at risk."""
    case = session.get(Case, case_id)
    if case is None or is_in_confidence(case):
        return None
    talk = session.get_one(Conversation, case.conversation_id)
    sent = desk.uploaded_to(session, case.id)
    return _About(case.id, case.reference, case.summary, case.state == "open", talk.channel, talk.address, sent)


def _shown_name(given: str | None) -> str:
    """A file's name as it may be said back: the last part of it, and not at any length."""
    name = " ".join((given or "").replace("\\", "/").rpartition("/")[2].split())
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
