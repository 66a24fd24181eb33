"""How a person may be reached: their page, to see and to change; and the letters that stand for messages, to print and to
mark as posted."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from sqlmodel import Session, col, select

from bot.console.board import READ_IN_CONFIDENCE, read_lately
from bot.console.care import FORMAT_WORDS, WAY_WORDS
from bot.console.explanations import in_words
from bot.desk import letter as letters
from bot.desk import preference as preferences
from bot.desk.conversation import NotAllowed, record
from bot.desk.letter import Letter
from bot.desk.office import Office
from bot.desk.preference import LONGEST_NOTE, WAYS, Change, Wishes
from bot.desk.staff import ACTING_ROLES, SignedIn
from bot.store import Store
from bot.store.tables import Case, Contact, Conversation, Staff, Task
from bot.wallclock import WallClock

_FIELD_WORDS: Final = {
    "preferred_channel": "the way they prefer", "language": "language", "preferred_format": "format",
    "quiet_from": "quiet from", "quiet_until": "quiet until", "surveys": "surveys", "safe_from": "safe from",
    "safe_until": "safe until", "never_by": "ways never to use", "no_trace": "leave no trace",
    "safe_contact": "how to reach them safely",
}  # fmt: skip

Work = Callable[[Session, Staff, datetime], None]


@dataclass(frozen=True, slots=True)
class Person:
    """What a person's page shows."""

    id: str
    name: str
    wishes: Wishes
    careful: str
    history: Sequence[tuple[Change, str]]
    cases: Sequence[tuple[str, str, str, str]]
    """Reference, summary, state and conversation of each case, newest first."""


