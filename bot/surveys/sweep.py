"""Sends the surveys that are due, one transaction for each person."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlmodel import Session, col, select

from bot import faults
from bot.desk import survey as desk
from bot.desk.office import Office
from bot.links import Links
from bot.store import Store
from bot.store.tables import Survey
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

PURPOSE: Final = "survey"
"""What the links are for (`bot.links`)."""
_PEOPLE_AT_ONCE: Final = 20
_TRY_AGAIN_AFTER: Final = timedelta(minutes=5)


class Surveys:
    """The sweep. `nudge` is told that there may be something to send."""

    def __init__(
        self, store: Store, office: Office, links: Links, wall_clock: WallClock, nudge: Callable[[str], None]
    ) -> None:
        self._store = store
        self._office = office
        self._links = links
        self._wall_clock = wall_clock
        self._nudge = nudge

    async def sweep(self) -> int:
        """Ask everybody who is to be asked now. How many people were looked at."""
        now = self._wall_clock.now()
        done: set[str] = set()
        while people := await self._store.read(lambda session: desk.due_people(session, now=now, most=_PEOPLE_AT_ONCE)):
            fresh = [each for each in people if each not in done]
            if not fresh:
                break  # the rest is held by another process
            for each in fresh:
                await self._deal_with(each)
            done.update(fresh)
            self._nudge("")
        return len(done)

    def link(self, survey: Survey) -> str | None:
        """The address of a survey's page."""
        rules = self._office.policy.surveys
        days = rules.days_to_answer if rules is not None else 1
        return self._links.address(PURPOSE, survey.id, self._wall_clock.now() + timedelta(days=days))

    async def _deal_with(self, contact_id: str) -> None:
        now = self._wall_clock.now()
        try:
            await self._store.run(lambda session: desk.deal_with(session, self._office, contact_id, self.link, now=now))
        except Exception as error:  # noqa: BLE001 - one person's survey must not stop everybody's
            log.error("survey_failed", extra={"contact_id": contact_id} | faults.of(error))

            def put_off(session: Session) -> None:
                due = select(Survey).where(Survey.contact_id == contact_id, col(Survey.act_at) <= now)
                for survey in session.exec(due):
                    survey.act_at = now + _TRY_AGAIN_AFTER
                    session.add(survey)

            await self._store.run(put_off)
