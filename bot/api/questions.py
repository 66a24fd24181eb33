"""What can be asked, and how: the parameters of each operation, in the path and the query. Anything else is refused by name."""

from datetime import date
from typing import Annotated, Final, Literal

import phonenumbers
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from bot import references

_MOST: Final = 200
_REGION: Final = "GB"


def _is_reference(value: str) -> str:
    found = references.read(value)
    if found is None:
        raise ValueError("is not a case reference: it looks like R-4K7M-2QX, and its last symbol is a check")
    return found


def _is_number(value: str) -> str:
    try:
        number = phonenumbers.parse(value.strip(), _REGION)
    except phonenumbers.NumberParseException as error:
        raise ValueError(
            "is not a telephone number, such as +44 7700 900123 (a + is written %2B in an address)"
        ) from error
    if not phonenumbers.is_possible_number(number):
        raise ValueError("is not a telephone number, such as +44 7700 900123 (a + is written %2B in an address)")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


Reference = Annotated[
    str, AfterValidator(_is_reference),
    Field(description="A case reference. Lower case, spaces and missing hyphens are understood.", examples=["R-4K7M-2QX"]),
]  # fmt: skip
Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="An id, as another answer gave it.")]
Since = Annotated[
    AwareDatetime | None,
    Field(
        description="Only what changed from this instant on (ISO 8601 with offset; a + is written %2B). Ask again from a "
        "minute before the last time: what is being written at that moment shows a little later."
    ),
]  # fmt: skip


class Question(BaseModel):
    """The parameters of an operation that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Page(Question):
    limit: int = Field(50, ge=1, le=_MOST, description="The most that one answer holds.")
    cursor: Id | None = Field(None, description="`next` of the answer before: what comes after it.")
    order: Literal["newest", "oldest"] = Field("newest", description="What comes first.")


class ListCases(_Page):
    kind: Literal["repair", "complaint", "enquiry", "service_request"] | None = None
    category: str | None = Field(None, max_length=60, description="Such as `no_heating` or `home_visit`.")
    status: Literal["open", "closed"] | None = None
    priority: Literal["emergency", "urgent", "routine"] | None = None
    due_before: AwareDatetime | None = Field(
        None, description="Only cases with an open promise that is due before this instant."
    )
    updated_since: Since = None


class OneCase(Question):
    reference: Reference


class ListConversations(_Page):
    channel: Literal["sms", "whatsapp", "telegram", "web"] | None = None
    owner: Literal["bot", "staff", "closed"] | None = Field(None, description="Who answers it.")
    updated_since: Since = None


class OneConversation(Question):
    conversation: Id


class ListMessages(OneConversation):
    after: int = Field(0, ge=0, description="The sequence number of the last message that is known already.")
    limit: int = Field(100, ge=1, le=_MOST)


class FindContacts(Question):
    phone: Annotated[str, AfterValidator(_is_number)] | None = Field(
        None, max_length=30, description="A telephone number, as people write it."
    )
    reference: Reference | None = None


class OneContact(Question):
    contact: Id


class Days(Question):
    first: date | None = Field(
        None, alias="from", description="The first day. Without it, 1 April, when the year began."
    )
    last: date | None = Field(None, alias="to", description="The last day, included. Without it, today.")
    cases: bool = Field(False, description="Whether to name the cases behind every figure.")


class Year(Question):
    year: int = Field(
        ge=2001, le=2199, description="The regulator's year, by the one in which it ends: 2027 ends on 31 March 2027."
    )


def ways_to_write(number: str) -> list[str]:
    """A number in its international form, and the ways in which people write it: what tenants told us is kept as they did."""
    parsed = phonenumbers.parse(number, _REGION)
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    international = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return list(dict.fromkeys([number, national, national.replace(" ", ""), international]))
