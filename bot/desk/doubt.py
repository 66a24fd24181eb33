"""Danger told in doubt ("is a gas leak an emergency?", "we had one last month"): the number is given at once, and one
question settles it: is this happening now? A person looks if no answer comes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from bot.desk import task as tasks
from bot.desk.conversation import say_keys
from bot.desk.office import Office
from bot.messages import Say
from bot.store.tables import Conversation, Task

YES: Final = "happening:yes"
NO: Final = "happening:no"
_KIND: Final = "asked_if_happening"
_ANSWER_WITHIN: Final = timedelta(minutes=15)
_NOT_AGAIN_WITHIN: Final = timedelta(minutes=30)


def ask(session: Session, office: Office, conversation: Conversation, *, now: datetime) -> bool:
    """Ask whether it is happening now. False if that was asked a moment ago: nobody is asked the same twice."""
    lately = select(Task.id).where(
        Task.conversation_id == conversation.id, Task.kind == _KIND, col(Task.created_at) > now - _NOT_AGAIN_WITHIN
    )
    if session.exec(lately).first() is not None:
        return False
    say_keys(session, office, conversation, [Say("utter_ask_happening_now")], now=now)
    tasks.add(session, office, conversation, _KIND, due_at=now + _ANSWER_WITHIN, now=now, urgent=True)
    return True


def asked(offered: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these choices are those of the question."""
    return any(each["value"] == YES for each in offered)


def answered(session: Session, office: Office, conversation: Conversation, *, now: datetime) -> None:
    """The tenant has written again: nobody has to look after them for want of an answer."""
    tasks.settle(session, office, conversation.id, _KIND, now=now)
