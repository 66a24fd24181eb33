"""The letter that stands for a message: written from its words, printed by the console, posted by a person who says so."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from bot.desk import reach
from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed, record
from bot.desk.office import Office
from bot.messages import Say
from bot.store.tables import Case, Clock, Contact, Staff, Task

POSTED: Final = "letter_posted"
"""The event that says who posted a letter, and when."""
KINDS: Final = frozenset({*reach.TASKS.values(), reach.AT_RISK})
"""Kinds of task that a letter can answer."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, part by part, ready to print."""

    association: str
    letterhead: tuple[str, ...]
    date: str
    to: tuple[str, ...]
    """Name and address, line by line; the address is missing where nobody has told us."""
    reference: str
    dear: str
    paragraphs: tuple[str, ...]
    end: str
    staff: str
    role: str
    closing: tuple[str, ...]
    """How to reach us, and other formats."""
    large: bool
    """In large print, as they asked."""
    format: str | None
    """Another format that they asked for, which this letter has to be put into."""
    addressed: bool

    @property
    def text(self) -> str:
        """The whole letter as plain text: what is kept of it."""
        head = [(self.association, *self.letterhead), (self.date,), self.to, (self.reference,), (self.dear,)]
        body = [(each,) for each in self.paragraphs]
        blocks = [*head, *body, (self.end, self.staff, self.role), self.closing]
        return "\n\n".join("\n".join(filter(None, each)) for each in blocks if any(each))


def compose(session: Session, office: Office, task: Task, staff: Staff, *, now: datetime) -> Letter:
    """The letter that answers a task, in the name of the member of staff who sends it. Raises NotAllowed for a task that no
    letter answers."""
    if task.kind not in KINDS or task.case_id is None:
        raise NotAllowed("There is no letter to write for this.")
    case = session.get_one(Case, task.case_id)
    contact = session.get_one(Contact, case.contact_id)
    wanted = (contact.preferred_format or "").replace(" ", "_") or None
    args = {"reference": case.reference, "dear": contact.name or office.wording.label("person", "unnamed")}

    def said(name: str) -> str:
        return office.render(
            [Say(f"utter_letter_{name}", args)], channel=reach.LETTER, now=now, language=contact.language
        ).text

    here = office.local(now)
    words = str((task.about or {}).get("words", task.detail))
    to = (contact.name or said("unnamed"), *(contact.home_address or "").split(","), contact.postcode or "")
    return Letter(
        association=office.policy.name, letterhead=office.policy.letterhead, date=f"{here.day} {here:%B %Y}",
        to=tuple(each.strip() for each in to if each.strip()), reference=said("reference"), dear=said("dear"),
        paragraphs=tuple(each for each in words.split("\n\n") if each.strip()), end=said("end"), staff=staff.name,
        role=", ".join(filter(None, (staff.job_title, staff.team))), closing=tuple(said("closing").split("\n")),
        large=wanted == "large_print", format=wanted if wanted != "large_print" else None,
        addressed=contact.home_address is not None,
    )  # fmt: skip


def posted(session: Session, office: Office, task_id: str, staff: Staff, *, now: datetime) -> None:
    """A member of staff has posted it: the promises that it speaks of are told by letter, and those that its words keep are
    kept. Twice is once. Raises NotAllowed for a task that no letter answers."""
    task = session.get(Task, task_id)
    if task is None:
        raise NotAllowed("There is no such letter.")
    if task.done_at is not None:
        return
    letter = compose(session, office, task, staff, now=now)
    task.about = (task.about or {}) | {"letter": letter.text}
    session.add(task)
    wanted = [*task.about.get("clocks", ()), *task.about.get("meets", ())]
    for clock in session.exec(select(Clock).where(col(Clock.id).in_(wanted))):
        clock.told_by = reach.LETTER
        session.add(clock)
    session.flush()
    tasks.done(session, office, task.id, staff, now=now)
    record(session, office, POSTED, task.id, actor=staff.id, now=now, case=task.case_id)
