"""What is answered. Every answer is made from one of these, and the description of the API is made from the same."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

LocalMoment = Annotated[
    str,
    Field(
        json_schema_extra={"format": "date-time"}, description="Local time with its offset, as it is told to people."
    ),
]


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, json_schema_serialization_defaults_required=True)


# --- cases


class NextDue(Answer):
    """The open promise that is due first."""

    commitment: str
    title: str
    state: str
    due_at: datetime


class CaseLine(Answer):
    """A case in a list."""

    reference: str
    kind: str
    category: str
    priority: str
    status: str = Field(description="`open` or `closed`.")
    stage: int | None = Field(description="Of a complaint: 1 or 2.")
    channel: str
    team: str
    handler: str | None
    contact: str = Field(description="The id of whoever it is about.")
    conversation: str
    received_at: datetime
    deemed_received_at: datetime = Field(
        description="When it counts as received: at once, or when the office next opened."
    )
    closed_at: datetime | None
    closed_as: str | None = Field(description="`done`, `withdrawn`, `duplicate` or `not_ours`.")
    next_due: NextDue | None


class CasePage(Answer):
    cases: list[CaseLine]
    next: str | None = Field(description="The `cursor` of the next page; null at the end.")


class Milestone(Answer):
    name: str = Field(description="`acknowledged`, `attended`, `made_safe`, `completed` or `closed`.")
    at: datetime


class ChosenDay(Answer):
    """A later day that the tenant chose, after one was offered in time."""

    offered: date
    chosen: date
    how: str = Field(description="How they told us: `message`, `phone`, `in_person` or `letter`.")
    reason: str


class Clock(Answer):
    """One promise of a case."""

    id: str
    commitment: str
    title: str
    state: str = Field(
        description="`running`, `late`, `paused`, `answered`, `met`, `met_late`, `missed`, `extended`, `deferred` or `ended`."
    )
    started_at: datetime
    deemed_at: datetime
    due_at: datetime
    planned_at: datetime = Field(description="When to act to keep it: the last closing time at or before `due_at`.")
    met_at: datetime | None
    missed_at: datetime | None
    told_by: str | None = Field(description="How the tenant was told about it last: a channel, `phone` or `letter`.")
    told_at: datetime | None
    reason: str | None = Field(description="Why it was stopped, given a later date or ended.")
    extends: str | None = Field(description="The id of the clock whose date it runs beyond.")
    tenant_chose: ChosenDay | None
    clause: str
    unverified: str | None = Field(description="What the association has yet to confirm about it.")
    policy_version: str
    why: list[str] = Field(description="The steps from the beginning to the due date, a sentence each.")


class Addition(Answer):
    at: datetime
    words: str


class CaseAnswer(CaseLine):
    """A case, whole."""

    summary: str
    words: str = Field(description="The tenant's own words.")
    added: list[Addition]
    details: dict[str, str] = Field(description="The tenant's answers, by what was asked.")
    hazard: str
    outcome: str | None = Field(description="What the tenant was told at the end.")
    milestones: list[Milestone]
    clocks: list[Clock] = Field(description="Every promise, the earliest due first.")


class Skipped(Answer):
    date: date
    reason: str


class WhyPromise(Answer):
    """One date with its proof: what `doorstep why --json` prints."""

    commitment: str
    policy: str
    received: LocalMoment
    deemed_received: LocalMoment
    due: LocalMoment
    skipped: list[Skipped]
    counting: str
    clause: str
    state: str
    policy_version: str
    told_by: str | None
    why: list[str]


class WhyAnswer(Answer):
    case: str
    promises: list[WhyPromise]


# --- conversations


class ConversationLine(Answer):
    id: str
    channel: str
    owner: str = Field(description="Who answers it: `bot`, `staff`, or nobody any more (`closed`).")
    needs_person: str | None = Field(description="Why somebody should look at it.")
    contact: str
    cases: list[str] = Field(description="The references of the cases that were opened in it.")
    started_at: datetime
    last_message_at: datetime
    last_seq: int = Field(description="The sequence number of its newest message.")


class ConversationPage(Answer):
    conversations: list[ConversationLine]
    next: str | None = Field(description="The `cursor` of the next page; null at the end.")


class MessageAnswer(Answer):
    seq: int = Field(description="Its place in the conversation, counted from 1 over both directions.")
    id: str
    direction: str = Field(description="`in` or `out`.")
    author: str = Field(description="`tenant`, `bot` or `staff`.")
    author_name: str
    kind: str
    text: str
    urgent: bool
    state: str = Field(description="How far it has come.")
    case: str | None
    at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None


class MessagePage(Answer):
    conversation: str
    messages: list[MessageAnswer]
    after: int = Field(description="To be sent as `after` for what comes next; as it was if there is nothing new.")


# --- contacts


class Reach(Answer):
    channel: str
    may_receive: bool = Field(
        description="False for an address that opted out, that cannot receive, or by which this person must not be reached."
    )


class ContactAnswer(Answer):
    """Who somebody is, and no more than it takes to recognise them and to write to them rightly."""

    id: str
    name: str | None
    language: str
    preferred_channel: str | None
    preferred_format: str | None
    never_by: list[str] = Field(description="Ways by which they must not be reached: channels, `phone`, `letter`.")
    ask_first: bool = Field(
        description="True: reach them only through the association's staff. A message, call or letter may put them at risk."
    )
    addresses: list[Reach]
    open_cases: list[str]


class Contacts(Answer):
    contacts: list[ContactAnswer]


# --- performance


class FigureCases(Answer):
    kept: list[str]
    missed_and_told: list[str]
    missed_in_silence: list[str]
    kept_on_chosen_day: list[str]


class Figure(Answer):
    """One published target, and what was kept of it."""

    id: str
    target: str
    due: int
    kept: int
    missed_and_told: int
    missed_in_silence: int
    kept_on_chosen_day: int = Field(description="Kept on a later day that the tenant chose: not among `due`.")
    share_kept: float | None = Field(description="From 0 to 1; null if nothing was due.")
    cases: FigureCases | None


class HoursTaken(Answer):
    cases: list[str] | None
    mean: float | None
    median: float | None


class FirstResponses(Answer):
    automatic: HoursTaken
    human: HoursTaken
    human_by_need: dict[str, HoursTaken]


class PerformanceAnswer(Answer):
    policy: str
    first: date = Field(alias="from")
    last: date = Field(alias="to")
    made_at: datetime
    received: int
    out_of_hours: int
    first_response_hours: FirstResponses
    commitments: list[Figure]
    by: dict[str, dict[str, list[Figure]]] = Field(description="The same by `month`, `channel`, `kind` and `need`.")


class Indicator(Answer):
    number: str
    title: str
    value: float | None = Field(description="Null where Doorstep does not know it; `note` says why.")
    unit: str
    cases: list[str]
    note: str


class AnnualReturn(Answer):
    """The regulator's Annual Return on the Charter, as far as cases tell."""

    policy: str
    first: date = Field(alias="from")
    last: date = Field(alias="to")
    made_at: datetime
    indicators: list[Indicator]


# --- policy


class CommitmentAnswer(Answer):
    id: str
    title: str
    figure: str
    counting: str
    clause: str
    met_by: str
    status: str = Field(description="`kept`, `recorded`, `off-channel` or `planned`.")
    reason: str | None = Field(description="Why it is only planned.")
    told: str | None
    evidence: str
    tenant_chooses: bool
    fallback: str | None
    law: str | None
    unverified: str | None


class QualityAnswer(Answer):
    """Something a policy asks that has no figure."""

    id: str
    clause: str
    asks: str
    how: str
    status: str
    reason: str | None
    told: str | None
    evidence: str


class PolicyAnswer(Answer):
    id: str
    name: str
    short_name: str
    version: str = Field(description="Changes with any word of the policy and with any statutory day.")
    hours: str
    commitments: list[CommitmentAnswer]
    qualities: list[QualityAnswer]
