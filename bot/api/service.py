"""The operations of the API, and how each is answered: who asks, for what, what they may see; then what is read is written
down, and only then is it sent."""

import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeVar

from aiohttp import hdrs, web
from sqlmodel import Session

from bot import faults
from bot.api import answers, questions, reading
from bot.api.door import CONFIDENTIAL, Door
from bot.api.operations import BASE, DESCRIPTION, Operation, Reading, Reply, describe
from bot.api.problems import Problem
from bot.api.reading import Reader
from bot.desk.conversation import record
from bot.desk.office import Office
from bot.reports import Report, evidence_pack, gather
from bot.sla.performance import charter_year
from bot.store import Store, listing
from bot.store.outside import ApiToken
from bot.store.tables import Contact
from bot.wallclock import WallClock

T = TypeVar("T")

log = logging.getLogger(__name__)

LONGEST: Final = 800
"""Days in one report: a year, and the year before it to compare."""
READ: Final = "api_read"
"""The event that says which token read what."""


class Api:
    """The REST API below `/api/v1`. `per_minute` is how often one token may ask."""

    def __init__(self, store: Store, office: Office, wall_clock: WallClock, *, per_minute: int) -> None:
        self._store = store
        self._office = office
        self._wall_clock = wall_clock
        self._door = Door(store, office, wall_clock, per_minute)
        self.operations: Sequence[Operation] = (
            Operation("/cases", "listCases", "cases", "Cases, a page at a time", "read:cases", questions.ListCases,
                      answers.CasePage, self._cases),
            Operation("/cases/{reference}", "getCase", "cases", "One case with its promises, and why each date is what it is",
                      "read:cases", questions.OneCase, answers.CaseAnswer, self._case),
            Operation("/cases/{reference}/why", "explainCase", "cases", "Why every date of a case is what it is",
                      "read:cases", questions.OneCase, answers.WhyAnswer, self._why,
                      "The same as `doorstep why --json`, and the words that the staff console shows."),
            Operation("/cases/{reference}/evidence", "getEvidence", "cases", "Everything about a case as one file",
                      "read:evidence", questions.OneCase, None, self._evidence,
                      "Messages, deliveries, clocks with their proof, what staff did, and the chain that proves it."),
            Operation("/conversations", "listConversations", "conversations", "Conversations, a page at a time",
                      "read:conversations", questions.ListConversations, answers.ConversationPage, self._conversations),
            Operation("/conversations/{conversation}", "getConversation", "conversations", "One conversation",
                      "read:conversations", questions.OneConversation, answers.ConversationLine, self._conversation),
            Operation("/conversations/{conversation}/messages", "listMessages", "conversations", "What was said",
                      "read:conversations", questions.ListMessages, answers.MessagePage, self._messages),
            Operation("/contacts", "findContacts", "contacts", "Who somebody is, by telephone number or case",
                      "read:contacts", questions.FindContacts, answers.Contacts, self._find),
            Operation("/contacts/{contact}", "getContact", "contacts", "One contact", "read:contacts", questions.OneContact,
                      answers.ContactAnswer, self._contact),
            Operation("/performance", "getPerformance", "performance", "What was promised and kept between two days",
                      "read:performance", questions.Days, answers.PerformanceAnswer, self._performance),
            Operation("/performance/annual-return/{year}", "getAnnualReturn", "performance",
                      "The regulator's Annual Return on the Charter", "read:performance", questions.Year, answers.AnnualReturn,
                      self._annual_return),
            Operation("/policy", "getPolicy", "policy", "What is promised, where it says so, and what becomes of it",
                      "read:policy", questions.Question, answers.PolicyAnswer, self._policy),
        )  # fmt: skip
        self._paths = [re.compile(re.sub(r"{\w+}", "[^/]+", BASE + each.path)) for each in self.operations]

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get(DESCRIPTION, self._describe, allow_head=False),
            *(web.get(BASE + each.path, self._asking(each), allow_head=False) for each in self.operations),
            web.route("*", BASE + "{rest:(/.*)?}", self._elsewhere),
        ]

    def describe(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return describe(self.operations, self._office.public_url)

    async def _describe(self, request: web.Request) -> web.Response:
        """The one thing that needs no token: it says what the API is, and nothing of what is in it."""
        response = web.json_response(self.describe())
        return _unless_unchanged(request, response)

    async def _elsewhere(self, request: web.Request) -> web.Response:
        try:
            await self._door.holder(request, now=self._wall_clock.now())
            if request.path == DESCRIPTION or any(each.fullmatch(request.path) for each in self._paths):
                raise Problem("method-not-allowed", "Only GET is understood here.", headers={hdrs.ALLOW: "GET"})
            raise Problem("not-found", f"{DESCRIPTION} lists what there is.")
        except Problem as problem:
            return problem.answer(request.path)

    def _asking(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                return await self._answer(operation, request)
            except Problem as problem:
                return problem.answer(request.path)
            except Exception as error:  # noqa: BLE001 - whatever it was, a program gets an answer that it can read
                log.error("api_failed", extra={"operation": operation.id} | faults.of(error))
                return Problem("server-error", "Try again; if it stays, look into the log.").answer(request.path)

        return handle

    async def _answer(self, operation: Operation, request: web.Request) -> web.Response:
        now = self._wall_clock.now()
        token = await self._door.holder(request, now=now)
        self._door.check(token, operation.scope)
        reply = await operation.handle(token, operation.read(request), now)
        if reply.answer is None:
            return web.Response(
                text=reply.file, content_type="text/html", charset="utf-8",
                headers={"Content-Disposition": f'attachment; filename="{reply.name}"', hdrs.CACHE_CONTROL: "no-store"},
            )  # fmt: skip
        body = reply.answer.model_dump_json(by_alias=True).encode()
        response = _unless_unchanged(request, web.Response(body=body, content_type="application/json", charset="utf-8"))
        if reply.readings and response.status == 200:
            await self._store.run(lambda session: self._note(session, token, reply.readings, now))
        return response

    def _note(self, session: Session, token: ApiToken, readings: Sequence[Reading], now: datetime) -> None:
        for each in readings:
            record(
                session, self._office, READ, each.subject, actor=token.id, now=now, token=token.name, what=each.what,
                **each.detail,
            )  # fmt: skip

    # --- cases

    async def _cases(self, token: ApiToken, asked: questions.ListCases, now: datetime) -> Reply:
        reader = self._reader(token)

        def work(session: Session) -> tuple[list[answers.CaseLine], str | None]:
            found = listing.cases(
                session, limit=asked.limit + 1, newest_first=asked.order == "newest", after=asked.cursor, kind=asked.kind,
                category=asked.category, status=asked.status, priority=asked.priority, due_before=asked.due_before,
                updated_since=asked.updated_since, in_confidence=reader.in_confidence,
            )  # fmt: skip
            page, cursor = _cut(found, asked.limit)
            return reader.lines(session, page, now), cursor

        lines, cursor = await self._store.read(work)
        seen = Reading(token.id, "cases", {"cases": [each.reference for each in lines]})
        return Reply(answers.CasePage(cases=lines, next=cursor), readings=[seen] if lines else ())

    async def _case(self, token: ApiToken, asked: questions.OneCase, now: datetime) -> Reply:
        reader = self._reader(token)

        def work(session: Session) -> tuple[str, answers.CaseAnswer]:
            case = _there(reader.case(session, asked.reference), f"There is no case {asked.reference}.")
            return case.id, reader.whole(session, case, now)

        case_id, answer = await self._store.read(work)
        return Reply(answer, readings=[Reading(case_id, "case", {})])

    async def _why(self, token: ApiToken, asked: questions.OneCase, _now: datetime) -> Reply:
        reader = self._reader(token)

        def work(session: Session) -> tuple[str, answers.WhyAnswer]:
            case = _there(reader.case(session, asked.reference), f"There is no case {asked.reference}.")
            return case.id, reader.reasons(session, case)

        case_id, answer = await self._store.read(work)
        return Reply(answer, readings=[Reading(case_id, "why", {})])

    async def _evidence(self, token: ApiToken, asked: questions.OneCase, now: datetime) -> Reply:
        reader = self._reader(token)

        def work(session: Session) -> str:
            case = _there(reader.case(session, asked.reference), f"There is no case {asked.reference}.")
            record(session, self._office, "evidence_taken", case.id, actor=token.id, now=now, token=token.name)
            session.flush()
            return evidence_pack(session, self._office, case.reference, now=now)

        return Reply(file=await self._store.run(work), name=f"{asked.reference}.html")

    # --- conversations

    async def _conversations(self, token: ApiToken, asked: questions.ListConversations, _now: datetime) -> Reply:
        reader = self._reader(token)

        def work(session: Session) -> tuple[list[answers.ConversationLine], str | None]:
            found = listing.conversations(
                session, limit=asked.limit + 1, newest_first=asked.order == "newest", after=asked.cursor,
                channel=asked.channel, owner=asked.owner, updated_since=asked.updated_since,
                in_confidence=reader.in_confidence,
            )  # fmt: skip
            page, cursor = _cut(found, asked.limit)
            return reader.talks(session, page), cursor

        lines, cursor = await self._store.read(work)
        seen = Reading(token.id, "conversations", {"conversations": [each.id for each in lines]})
        return Reply(answers.ConversationPage(conversations=lines, next=cursor), readings=[seen] if lines else ())

    async def _conversation(self, token: ApiToken, asked: questions.OneConversation, _now: datetime) -> Reply:
        reader = self._reader(token)

        def work(session: Session) -> answers.ConversationLine:
            talk = _there(reader.conversation(session, asked.conversation), "There is no such conversation.")
            return reader.talks(session, [talk])[0]

        return Reply(await self._store.read(work), readings=[Reading(asked.conversation, "conversation", {})])

    async def _messages(self, token: ApiToken, asked: questions.ListMessages, _now: datetime) -> Reply:
        reader = self._reader(token)

        def work(session: Session) -> list[answers.MessageAnswer]:
            talk = _there(reader.conversation(session, asked.conversation), "There is no such conversation.")
            return reader.messages(session, listing.messages(session, talk.id, after=asked.after, limit=asked.limit))

        said = await self._store.read(work)
        last = said[-1].seq if said else asked.after
        seen = Reading(asked.conversation, "messages", {"after": asked.after, "to": last})
        page = answers.MessagePage(conversation=asked.conversation, messages=said, after=last)
        return Reply(page, readings=[seen] if said else ())

    # --- contacts

    async def _find(self, token: ApiToken, asked: questions.FindContacts, _now: datetime) -> Reply:
        if (asked.phone is None) == (asked.reference is None):
            fault = {"in": "query", "name": "phone", "detail": "give either phone or reference"}
            raise Problem("invalid-request", "1 thing is wrong with it.", errors=[fault])
        reader = self._reader(token)

        def work(session: Session) -> list[answers.ContactAnswer]:
            if asked.phone is not None:
                found = listing.contacts_at(session, questions.ways_to_write(asked.phone))
            else:
                case = reader.case(session, asked.reference or "")
                found = [session.get_one(Contact, case.contact_id)] if case is not None else []
            return [reader.contact(session, each) for each in found]

        found = await self._store.read(work)
        return Reply(answers.Contacts(contacts=found), readings=[Reading(each.id, "contact", {}) for each in found])

    async def _contact(self, token: ApiToken, asked: questions.OneContact, _now: datetime) -> Reply:
        reader = self._reader(token)

        def work(session: Session) -> answers.ContactAnswer:
            return reader.contact(session, _there(session.get(Contact, asked.contact), "There is no such contact."))

        return Reply(await self._store.read(work), readings=[Reading(asked.contact, "contact", {})])

    # --- what is about nobody

    async def _performance(self, _token: ApiToken, asked: questions.Days, now: datetime) -> Reply:
        today = self._office.local(now).date()
        last = asked.last or today
        first = asked.first or date(last.year - (last < date(last.year, 4, 1)), 4, 1)
        if not first <= last or (last - first).days > LONGEST or not 2000 <= first.year <= last.year <= 2200:
            fault = {
                "in": "query",
                "name": "from",
                "detail": f"must not be after `to`, nor more than {LONGEST} days before it",
            }
            raise Problem("invalid-request", "1 thing is wrong with it.", errors=[fault])
        return Reply(reading.performance(await self._gather(first, last, now), cases=asked.cases))

    async def _annual_return(self, _token: ApiToken, asked: questions.Year, now: datetime) -> Reply:
        first, last = charter_year(asked.year)
        return Reply(reading.annual_return(await self._gather(first, last, now), first, last))

    async def _policy(self, _token: ApiToken, _asked: questions.Question, _now: datetime) -> Reply:
        return Reply(reading.policy(self._office))

    async def _gather(self, first: date, last: date, now: datetime) -> Report:
        return await self._store.read(lambda session: gather(session, self._office.policy, first, last, now=now))

    def _reader(self, token: ApiToken) -> Reader:
        return Reader(self._office, CONFIDENTIAL in token.scopes)


def _there(found: T | None, otherwise: str) -> T:
    if found is None:
        raise Problem("not-found", otherwise)
    return found


def _cut(found: Sequence[Any], limit: int) -> tuple[Sequence[Any], str | None]:
    """A page, and where the next one begins; one more than a page holds was read, to know whether there is one."""
    page = found[:limit]
    return page, page[-1].id if len(found) > limit else None


def _unless_unchanged(request: web.Request, response: web.Response) -> web.Response:
    """The answer with its ETag; 304 without a body if whoever asks has it already."""
    body = response.body
    assert isinstance(body, bytes)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {hdrs.ETAG: tag, hdrs.CACHE_CONTROL: "private, no-cache"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get(hdrs.IF_NONE_MATCH, "").split(",")}
    if tag in known:
        return web.Response(status=304, headers=headers)
    response.headers.update(headers)
    return response
