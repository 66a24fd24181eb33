"""The page that a survey's link opens. GET shows it and changes nothing; POST keeps the answer.

What is written on it is read like any message of the person: danger first, then the dialogue. The answer to that goes to
the address that was asked; advice in danger also stands on the page.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel import Session

from bot.desk import survey as desk
from bot.desk.conversation import NotAllowed
from bot.desk.office import Office
from bot.desk.survey import LONGEST_COMMENT, SCORES
from bot.links import Link
from bot.messages import Assessment, ChannelName, Inbound, Say
from bot.store import Store
from bot.store.tables import Case, Conversation, Message, Survey
from bot.wallclock import WallClock

HERE: Final = Path(__file__).parent
_HEADERS: Final = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


class Triage(Protocol):
    """The danger check (`bot.triage`)."""

    def assess(self, text: str, previous: str | None = None) -> Assessment: ...


@dataclass(frozen=True, slots=True)
class _Shown:
    about: str
    score: int | None
    channel: str | None
    address: str | None
    """Where it was asked: what is written on the page is answered there."""


class SurveyPage:
    """`serve` is what `bot.links` calls for the purpose. `receive` takes in a message; `refusal` is the page for a link
    that cannot be used."""

    def __init__(
        self, store: Store, office: Office, triage: Triage, wall_clock: WallClock,
        receive: Callable[[Inbound], Awaitable[Any]], refusal: Callable[[], web.Response],
    ) -> None:  # fmt: skip
        self._store = store
        self._office = office
        self._triage = triage
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
        self._template = templates.get_template("page.html")

    async def serve(self, request: web.Request, link: Link) -> web.StreamResponse:
        shown = await self._store.read(lambda session: _shown(session, link.subject))
        if shown is None:
            return self._refusal()
        if request.method != "POST":
            return self._page(shown)
        sent = await request.post()
        # Browsers send line ends as CR LF; channels count and send plain ones.
        comment = str(sent.get("comment", "")).replace("\r\n", "\n").strip()[:LONGEST_COMMENT]
        chosen = str(sent.get("score", ""))
        if chosen not in {str(each) for each in SCORES}:
            return await self._without_score(shown, link, comment)
        now = self._wall_clock.now()
        says = await self._store.run(lambda session: self._rate(session, link.subject, int(chosen), comment, now))
        if says is None:
            return self._refusal()
        advice = await self._read(shown, link, comment) if comment else []
        told = [*advice, *self._lines(says, now)]
        if comment and shown.channel is not None and not advice:
            told += self._lines([Say("utter_survey_page_reply")], now)
        return self._page(_Shown(shown.about, int(chosen), shown.channel, shown.address), told)

    async def _without_score(self, shown: _Shown, link: Link, comment: str) -> web.Response:
        """Nothing was chosen: it is asked again. What was written is read all the same if it speaks of danger."""
        advice = await self._read(shown, link, comment) if self._triage.assess(comment).advice else []
        now = self._wall_clock.now()
        missing = [*advice, *self._lines([Say("utter_survey_page_missing")], now)]
        return self._page(shown, missing, comment=comment, status=400)

    def _rate(self, session: Session, survey_id: str, score: int, comment: str, now: datetime) -> Sequence[Say] | None:
        survey = session.get_one(Survey, survey_id)
        try:
            return desk.rate(session, self._office, survey, score, by="page", now=now, comment=comment)
        except NotAllowed:
            return None

    async def _read(self, shown: _Shown, link: Link, comment: str) -> list[str]:
        """Take in what was written like any message, and return the advice in it. The same words sent twice count once."""
        assessment = self._triage.assess(comment)
        if shown.channel is not None and shown.address is not None:
            digest = hashlib.sha256(comment.encode()).hexdigest()[:16]
            provider_id = f"survey:{link.subject}:{digest}"
            await self._receive(Inbound(ChannelName(shown.channel), shown.address, provider_id, comment))
        if not assessment.advice:
            return []
        return self._lines([Say(key) for key in assessment.advice_keys], self._wall_clock.now(), assessment.language)

    def _page(self, shown: _Shown, told: Sequence[str] = (), *, comment: str = "", status: int = 200) -> web.Response:
        now, wording = self._wall_clock.now(), self._office.wording
        chosen = wording.label("survey", str(shown.score)) if shown.score else None
        answered = [Say("utter_survey_page_thanks", {"value": chosen})] if chosen else []
        about = self._lines([Say("utter_survey_page_about", {"about": shown.about})], now)[0]
        body = self._template.render(
            service=self._office.policy.service_name, title=self._lines([Say("utter_survey_page_title")], now)[0],
            about=about.split("\n"), answered=self._lines(answered, now) if status == 200 else [],
            told=[each.split("\n") for each in told], score=shown.score,
            scores=[(each, wording.label("survey", str(each)).capitalize()) for each in reversed(SCORES)],
            comment_label=wording.label("survey", "page_comment"), hint=wording.label("survey", "page_hint"),
            send=wording.label("survey", "page_send"), comment=comment, longest=LONGEST_COMMENT,
        )  # fmt: skip
        return web.Response(text=body, content_type="text/html", status=status, headers=_HEADERS)

    def _lines(self, says: Sequence[Say], now: datetime, language: str = "en") -> list[str]:
        return [self._office.render([each], channel="page", now=now, language=language).text for each in says]


def _shown(session: Session, survey_id: str) -> _Shown | None:
    survey = session.get(Survey, survey_id)
    if survey is None or survey.reason is not None:
        return None
    case = session.get_one(Case, survey.case_id)
    message = session.get(Message, survey.message_id) if survey.message_id else None
    talk = session.get(Conversation, message.conversation_id) if message is not None else None
    about = f"{case.reference} ({case.summary})" if case.summary else case.reference
    return _Shown(about, survey.score, talk.channel if talk else None, talk.address if talk else None)
