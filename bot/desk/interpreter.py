"""Someone who writes in another language: it is remembered, and an interpreter is asked for (ELHA 5.1 and 7.3, BHA 63).

What we say in that language by ourselves is short and comes from `nlu_data/languages`. A person does the rest.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from bot.desk import case as cases
from bot.desk import task as tasks
from bot.desk.conversation import record, say_keys
from bot.desk.office import Office
from bot.messages import AddToCase, OpenCase, Say
from bot.store import conversations
from bot.store.tables import Case, Conversation, Task
from bot.triage import Language

_LOOK_WITHIN: Final = timedelta(minutes=15)
_CATEGORY: Final = "format"
"""Another language is promised as another format is (BHA-19)."""
_KINDS: Final = ("interpreter", "interpreter_unchecked")


def remember(
    session: Session, office: Office, conversation: Conversation, language: Language, *, now: datetime
) -> None:
    """Write to this contact in `language` from now on, wherever we have the words."""
    contact = conversations.contact_of(session, conversation.contact_id)
    if contact.language != language.code:
        contact.language = language.code
        session.add(contact)
        session.flush()
        record(session, office, "language_noticed", contact.id, actor="tenant", now=now, language=language.code)


def call(
    session: Session, office: Office, conversation: Conversation, language: Language, *, now: datetime,
    case: Case | None = None,
) -> bool:  # fmt: skip
    """Have a person come back to the tenant with an interpreter, within minutes. They are told whether what we say by ourselves
    in the language has been checked. False if somebody has been asked already."""
    asked = select(Task.id).where(
        Task.conversation_id == conversation.id, col(Task.kind).in_(_KINDS), col(Task.done_at).is_(None)
    )
    if session.exec(asked).first() is not None:
        return False
    kind = _KINDS[0] if language.reviewed else _KINDS[1]
    tasks.add(
        session, office, conversation, kind, due_at=now + _LOOK_WITHIN, now=now, urgent=case is not None,
        detail=language.name, case_id=case.id if case else None,
    )  # fmt: skip
    conversation.needs_person = conversation.needs_person or kind
    return True


def say(
    session: Session, office: Office, conversation: Conversation, key: str, language: Language, *, now: datetime
) -> None:
    """Say `key` in the tenant's language."""
    say_keys(session, office, conversation, [Say(key)], now=now, language=language.code)


def request(
    session: Session, office: Office, conversation: Conversation, language: Language, words: str, *, now: datetime
) -> None:
    """Answer a message that tells of no danger: open the request for an interpreter, or add to the one that is open."""
    open_ones = session.exec(
        select(Case).where(Case.contact_id == conversation.contact_id, Case.category == _CATEGORY, Case.state == "open")
    )
    known = next((each for each in open_ones if each.details.get("language") == language.code), None)
    say(session, office, conversation, "utter_interpreter_noted" if known else "utter_interpreter", language, now=now)
    if known is not None:
        cases.add_to_case(session, office, conversation, AddToCase(known.reference, words), now=now)
    else:
        summary = office.wording.phrase(Say("utter_label_interpreter", {"name": language.name}))
        asked = OpenCase("service_request", _CATEGORY, words, summary, details={"language": language.code})
        cases.open_case(session, office, conversation, asked, received_at=now, now=now)
    call(session, office, conversation, language, now=now)
