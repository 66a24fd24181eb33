"""What people on call read and hear: a brief and a purpose become an alert, or the script of a call."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from bot.channels.line import Alert
from bot.channels.voice import Script
from bot.desk.brief import Brief
from bot.desk.office import Office
from bot.messages import Say
from bot.store.tables import Handover, HandoverAttempt, HandoverState

_QUIET: Final = ("notice_", "news")
"""Messages that would tell about a case in confidence."""
_TOLD_OFF: Final = "notice_called_off"


def alert(
    office: Office, attempt: HandoverAttempt, handover: Handover, brief: Brief, link: str | None, *, now: datetime
) -> Alert:
    """What one attempt sends in writing."""
    args = {**brief.args, "link": link}
    if attempt.purpose == "alert":
        how = "utter_line_how_to_answer" if handover.purpose == "authority" else "utter_line_how_to_take"
        says = [Say(brief.alert.key, args), Say(how, args)]
        subject = "utter_line_subject_authority" if handover.purpose == "authority" else "utter_line_subject"
    else:
        says, subject = [Say(_key(attempt, brief), args)], "utter_line_subject_news"
    return Alert(
        id=attempt.id,
        text=office.render(says, channel="sms", now=now).text,
        subject=office.render([Say(subject, args)], channel="email", now=now).text,
        body=office.render(says, channel="email", now=now).text,
        data=_data(office, attempt, handover, brief, link),
    )


def script(office: Office, attempt: HandoverAttempt, handover: Handover, brief: Brief, *, now: datetime) -> Script:
    """What is said in a call when it is answered, or when it is to be heard again."""
    if attempt.purpose != "alert":
        args = {**brief.args, "reference": brief.args["spoken_reference"], "from_phone": brief.args["spoken_phone"]}
        said = Say(_key(attempt, brief), {**args, "link": None})
        return Script(
            speak(office, said, now), speak(office, Say("utter_line_press_to_confirm"), now),
            speak(office, Say("utter_line_call_confirmed"), now),
        )  # fmt: skip
    if handover.state != HandoverState.WAITING:
        return over(office, now)
    ask = "utter_line_press_to_answer" if handover.purpose == "authority" else "utter_line_press_to_take"
    return Script(
        speak(office, brief.spoken, now), speak(office, Say(ask), now),
        speak(office, Say("utter_line_call_nobody"), now),
    )  # fmt: skip


def taken(office: Office, brief: Brief, now: datetime) -> Script:
    """What is said to somebody who has just taken it: thanks, and everything once more, to be written down."""
    return Script(f"{speak(office, Say('utter_line_call_taken'), now)}\n{speak(office, brief.spoken, now)}", None)


def over(office: Office, now: datetime) -> Script:
    return Script(speak(office, Say("utter_line_call_over"), now), None)


def speak(office: Office, say: Say, now: datetime) -> str:
    return office.render([say], channel="phone", now=now).text


def _key(attempt: HandoverAttempt, brief: Brief) -> str:
    if brief.in_confidence and attempt.says.startswith(_QUIET) and attempt.says != _TOLD_OFF:
        return "utter_line_notice_in_confidence"
    return f"utter_line_{attempt.says}"


def _data(
    office: Office, attempt: HandoverAttempt, handover: Handover, brief: Brief, link: str | None
) -> Mapping[str, Any]:
    """The same for a program to read. `docs/handover.md` lists the fields."""
    told: dict[str, Any] = {
        "event": attempt.purpose if attempt.purpose != "alert" else handover.purpose,
        "says": attempt.says or None, "association": office.policy.id, "reference": brief.reference,
        "rung": attempt.rung_name, "lap": attempt.lap, "started_at": handover.started_at.isoformat(),
        "code": brief.code, "link": link, "in_confidence": brief.in_confidence, "concerns": list(handover.concerns),
    }  # fmt: skip
    if not brief.in_confidence:
        names = (
            "hazard", "place", "name", "from_phone", "words", "made_safe", "at_home", "only_home", "locks", "access",
            "due", "question",
        )  # fmt: skip
        told |= {name: brief.args[name] for name in names}
    return told
