"""Photos and voice notes in a conversation: what is shown of each, and the files themselves.

Pictures and sounds of known kinds are shown where they were sent; everything else can only be downloaded. A file is served
from our own address with a type that we found ourselves, in a sandbox, so nothing that somebody sent runs in the console.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from sqlmodel import Session, col, select

from bot.console.explanations import Explanations
from bot.desk import attachment as desk
from bot.desk.attachment import LOOK_TASK, LOST_TASK, Readable
from bot.desk.office import Office
from bot.desk.staff import SignedIn
from bot.store import Store
from bot.store.files import Files
from bot.store.tables import Attachment, AttachmentState, Message, Staff, Task
from bot.wallclock import WallClock

Guard = Callable[[Callable[[web.Request, SignedIn], Awaitable[web.StreamResponse]]], Any]

_DOWNLOADED: Final = "application/octet-stream"
_SHOWN_AS_THEY_ARE: Final = desk.SHOWN | desk.PLAYED


@dataclass(frozen=True, slots=True)
class Shown:
    """One file as the conversation shows it."""

    id: str
    how: str
    """`picture`, `sound`, `file`, `covered` (a person at risk: opened one by one), `withheld`, `none`."""
    words: str
    address: str | None


def shown(words: Explanations, row: Attachment, me: Staff, *, sensitive: bool) -> Shown:
    """How a file is shown to `me`."""
    size = f", {_size(row.size)}" if row.size and row.state == AttachmentState.KEPT else ""
    if row.state != AttachmentState.KEPT:
        return Shown(row.id, "none", _absent(words, row), None)
    name = words.file(_sort(row.kind or "")) + size
    if sensitive:
        may = desk.may_read_in_confidence(me)
        return Shown(row.id, "covered" if may else "withheld", name, f"/staff/files/{row.id}" if may else None)
    how = "picture" if row.kind in desk.SHOWN else "sound" if row.kind in desk.PLAYED else "file"
    return Shown(row.id, how, name, f"/staff/files/{row.id}")


def _absent(words: Explanations, row: Attachment) -> str:
    if row.state == AttachmentState.NO_FILE:
        kind, _, value = row.handle.partition(":")
        return f"{words.file('place' if kind == 'geo' else 'card')}: {value}"
    if row.state == AttachmentState.LOST:
        return words.file("lost")
    return words.file("trying_again" if row.error else "on_its_way")


def _sort(kind: str) -> str:
    """The key of a kind of file in `explanations.toml`."""
    if kind in {"application/pdf", "image/heic"}:
        return kind.rpartition("/")[2]
    return {"image": "photo", "audio": "sound", "video": "video"}.get(kind.partition("/")[0], "unknown")


def _size(size: int) -> str:
    return f"{size / 1_048_576:.1f} MB" if size >= 1_048_576 else f"{max(1, size // 1024)} kB"


def to_look_at(session: Session, found: Sequence[Task]) -> Mapping[str, str]:
    """For each task about a file: the message to look at, the first with a file since the task was asked for."""
    asked = [each for each in found if each.kind in {LOOK_TASK, LOST_TASK}]
    if not asked:
        return {}
    rows = session.exec(
        select(Message.id, Message.conversation_id, Message.created_at)
        .where(
            col(Message.conversation_id).in_({each.conversation_id for each in asked}), Message.direction == "in",
            Message.kind == "media",
        )
        .order_by(col(Message.created_at))
    ).all()  # fmt: skip
    looks = {}
    for task in asked:
        theirs = [(message_id, at) for message_id, talk, at in rows if talk == task.conversation_id]
        since = [each for each, at in theirs if at >= task.created_at] if task.kind == LOOK_TASK else []
        if theirs:
            looks[task.id] = since[0] if since else theirs[-1][0]
    return looks


class Attachments:
    """`/staff/files/…`: the files, behind the door, each reading on record. `page` renders a page of the console."""

    def __init__(
        self, store: Store, office: Office, files: Files, wall_clock: WallClock, page: Callable[..., web.Response]
    ) -> None:
        self._store = store
        self._office = office
        self._files = files
        self._wall_clock = wall_clock
        self._page = page

    def routes(self, inside: Guard) -> Sequence[web.AbstractRouteDef]:
        return [web.get("/staff/files/{id}", inside(self.serve), allow_head=False)]

    async def serve(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """The file itself, shown or played where that is safe, else (or with `?download`) to be saved."""
        now, attachment_id = self._wall_clock.now(), request.match_info["id"]
        try:
            looked = await self._store.read(lambda session: desk.look(session, attachment_id, who.staff, now=now))
        except desk.NotForYou:
            return self._page(
                "message.html", status=403, who=who, title="In confidence",
                text="This is about a person at risk. Ask whoever has the case if you need to know.",
            )  # fmt: skip
        found, unnoted = looked or (None, False)
        path = await asyncio.to_thread(self._files.path, found.digest) if found is not None else None
        if found is None or path is None:
            return self._page(
                "message.html", status=404, who=who, title="There is no such file",
                text="It has not been fetched yet, or the link is wrong.",
            )  # fmt: skip
        if unnoted:
            # On record before the first byte is out.
            await self._store.run(lambda s: desk.note_reading(s, self._office, found, who.staff, now=now))
        return web.FileResponse(path, headers=_headers(found, download="download" in request.query))


def _headers(found: Readable, *, download: bool) -> dict[str, str]:
    known = found.kind in _SHOWN_AS_THEY_ARE
    how = "inline" if known and not download else "attachment"
    return {
        "Content-Type": (found.kind if known else None) or _DOWNLOADED,
        "Content-Disposition": f'{how}; filename="{found.name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        # Asked for again each time, so that nobody sees it after signing out; of a person at risk nothing stays behind.
        "Cache-Control": "no-store" if found.in_confidence else "private, no-cache",
    }
