"""How people are reached and what they said of their repairs, in words for the screens."""

from datetime import datetime
from typing import Final

from sqlmodel import Session

from bot.console.explanations import in_words
from bot.desk import clock as clocks
from bot.desk import contact as contacts
from bot.desk import preference as preferences
from bot.desk import survey as surveys
from bot.desk.office import Office
from bot.store.tables import Case, Contact, Staff, SurveyState

WAY_WORDS: Final = {
    "sms": "Text message", "whatsapp": "WhatsApp", "telegram": "Telegram", "web": "Web chat", "phone": "Telephone",
    "letter": "Letter",
}  # fmt: skip
FORMAT_WORDS: Final = {
    "large_print": "Large print", "audio": "As sound", "easy_read": "Easy read", "bsl": "British Sign Language",
    "braille": "Braille", "translation": "In another language",
}  # fmt: skip
_NO_CHANNEL: Final = {"page": "on the page", "staff": "by staff"}


def way_in_words(by: str | None) -> str:
    """How something was told: `by text message`, `on the page`."""
    name = by or ""
    return _NO_CHANNEL.get(name) or f"by {WAY_WORDS.get(name, in_words(name)).lower()}"


def wishes_in_words(contact: Contact) -> list[tuple[str, str]]:
    """How a person wants to be reached, as far as it is not as usual: labels and values."""
    channel, wanted = contact.preferred_channel, (contact.preferred_format or "").replace(" ", "_")
    told = [
        ("Reach by", WAY_WORDS.get(channel, in_words(channel)) if channel else None),
        ("Format", FORMAT_WORDS.get(wanted, in_words(wanted)) if wanted else None),
        ("Language", contact.language if contact.language != "en" else None),
        ("Quiet hours", f"{contact.quiet_from} to {contact.quiet_until}" if contact.quiet_from else None),
        ("Never by", ", ".join(WAY_WORDS.get(each, each).lower() for each in contact.never_by or ()) or None),
        ("Surveys", "none, please" if contact.no_surveys_since is not None else None),
    ]
    return [(label, value) for label, value in told if value]


def next_update(session: Session, office: Office, contact: Contact) -> tuple[str, datetime] | None:
    """The case of which a person is next written to by itself, and when."""
    quiet = preferences.quiet_spans(office, contact)
    waiting = []
    for case in contacts.open_cases(session, contact):
        clock = clocks.running_update(session, case.id)
        if clock is not None and clock.told_by is None:
            waiting.append((case.reference, clocks.schedule(session, office, clock, quiet=quiet).tell))
    return min(waiting, key=lambda each: each[1], default=None)


def survey_in_words(session: Session, office: Office, case: Case, *, now: datetime) -> list[str]:
    """How the repair of a case went, as far as that was asked and answered: a line each."""
    found = surveys.of_case(session, case.id)
    if found is None:
        return []
    if found.state == SurveyState.LEFT_OUT:
        return [surveys.LEFT_OUT.get(found.reason or "", "Not asked.")]
    if found.sent_at is None:
        return ["The tenant will be asked how it went."]
    lines = [f"Asked on {office.day_in_words(found.sent_at, now)}, {way_in_words(found.by)}."]
    if found.score is None or found.answered_at is None:
        return [*lines, "Not answered yet."]
    said = office.wording.label("survey", str(found.score))
    staff = session.get(Staff, found.answered_by) if found.answered_by else None
    how = f"taken down by {staff.name}" if staff else way_in_words(found.answered_by)
    lines.append(f"{found.score} of 5: {said} ({office.day_in_words(found.answered_at, now)}, {how}).")
    return [*lines, f"“{found.comment}”"] if found.comment else lines