class People:
    """The pages. `carry_out` runs a work as whoever is signed in by then, and raises NotAllowed with the reason if it is
    refused."""

    def __init__(
        self, store: Store, office: Office, wall_clock: WallClock, page: Callable[..., web.Response],
        carry_out: Callable[[SignedIn, Work], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._store = store
        self._office = office
        self._wall_clock = wall_clock
        self._page = page
        self._carry_out = carry_out

    def routes(self, inside: Callable[..., Callable[..., object]]) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/staff/people/{id}", inside(self.show), allow_head=False),  # type: ignore[arg-type]
            web.post("/staff/people/{id}", inside(self.save)),  # type: ignore[arg-type]
            web.get("/staff/tasks/{id}/letter", inside(self.letter), allow_head=False),  # type: ignore[arg-type]
            web.post("/staff/tasks/{id}/posted", inside(self.posted)),  # type: ignore[arg-type]
        ]

    # --- the person

    async def show(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        return await self._person(request, who, saved="saved" in request.query)

    async def save(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Keep what was changed."""
        contact_id, form = request.match_info["id"], await request.post()
        wishes = _wishes(form)

        def work(session: Session, me: Staff, now: datetime) -> None:
            contact = session.get(Contact, contact_id)
            if contact is None:
                raise NotAllowed("There is no such person.")
            preferences.prefer(session, self._office, contact, wishes, actor=me.id, now=now)

        try:
            await self._carry_out(who, work)
        except NotAllowed as refusal:
            return await self._person(request, who, notice=str(refusal), typed=wishes, status=409)
        raise web.HTTPSeeOther(f"/staff/people/{contact_id}?saved")

    async def _person(
        self, request: web.Request, who: SignedIn, *, notice: str | None = None, typed: Wishes | None = None,
        status: int = 200, saved: bool = False,
    ) -> web.Response:  # fmt: skip
        contact_id, now = request.match_info["id"], self._wall_clock.now()
        found = await self._store.read(lambda session: _person(session, contact_id))
        if found is None:
            return self._page(
                "message.html", status=404, who=who, title="There is no such person", text="The link may be wrong."
            )
        if found.careful:
            await self._note_reading(contact_id, who, now)
        return self._page(
            "person.html", status=status, who=who, csrf=who.csrf, person=found, wishes=typed or found.wishes,
            notice=notice, saved=saved, ways=WAY_WORDS, formats=FORMAT_WORDS, now=now, longest=LONGEST_NOTE,
            may_act=who.staff.role in ACTING_ROLES,
        )  # fmt: skip

    async def _note_reading(self, contact_id: str, who: SignedIn, now: datetime) -> None:
        """Who looks at how a person at risk is reached is on record (need to know)."""

        def note(session: Session) -> None:
            if not read_lately(session, contact_id, who.staff, now=now):
                record(session, self._office, READ_IN_CONFIDENCE, contact_id, actor=who.staff.id, now=now)

        await self._store.run(note)

    # --- letters

    async def letter(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """A letter, ready to print. `?size=large` prints any letter large."""
        task_id, now = request.match_info["id"], self._wall_clock.now()

        def work(session: Session) -> tuple[Letter, Task, str, str] | None:
            task = session.get(Task, task_id)
            if task is None or task.case_id is None:
                return None
            case = session.get_one(Case, task.case_id)
            sender = session.get(Staff, task.done_by) if task.done_by else None
            written = letters.compose(session, self._office, task, sender or who.staff, now=task.done_at or now)
            contact = session.get_one(Contact, case.contact_id)
            by_letter = "letter" not in (contact.never_by or ())
            careful = "" if by_letter and not preferences.needs_care(contact) else preferences.in_words(contact)
            return written, task, contact.id, careful

        try:
            found = await self._store.read(work)
        except NotAllowed:
            found = None
        if found is None:
            return self._page(
                "message.html", status=404, who=who, title="There is no such letter", text="The link may be wrong."
            )
        written, task, contact_id, careful = found
        if careful:
            await self._note_reading(contact_id, who, now)
        asked = request.query.get("size")
        return self._page(
            "letter.html", who=who, csrf=who.csrf, letter=written, task=task, contact_id=contact_id, now=now,
            large=written.large if asked is None else asked == "large", may_act=who.staff.role in ACTING_ROLES,
            format=FORMAT_WORDS.get(written.format or "", written.format), careful=careful,
        )  # fmt: skip

    async def posted(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """It is in the post."""
        task_id = request.match_info["id"]

        def work(session: Session, me: Staff, now: datetime) -> None:
            letters.posted(session, self._office, task_id, me, now=now)

        try:
            await self._carry_out(who, work)
        except NotAllowed as refusal:
            return self._page("message.html", status=409, who=who, title="Nothing was changed", text=str(refusal))
        raise web.HTTPSeeOther(f"/staff/tasks/{task_id}/letter")


def _person(session: Session, contact_id: str) -> Person | None:
    contact = session.get(Contact, contact_id)
    if contact is None:
        return None
    cases = session.exec(select(Case).where(Case.contact_id == contact_id).order_by(col(Case.received_at).desc()))
    talk = session.exec(
        select(Conversation)
        .where(Conversation.contact_id == contact_id)
        .order_by(col(Conversation.last_message_at).desc())
    ).first()
    by_number = talk.address if talk is not None and talk.channel in {"sms", "whatsapp"} else ""
    return Person(
        id=contact.id, name=contact.name or by_number or "A tenant", wishes=preferences.wishes_of(contact),
        careful=preferences.in_words(contact) if preferences.needs_care(contact) else "",
        history=[(each, _in_words(each)) for each in preferences.history(session, contact_id)],
        cases=[(each.reference, each.summary or in_words(each.category), each.state, each.conversation_id) for each in cases],
    )  # fmt: skip


def _in_words(change: Change) -> str:
    told = []
    for name in dict.fromkeys(change.fields):
        before_after = change.changes.get(name)
        words = _FIELD_WORDS.get(name, name)
        told.append(f"{words} ({_value(before_after[0])} to {_value(before_after[1])})" if before_after else words)
    return ", ".join(told)


def _value(given: Any) -> str:
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, (list, tuple)):
        return " and ".join(str(each) for each in given) or "none"
    return "none" if given is None else str(given).replace("_", " ")


def _wishes(form: Mapping[str, Any]) -> Wishes:
    def given(name: str) -> str | None:
        value = form.get(name, "")
        return (value.strip() or None) if isinstance(value, str) else None

    return Wishes(
        preferred_channel=given("preferred_channel"), language=given("language") or "en",
        preferred_format=given("preferred_format"), quiet_from=given("quiet_from"), quiet_until=given("quiet_until"),
        surveys="surveys" in form, safe_from=given("safe_from"), safe_until=given("safe_until"),
        never_by=tuple(way for way in WAYS if f"never_{way}" in form), no_trace="no_trace" in form,
        safe_contact=given("safe_contact"),
    )  # fmt: skip
