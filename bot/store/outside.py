"""What is stored for other systems: the tokens they read with, the webhooks that tell them, and what is on its way to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Index, String, text
from sqlmodel import Field, SQLModel

from bot.store.tables import Instant


def _id() -> Any:
    return Field(sa_column=Column(String(32), primary_key=True))


def _instant(*, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(Instant, nullable=nullable))


class ApiToken(SQLModel, table=True):
    """What another system shows to be let in. The secret is shown once, when it is made: only its digest is kept."""

    __tablename__ = "api_token"
    id: str = _id()
    name: str
    """Whose it is, such as `housing system`."""
    digest: str
    scopes: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    created_at: datetime = _instant(nullable=False)
    expires_at: datetime | None = _instant()
    last_used_at: datetime | None = _instant()
    """To the minute."""
    revoked_at: datetime | None = _instant()


class Webhook(SQLModel, table=True):
    """An address that is told what happens. Its deliveries go out one at a time, the oldest first."""

    __tablename__ = "webhook"
    id: str = _id()
    url: str
    events: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """Names of events (`bot.desk.publish.EVENTS`)."""
    secret: str
    """Signs what is sent. It has to be kept as it is: both ends need it."""
    in_confidence: bool = False
    """Is told of cases of people at risk as well."""
    created_at: datetime = _instant(nullable=False)
    next_at: datetime | None = _instant()
    """Not to be tried before this: while a delivery is under way (a lease), and after one that failed."""
    failures: int = 0
    """Attempts that have failed since the last one that arrived."""
    failing_since: datetime | None = _instant()
    last_error: str | None = None
    delivered_at: datetime | None = _instant()
    """When something arrived last."""
    disabled_at: datetime | None = _instant()


class WebhookDelivery(SQLModel, table=True):
    """One event on its way to one webhook. No foreign keys: that a webhook was removed must never stop a desk transaction."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("ix_webhook_delivery_waiting", "webhook_id", "event_id", sqlite_where=text("delivered_at IS NULL"),
              postgresql_where=text("delivered_at IS NULL")),
        Index("ix_webhook_delivery_done", "delivered_at", sqlite_where=text("delivered_at IS NOT NULL"),
              postgresql_where=text("delivered_at IS NOT NULL")),
    )  # fmt: skip
    webhook_id: str = Field(sa_column=Column(String(32), primary_key=True))
    event_id: str = Field(sa_column=Column(String(32), primary_key=True))
    """The same at every attempt and for every webhook: receivers know a repetition by it."""
    event: str
    case_id: str | None = None
    body: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    created_at: datetime = _instant(nullable=False)
    attempts: int = 0
    delivered_at: datetime | None = _instant()
