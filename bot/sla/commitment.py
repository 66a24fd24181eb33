"""What an association promises, as data: the closed vocabulary of policy files and the values made from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, get_args

from bot.messages import SERVICE_REQUESTS
from bot.sla.calendar import Hol

Mode = Literal["after", "incl", "hours", "days", "days_incl", "month", "month_hard", "minutes"]
Status = Literal["kept", "recorded", "off-channel"]
ChannelClass = Literal["text", "social", "live", "written", "voicemail"]
Priority = Literal["emergency", "urgent", "routine"]

MODES: Final[frozenset[str]] = frozenset(get_args(Mode))
WORKING_DAY_MODES: Final = frozenset({"after", "incl", "month"})
"""Modes that leave days out, and so must say which: the association's closures or the statutory days."""
STATUSES: Final[frozenset[str]] = frozenset(get_args(Status))
CHANNEL_CLASSES: Final[frozenset[str]] = frozenset(get_args(ChannelClass))
PRIORITIES: Final[frozenset[str]] = frozenset(get_args(Priority))
KINDS: Final = frozenset({"repair", "complaint", "enquiry", "service_request", "property"})
"""Kinds of case, and `property` for clocks that run on a home and not on a case."""
CASE_KINDS: Final = KINDS - {"property"}
CHANNELS: Final = frozenset({
    "sms", "whatsapp", "telegram", "web", "terminal", "email", "letter", "phone", "voicemail", "facebook",
})  # fmt: skip
"""Every way a message reaches an association; the last five are logged by staff."""

REPAIR_CATEGORIES: Final = frozenset({
    "no_power", "partial_power", "unsafe_electrics", "no_water", "partial_water", "leak", "leak_contained", "flooding",
    "roof_leak", "no_heating", "no_hot_water", "partial_heating", "gas_supply_lost", "blocked_flue", "foul_drain",
    "blocked_sink", "only_toilet", "toilet", "insecure_door_window", "unsafe_path_step", "loose_banister",
    "unsafe_floor_stairs", "extractor_fan", "smoke_alarm", "co_alarm", "damp_mould", "gutter", "door_window",
    "dripping_tap", "kitchen_joinery", "plaster_walls", "fence_gate", "pests", "communal_area", "lift", "structure",
    "lock_out", "asbestos", "other",
})  # fmt: skip
"""What a repair can be about: the same ids as `nlu_data/repairs.yml`."""

STAFF_CATEGORIES: Final = frozenset({"appeal", "statutory_request", "consultation"})
"""Service requests that the bot does not recognise by itself: staff give a case this category."""
CATEGORIES: Final = REPAIR_CATEGORIES | SERVICE_REQUESTS | STAFF_CATEGORIES

EVENTS: Final[Mapping[str, str]] = {
    "last_check": "the last check",
    "last_substantive_message": "the last message with news",
    "stage2": "the start of stage 2",
    "repair_completed": "the completion of the repair",
    "investigation_completed": "the completion of the investigation",
    "check_recorded": "the recording of the check",
}
"""What a clock may start on, other than arrival; each in words."""

PAUSES: Final[Mapping[str, str]] = {
    "awaiting_tenant": "something that only the tenant can give is missing",
    "identity": "who is asking has yet to be proved",
    "clarification": "what is asked for has yet to be made clear by whoever asks",
    "no_access": "nobody let us in at the time that was agreed",
}
"""What may stop a clock, where the policy says so (`pauses`); each in words for staff."""

OUTCOMES: Final = frozenset({
    "attended", "completed", "check_recorded", "full_reply", "call_made", "response_or_specific_ack",
    "full_reply_or_delay_notice", "update", "seen", "visited", "formal_ack", "stage1_decision", "stage2_response",
    "supplied", "processed", "full_response", "response", "ack", "decision", "first_response", "offered", "reply",
    "survey_sent", "investigation_completed", "written_summary_sent", "work_commenced", "record_given",
})  # fmt: skip
"""What keeps a commitment (`met_by`)."""

COMMITMENT_IDS: Final = frozenset({
    "emergency_repair", "urgent_repair", "routine_repair", "gas_safety", "phone_enquiry", "callback",
    "written_response", "text_response", "social_response", "voicemail_response", "letter_response",
    "letter_full_reply", "full_reply", "progress_update", "office_visit", "office_meeting", "home_visit",
    "complaint_acknowledgement", "complaint_decision", "complaint_stage2_acknowledgement", "complaint_full_response",
    "format_request", "housing_application", "subject_access", "freedom_of_information",
    "statutory_request_acknowledgement", "statutory_request", "neighbour_complaint_a", "neighbour_complaint_b",
    "neighbour_complaint_c", "appeal_acknowledgement", "appeal_decision", "appeal_stage2_acknowledgement",
    "appeal_stage2_decision", "consultation_reply", "repair_survey", "right_to_repair_1", "right_to_repair_3",
    "right_to_repair_7", "damp_investigation", "damp_summary", "damp_work", "gas_record_copy",
    "data_protection_complaint", "information_acknowledgement",
})  # fmt: skip
"""Every commitment the product knows how to speak about (each has a response `utter_promise_<id>` or the generic one)."""

