"""Webhooks: who is told what happens, what is on its way to them, and what becomes of one that cannot be reached.

Every delivery arrives at least once, in the order in which things happened: while the oldest cannot be delivered, those after
it wait. `bot.api.webhooks` sends; here is what is written down about it.
"""

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import delete, or_
from sqlmodel import Session, col, func, select

from bot.desk import task as tasks
from bot.desk.conversation import record
from bot.desk.office import Office
from bot.desk.publish import NAMES, PING
from bot.store import conversations
from bot.store.outside import Webhook, WebhookDelivery
from bot.store.tables import Case

DISABLED: Final = "webhook_disabled"
"""The task that says that another system can no longer be told."""
SECRET_PREFIX: Final = "whsec_"
LEASE: Final = timedelta(seconds=60)
"""How long one process may take to send one delivery: longer than the time-out of a send."""
_FIRST_WAIT: Final = 30.0
_LONGEST_WAIT: Final = 3600.0
"""Seconds between attempts: half a minute, doubled each time, up to an hour."""
_KEPT: Final = timedelta(days=30)
"""How long what has arrived is kept."""
_TASK_WITHIN: Final = timedelta(days=1)
_LONGEST_ERROR: Final = 120


class WebhookError(Exception):
    """What was asked cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Sending:
    """One delivery on its way out."""

    webhook_id: str
    event_id: str
    url: str
    secret: str
    body: dict[str, Any]


# --- set up


def add(
    session: Session, office: Office, url: str, events: Sequence[str], *, now: datetime, actor: str,
    in_confidence: bool = False,
) -> Webhook:  # fmt: skip
    """Tell this address of these events from now on. Raises WebhookError for an address without encryption (but on this
    machine), or an unknown event."""
    _check_address(url)
    unknown = sorted(set(events) - set(NAMES))
    if unknown or not events:
        raise WebhookError(f"{', '.join(unknown) or 'nothing'} is not an event; there are {', '.join(NAMES)}")
    hook = Webhook(
        id=office.id(), url=url, events=sorted(set(events)), in_confidence=in_confidence, created_at=now,
        secret=SECRET_PREFIX + base64.b64encode(office.wall_clock.token(32).encode()).decode(),
    )  # fmt: skip
    session.add(hook)
    record(session, office, "webhook_added", hook.id, actor=actor, now=now, events=hook.events, host=host_of(url))
    return hook


def everyone(session: Session) -> list[tuple[Webhook, int]]:
    """Every webhook with how much is waiting for it, the oldest first."""
    waiting = dict(
        session.exec(
            select(WebhookDelivery.webhook_id, func.count())
            .where(col(WebhookDelivery.delivered_at).is_(None))
            .group_by(col(WebhookDelivery.webhook_id))
        ).all()
    )
    return [(each, waiting.get(each.id, 0)) for each in session.exec(select(Webhook).order_by(col(Webhook.id)))]


def find(session: Session, which: str) -> Webhook:
    """By id, or the beginning of one, or address. Raises WebhookError."""
    found = [each for each, _ in everyone(session) if which == each.url or (which and each.id.startswith(which))]
    if len(found) != 1:
        raise WebhookError(
            f"{which!r} is {'more than one webhook' if found else 'no webhook'}: see `doorstep webhook list`"
        )
    return found[0]


def remove(session: Session, office: Office, which: str, *, now: datetime, actor: str) -> Webhook:
    """Tell it nothing any more, and forget what was waiting. Raises WebhookError."""
    hook = find(session, which)
    session.execute(delete(WebhookDelivery).where(col(WebhookDelivery.webhook_id) == hook.id))
    session.delete(hook)
    record(session, office, "webhook_removed", hook.id, actor=actor, now=now)
    return hook


def enable(session: Session, office: Office, which: str, *, now: datetime, actor: str, skip: bool = False) -> Webhook:
    """Begin anew with one that was disabled, or does not want to wait; `skip` forgets what is waiting for it. Raises
    WebhookError."""
    hook = find(session, which)
    if skip:
        session.execute(
            delete(WebhookDelivery).where(
                col(WebhookDelivery.webhook_id) == hook.id, col(WebhookDelivery.delivered_at).is_(None)
            )
        )
    hook.disabled_at = hook.next_at = hook.failing_since = hook.last_error = None
    hook.failures = 0
    session.add(hook)
    record(session, office, "webhook_enabled", hook.id, actor=actor, now=now, skipped=skip)
    return hook


def ping(session: Session, office: Office, which: str, *, now: datetime) -> Webhook:
    """Put a harmless event on its way, to see whether anything arrives. Raises WebhookError."""
    hook = find(session, which)
    event_id = office.id()
    body = {"id": event_id, "type": PING.name, "timestamp": now.isoformat(), "data": {}}
    session.add(WebhookDelivery(webhook_id=hook.id, event_id=event_id, event=PING.name, body=body, created_at=now))
    return hook


# --- on their way


def due(session: Session, *, now: datetime) -> list[str]:
    """The webhooks for which something waits and that may be tried now."""
    waiting = select(WebhookDelivery.webhook_id).where(col(WebhookDelivery.delivered_at).is_(None))
    return list(
        session.exec(
            select(Webhook.id).where(
                col(Webhook.disabled_at).is_(None),
                or_(col(Webhook.next_at).is_(None), col(Webhook.next_at) <= now),
                col(Webhook.id).in_(waiting),
            )
        )
    )


def lease(session: Session, webhook_id: str, *, now: datetime) -> Sending | None:
    """The oldest delivery of a webhook, for this process alone to send; None if it is not its turn."""
    hook = session.exec(select(Webhook).where(Webhook.id == webhook_id).with_for_update(skip_locked=True)).first()
    if hook is None or hook.disabled_at is not None or (hook.next_at is not None and hook.next_at > now):
        return None
    oldest = session.exec(
        select(WebhookDelivery)
        .where(WebhookDelivery.webhook_id == webhook_id, col(WebhookDelivery.delivered_at).is_(None))
        .order_by(col(WebhookDelivery.created_at), col(WebhookDelivery.event_id))
        .limit(1)
    ).first()
    if oldest is None:
        return None
    hook.next_at = now + LEASE
    oldest.attempts += 1
    session.add(hook)
    session.add(oldest)
    return Sending(hook.id, oldest.event_id, hook.url, hook.secret, oldest.body)


def arrived(session: Session, webhook_id: str, event_id: str, *, now: datetime) -> None:
    """The other system has it."""
    delivery = session.get(WebhookDelivery, (webhook_id, event_id))
    hook = session.get(Webhook, webhook_id)
    if delivery is None or hook is None:
        return  # removed meanwhile
    delivery.delivered_at = hook.delivered_at = now
    hook.next_at = hook.failing_since = hook.last_error = None
    hook.failures = 0
    session.add(delivery)
    session.add(hook)
    session.execute(delete(WebhookDelivery).where(col(WebhookDelivery.delivered_at) < now - _KEPT))


def failed(
    session: Session, office: Office, webhook_id: str, event_id: str, error: str, *, now: datetime, give_up_after: timedelta,
    wait: float | None = None, gone: bool = False,
) -> bool:  # fmt: skip
    """It could not be delivered: try again later. After so much time of nothing but failure, or when the address says that it
    is `gone`, the webhook is disabled and staff are told. `wait` is how long the other system asks for, in seconds. Whether
    it was disabled."""
    hook = session.get(Webhook, webhook_id)
    if hook is None or hook.disabled_at is not None:
        return False
    hook.failures += 1
    hook.failing_since = hook.failing_since or now
    hook.last_error = error[:_LONGEST_ERROR]
    pause = min(_FIRST_WAIT * 2 ** min(hook.failures - 1, 16), _LONGEST_WAIT)
    pause = max(pause, min(wait or 0.0, _LONGEST_WAIT)) * office.wall_clock.uniform(0.9, 1.1)
    hook.next_at = now + timedelta(seconds=pause)
    session.add(hook)
    if not gone and now - hook.failing_since < give_up_after:
        return False
    hook.disabled_at, hook.next_at = now, None
    record(
        session, office, "webhook_disabled", hook.id, actor="bot", now=now, failures=hook.failures,
        since=hook.failing_since.isoformat(),
    )  # fmt: skip
    _tell_staff(session, office, hook, event_id, now=now)
    return True


def _tell_staff(session: Session, office: Office, hook: Webhook, event_id: str, *, now: datetime) -> None:
    """A task on the case that the other system has not heard of: the oldest that waits."""
    waiting = list(
        session.exec(
            select(WebhookDelivery)
            .where(WebhookDelivery.webhook_id == hook.id, col(WebhookDelivery.delivered_at).is_(None))
            .order_by(col(WebhookDelivery.created_at), col(WebhookDelivery.event_id))
        )
    )
    of_case = next((each.case_id for each in waiting if each.case_id is not None), None)
    case = session.get(Case, of_case) if of_case is not None else None
    conversation_id = case.conversation_id if case else _conversation_of(waiting)
    talk = conversations.load(session, conversation_id, lock=False) if conversation_id else None
    if talk is None:
        return  # nothing but a ping was waiting: whoever sent it is watching
    tasks.add(
        session, office, talk, DISABLED, due_at=now + _TASK_WITHIN, now=now, case_id=case.id if case else None, role="manager",
        detail=f"{host_of(hook.url)}: {hook.last_error}. Waiting: {len(waiting)}.",
    )  # fmt: skip


def _conversation_of(waiting: Sequence[WebhookDelivery]) -> str | None:
    return next(filter(None, (each.body["data"].get("conversation") for each in waiting)), None)


def host_of(url: str) -> str:
    """Whom an address belongs to, without what may be secret in it."""
    return urlsplit(url).hostname or ""


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.fragment:
        raise WebhookError(f"{url!r} is not an address such as https://example.org/doorstep")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise WebhookError("what happens is only told over https:// (http:// is for this machine)")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
