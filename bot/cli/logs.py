"""How the log looks: one event a line with its fields. Fields are ids and states; never a tenant's words or numbers."""

import logging
import sys
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_TOO_CHATTY: Final = ("rasa_sdk", "aiohttp.access", "httpx", "httpcore", "telegram", "twilio", "apscheduler", "alembic")
"""Libraries whose informational lines hold addresses, tokens or words, or nothing worth reading."""


class EventFormatter(logging.Formatter):
    """`2026-11-23T09:00:00Z warning bot.outbox not_delivered message_id=… channel=sms`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        fields = " ".join(f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD)
        line = f"{at} {record.levelname.lower()} {record.name} {record.getMessage()}"
        line = f"{line} {fields}" if fields else line
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(level: str) -> None:
    """Log to stderr from `level` up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TOO_CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