STATUTE_IDS: Final = frozenset({
    "subject_access", "freedom_of_information", "right_to_repair_1", "right_to_repair_3", "right_to_repair_7",
    "damp_investigation", "damp_summary", "damp_work", "gas_record_copy", "data_protection_complaint",
})  # fmt: skip
"""What the law asks of every Scottish social landlord: a policy file that leaves one out is refused."""


@dataclass(frozen=True, slots=True)
class Applies:
    """One set of circumstances in which a commitment is owed. An empty field means: any."""

    kinds: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    priorities: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    """Channel classes, see `ChannelClass`."""
    severities: frozenset[str] = frozenset()
    """For categories that the association grades (antisocial behaviour: a, b, c)."""
    stage: int | None = None
    """Stage of a complaint or an appeal."""
    qualifying_days: int | None = None
    """Only repairs that the Right to Repair scheme gives this many working days."""

    def matches(
        self,
        *,
        kind: str,
        category: str,
        priority: str,
        channel_class: str,
        severity: str | None,
        qualifying_days: int | None,
    ) -> bool:
        return (
            (not self.kinds or kind in self.kinds)
            and (not self.categories or category in self.categories)
            and (not self.priorities or priority in self.priorities)
            and (not self.channels or channel_class in self.channels)
            and (not self.severities or severity in self.severities)
            and (self.qualifying_days is None or qualifying_days == self.qualifying_days)
        )

    def overlaps(self, other: "Applies") -> bool:
        """Whether one case could meet both."""
        sets = (
            (self.kinds, other.kinds),
            (self.categories, other.categories),
            (self.priorities, other.priorities),
            (self.channels, other.channels),
            (self.severities, other.severities),
        )
        figures = ((self.stage, other.stage), (self.qualifying_days, other.qualifying_days))
        return all(not a or not b or a & b for a, b in sets) and all(
            a is None or b is None or a == b for a, b in figures
        )


@dataclass(frozen=True, slots=True)
class Commitment:
    """One timed promise. `n`, `mode`, `start` and `hol` are explained in `docs/policy.md`."""

    id: str
    title: str
    n: int
    mode: Mode
    start: str
    """`deemed`, `actual`, or `event:` and one of `EVENTS`."""
    applies: tuple[Applies, ...]
    met_by: str
    clause: str
    """Where the promise is made; the letters are explained by the policy's `sources`."""
    hol: Hol | None = None
    repeat: bool = False
    status: Status = "kept"
    extension: int | None = None
    """By how many more working days it may be extended, with a reason told to the tenant."""
    extension_months: int | None = None
    extension_agreed: bool = False
    """May be extended to a date that is agreed and told, without a ceiling."""
    tenant_chooses: bool = False
    """The tenant may choose a later day than one that was offered in time; the clock then runs to the day they chose."""
    while_open: bool = False
    """Only promised to whoever comes while the office is open."""
    pauses: frozenset[str] = frozenset()
    """What may stop this clock until it is over: ids of `PAUSES`. Nothing else does."""
    fallback: str | None = None
    """Whose figure this is, where the association itself promises none."""
    unverified: str | None = None
    """What the association must confirm about this figure."""
    note: str | None = None
    printed: str | None = None
    """The figure as the association's document prints it."""
    printed_law: str | None = None
    """The law that the document names."""
    law: str | None = None
    """Present law, where it is stricter than what is printed or governs the figure."""
    effective_from: date | None = None
    effective_until: date | None = None

    @property
    def event(self) -> str | None:
        """What starts the clock, where it is not arrival."""
        return self.start.removeprefix("event:") if self.start.startswith("event:") else None

    @property
    def figure(self) -> str:
        """Such as `6 hours`, `10 days`, `2 working days`, `1 month`."""
        unit = {
            "after": "working day", "incl": "working day", "hours": "hour", "days": "day", "days_incl": "day",
            "month": "month", "month_hard": "month", "minutes": "minute",
        }[self.mode]  # fmt: skip
        return f"{self.n} {unit}{'' if self.n == 1 else 's'}"

    @property
    def counting(self) -> str:
        """How the figure is counted: the mode, then the same in words."""
        return f"{self.mode}: {self.figure}{_REST[self.mode]}{self._days_left_out}{self._due}; {self._from}"

    @property
    def _days_left_out(self) -> str:
        if self.mode not in WORKING_DAY_MODES:
            return ""
        return ", association closures left out" if self.hol == "org" else ", only weekends and statutory days left out"

    @property
    def _due(self) -> str:
        if self.mode in {"hours", "minutes"}:
            return ""
        return (
            ", due when the office closes" if self.mode in {"after", "incl"} and self.hol == "org" else ", due 23:59:59"
        )

    @property
    def _from(self) -> str:
        if self.event:
            return f"from {EVENTS[self.event]}"
        return "from receipt, or the next opening if closed" if self.start == "deemed" else "from the moment of arrival"

    def in_force(self, day: date) -> bool:
        after_start = self.effective_from is None or day >= self.effective_from
        return after_start and (self.effective_until is None or day <= self.effective_until)


_REST: Final = {
    "after": ", the day of receipt not counted",
    "incl": ", the day of receipt counted as day 1",
    "hours": " of elapsed time, day and night",
    "minutes": " of elapsed time",
    "days": " of the calendar, the day of receipt not counted",
    "days_incl": " of the calendar, the day of receipt counted as day 1",
    "month": " of the calendar to the same date, moved on to the next working day",
    "month_hard": " of the calendar to the same date, never moved",
}
